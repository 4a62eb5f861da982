// The settings of a distillation loss, and the presets that decide where the paper's text, its published code and common
// practice differ. Data only; losses are in loss.ts and methods.ts.
import { checkInteger } from '../check.js'
import type { Schedule } from '../optim/schedules.js'

/** Choices in the loss on which the paper's published code and common practice differ. */
export interface LossSettings {
  /** Cross entropy of the class scores, or of their softmax (softmax twice, as the published code does). */
  readonly classScores: 'logits' | 'probabilities'
  /** Factor on cosine similarities: none, or learned (init 1/0.07, at most 100, as CLIP). */
  readonly logitScale: 'none' | 'learned'
  /** teacher-kd and cached-kd: whether images of the same class in a batch are positives or negatives. */
  readonly sameClass: 'positive' | 'negative'
  /** logit-kd and cached-logit-kd: temperature of both distributions. */
  readonly temperature: number
  /** Weight of the distillation loss beside the class loss. */
  readonly kdWeight: number
}

export interface PresetSettings extends LossSettings {
  /** Weight decay on every parameter, or on matrices alone (not norms, biases, class token, position embeddings). */
  readonly decay: 'all' | 'matrices'
  readonly schedule: 'constant' | 'cosine'
}

/** `paper`: what the paper's published code does, oddities included. `corrected`: common practice. */
export const presets = {
  paper: {
    classScores: 'probabilities',
    logitScale: 'none',
    sameClass: 'negative',
    temperature: 1,
    kdWeight: 0.5,
    decay: 'all',
    schedule: 'constant',
  },
  corrected: {
    classScores: 'logits',
    logitScale: 'learned',
    sameClass: 'positive',
    temperature: 4,
    kdWeight: 0.5,
    decay: 'matrices',
    schedule: 'cosine',
  },
} as const satisfies Record<string, PresetSettings>
export type Preset = keyof typeof presets

/** Share of all steps that the warm-up of a preset's schedule takes, if it has one. */
const WARMUP_SHARE = 0.05

/** Returns a preset's schedule for a run of `totalSteps`. @throws UserError unless that is a whole number of at least 0. */
export function scheduleOf({ schedule }: PresetSettings, totalSteps: number): Schedule {
  checkInteger('schedule: totalSteps', totalSteps, 0)
  return schedule === 'constant'
    ? { kind: 'constant' }
    : { kind: 'cosine', warmupSteps: Math.round(WARMUP_SHARE * totalSteps), totalSteps }
}
