// The figures of the paper that ours stand beside (CLIP-Embed-KD, CIFAR-100, read off its figure). They compare
// different teachers and the paper does not say how memory was measured, so they are a landmark, not a target.
import type { Method } from '@embed-kd/core'

/** The method that the paper proposes, the one that it replaces, and training without a teacher. */
export const PAPER_METHODS = {
  proposed: 'embed-kd',
  replaced: 'teacher-kd',
  without: 'supervised',
} as const satisfies Record<string, Method>

export const PAPER = {
  memoryRatio: 9,
  timeRatio: 8,
  accuracyRatio: 1.02,
  setting: 'CIFAR-100; Teacher-KD with ViT-Base against Embed-KD with ViT-Large, student at 32 px',
  teacherKd: { memoryBytes: 1.23e9, epochSeconds: 0.163 * 3600, accuracy: 0.515 },
  embedKd: { memoryBytes: 0.13e9, epochSeconds: 0.02 * 3600, accuracy: 0.525 },
} as const
