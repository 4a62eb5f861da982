// A student and a teacher of a few hundred parameters, and configurations that train them, for tests of training steps.
import {
  methods,
  paperAdamW,
  presets,
  type ClassifierConfig,
  type Method,
  type Preset,
  type TrainConfig,
} from '@embed-kd/core'

export const student: ClassifierConfig = {
  imageSize: 8,
  patchSize: 4,
  channels: 1,
  width: 8,
  layers: 2,
  heads: 2,
  classes: 3,
  activation: 'quickGelu',
  preNorm: true,
  epsilon: 1e-5,
  attentionDropout: 0,
}
export const teacher: ClassifierConfig = { ...student, width: 6, layers: 1, heads: 3 }

/** Returns a configuration whose teacher is live if the method needs a live one. */
export const configOf = (
  method: Method,
  preset: Preset,
  rest: Partial<TrainConfig> = {},
  model = teacher,
): TrainConfig => ({
  method,
  student,
  batch: 4,
  images: { channels: 1, size: 8 },
  ...(methods[method].teacher !== 'none' && {
    teacher:
      methods[method].teacher === 'live'
        ? { kind: 'live', model }
        : { kind: 'stored', width: model.width },
  }),
  settings: presets[preset],
  optimizer: { ...paperAdamW, learningRate: 0.01 },
  schedule: { kind: 'constant' },
  ...rest,
})
