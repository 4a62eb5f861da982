// What is timed: one embed-kd training step of the benchmark's students, and of a
// tiny one for long runs on slow devices, on random images, labels and centroids.
// Attention dropout is off, so that two implementations of the step must give the same losses.
import {
  hostTensor,
  initialParameters,
  paperAdamW,
  presets,
  Random,
  sizeOf,
  studentSpecs,
  type HostTensor,
  type TrainConfig,
} from '@embed-kd/core'

const shapes = {
  tiny: { imageSize: 8, patchSize: 4, channels: 1, width: 16, layers: 2, heads: 2, classes: 10 },
  small: { imageSize: 28, patchSize: 7, channels: 1, width: 64, layers: 3, heads: 4, classes: 10 },
  paper: {
    imageSize: 32,
    patchSize: 4,
    channels: 3,
    width: 256,
    layers: 6,
    heads: 8,
    classes: 100,
  },
} as const
export type StudentName = keyof typeof shapes
export const isStudentName = (name: string): name is StudentName => name in shapes

/** Width of the teacher whose centroids are distilled: ViT-Base. */
const TEACHER_WIDTH = 768

export interface Workload {
  readonly config: TrainConfig
  /** By the student's parameter names. */
  readonly parameters: ReadonlyMap<string, HostTensor>
  /** By graph input name, beside the state. */
  readonly inputs: ReadonlyMap<string, HostTensor>
}

export function workload(student: StudentName, batch: number): Workload {
  const { imageSize, channels, classes } = shapes[student]
  const config: TrainConfig = {
    method: 'embed-kd',
    student: {
      ...shapes[student],
      activation: 'quickGelu',
      preNorm: true,
      epsilon: 1e-5,
      attentionDropout: 0,
    },
    batch,
    images: { channels, size: imageSize },
    teacher: { kind: 'stored', width: TEACHER_WIDTH },
    settings: presets.paper,
    optimizer: paperAdamW,
    schedule: { kind: 'constant' },
  }
  const random = new Random(1)
  const normal = (...shape: number[]) =>
    hostTensor(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
    )
  const labels = Int32Array.from({ length: batch }, () => random.int(classes))
  return {
    config,
    parameters: initialParameters(studentSpecs(config), new Random(2)),
    inputs: new Map<string, HostTensor>([
      ['batch.images', normal(batch, channels, imageSize, imageSize)],
      ['batch.labels', hostTensor('int32', [batch], labels)],
      ['teacher.centroids', normal(classes, TEACHER_WIDTH)],
    ]),
  }
}
