// Wrong configurations of models and trainings, for every function that takes one. arguments.test.ts calls them.
import * as core from '../src/index.js'
import {
  batchInputs,
  checkViTConfig,
  classifierParameters,
  embedGraph,
  evalGraph,
  gradientGraph,
  hostTensor,
  methodDefinition,
  presets,
  scheduleOf,
  stepGraphs,
  studentSpecs,
  teacherInput,
  trainGraph,
  vitParameters,
  type ClassifierConfig,
  type TrainConfig,
  type ViTConfig,
} from '../src/index.js'
import { configOf, student, teacher } from '@embed-kd/conformance/small-models'

const images = { channels: 1, size: 8 }
const config = configOf('embed-kd', 'corrected')
const changed = (change: object): TrainConfig => ({ ...config, ...change }) as TrainConfig
const model = (change: object): ClassifierConfig => ({ ...student, ...change }) as ClassifierConfig
const settings = (change: object) => changed({ settings: { ...presets.paper, ...change } })
const optimizer = (change: object) => changed({ optimizer: { ...config.optimizer, ...change } })
const defined = core.defineMethod as (definition: object) => unknown
const labels = (...values: number[]) => hostTensor('int32', [values.length], values)
const whole = {
  'batch.images': hostTensor('float32', [4, 1, 8, 8]),
  'batch.labels': labels(0, 1, 2, 0),
}
const batch = (change: object) =>
  new Map(Object.entries({ ...whole, ...change })) as ReadonlyMap<string, core.HostTensor>

/** Wrong calls of one function: what is wrong, the call, and a part of the message. */
export type Wrong = readonly (readonly [string, () => unknown, string])[]

const wrongConfigs = (make: (config: TrainConfig) => unknown): Wrong =>
  (
    [
      ['batch', changed({ batch: 0.5 }), 'batch must be a whole number of at least 1, got 0.5'],
      ['microBatch', changed({ microBatch: 5 }), 'microBatch must be a whole number from 1 to 4'],
      ['method', changed({ method: 'embed' }), 'there is no method "embed"'],
      ['precision', changed({ precision: 'float16' }), 'precision must be one of float32, mixed'],
      ['rematerialise', changed({ rematerialise: 'block' }), 'got "block"; did you mean blocks?'],
      [
        'channels',
        changed({ images: { channels: 3, size: 8 } }),
        'images of 3 channels do not fit',
      ],
      [
        'size',
        changed({ images: { channels: 1, size: -8 } }),
        'images: size must be a whole number',
      ],
      ['classes', changed({ student: model({ classes: 1.5 }) }), 'classifier: classes must be'],
      ['activation', changed({ student: model({ activation: 'tanh' }) }), 'activation must be one'],
      ['width', changed({ teacher: { kind: 'stored', width: NaN } }), 'teacher: width must be'],
      [
        'kind',
        changed({ teacher: { kind: 'cached', width: 6 } }),
        'kind must be one of live, stored',
      ],
      [
        'prototypes',
        changed({ teacher: { kind: 'stored', width: 6, prototypes: 0 } }),
        'teacher: prototypes must be a whole number of at least 1, got 0',
      ],
      ['temperature', settings({ temperature: 0 }), 'temperature must be a finite number above 0'],
      ['kdWeight', settings({ kdWeight: -1 }), 'kdWeight must be a finite number of at least 0'],
      ['classScores', settings({ classScores: 'scores' }), 'classScores must be one of logits'],
      ['logitScale', settings({ logitScale: 1 }), 'logitScale must be one of none, learned, got 1'],
      ['sameClass', settings({ sameClass: 'both' }), 'sameClass must be one of positive, negative'],
      ['decay', settings({ decay: 'none' }), 'decay must be one of all, matrices, got "none"'],
      [
        'learningRate',
        optimizer({ learningRate: Infinity }),
        'learningRate must be a finite number',
      ],
      ['weightDecay', optimizer({ weightDecay: -0.1 }), 'weightDecay must be a finite number'],
      ['beta1', optimizer({ beta1: 1 }), 'beta1 must be a finite number of at least 0 and below 1'],
      ['beta2', optimizer({ beta2: '0.9' }), 'beta2 must be a finite number'],
      ['epsilon', optimizer({ epsilon: 0 }), 'epsilon must be a finite number above 0, got 0'],
      [
        'schedule',
        changed({ schedule: { kind: 'linear' } }),
        'kind must be one of constant, cosine',
      ],
      [
        'totalSteps',
        changed({ schedule: { kind: 'cosine', warmupSteps: 0, totalSteps: 2.5 } }),
        'totalSteps must be a whole number of at least 0, got 2.5',
      ],
    ] as const
  ).map(([what, wrong, message]) => [what, () => make(wrong), message] as const)

const wrongModels = (make: (config: ViTConfig) => unknown): Wrong =>
  (
    [
      ['width', { width: 0 }, 'width must be a whole number of at least 1, got 0'],
      ['layers', { layers: 1.5 }, 'layers must be a whole number of at least 1, got 1.5'],
      ['heads', { heads: 3 }, '3 heads do not divide width 8'],
      ['patchSize', { patchSize: 3 }, 'patch size 3 does not divide image size 8'],
      ['hiddenWidth', { hiddenWidth: -1 }, 'hiddenWidth must be'],
      ['activation', { activation: 'GELU' }, 'activation must be one of gelu, geluTanh,'],
      ['preNorm', { preNorm: 'yes' }, 'preNorm must be true or false, got yes'],
      ['epsilon', { epsilon: 0 }, 'epsilon must be a finite number above 0, got 0'],
      [
        'attentionDropout',
        { attentionDropout: 1 },
        'attentionDropout must be a finite number of at',
      ],
    ] as const
  ).map(([what, change, message]) => [what, () => make(model(change)), message] as const)

export const wrongConfigurations: Partial<Record<keyof typeof core, Wrong>> = {
  studentSpecs: [
    [
      'no teacher',
      () => studentSpecs({ ...configOf('supervised', 'paper'), method: 'embed-kd' }),
      'embed-kd needs a teacher',
    ],
    ['an unknown method', () => studentSpecs(changed({ method: 'kd' })), 'there is no method "kd"'],
  ],
  trainGraph: wrongConfigs(trainGraph),
  gradientGraph: wrongConfigs(gradientGraph),
  stepGraphs: [
    ...wrongConfigs(stepGraphs),
    [
      'a micro-batch',
      () => stepGraphs(changed({ microBatch: 3 })),
      '3 images do not make up a batch',
    ],
  ],
  evalGraph: [
    ...wrongModels((wrongModel) => evalGraph(wrongModel as ClassifierConfig, 4, images)),
    [
      'classes',
      () => evalGraph(model({ classes: 0 }), 4, images),
      'classes must be a whole number',
    ],
    ['batch', () => evalGraph(student, -1, images), 'batch must be a whole number of at least 1'],
    ['size', () => evalGraph(student, 4, { channels: 1, size: 7.5 }), 'images: size must be'],
  ],
  embedGraph: [
    ...wrongModels((wrongModel) => embedGraph(wrongModel, 4, images)),
    ['batch', () => embedGraph(teacher, 0, images), 'batch must be a whole number of at least 1'],
    ['temperature', () => embedGraph(teacher, 4, images, 0), 'temperature must be a finite number'],
  ],
  batchInputs: [
    [
      'half an index',
      () => batchInputs(trainGraph(config), batch({}), 0.5),
      'index must be a whole',
    ],
    [
      'no such rows',
      () => batchInputs(trainGraph(config), batch({}), 1),
      'micro-batch 1 takes rows 4 to 7',
    ],
    [
      'a missing image',
      () =>
        batchInputs(
          trainGraph(config),
          batch({ 'batch.images': hostTensor('float32', [3, 1, 8, 8]) }),
          0,
        ),
      'batch.images has 3 rows',
    ],
    [
      'label 99 of 3',
      () => batchInputs(trainGraph(config), batch({ 'batch.labels': labels(0, 1, 2, 99) }), 0),
      'label 99 is not one of the 3 classes',
    ],
  ],
  scheduleOf: [
    ['no steps', () => scheduleOf(presets.paper, -1), 'totalSteps must be a whole number'],
  ],
  methodDefinition: [['an unknown name', () => methodDefinition('kd'), 'there is no method "kd"']],
  teacherInput: [['an unknown name', () => teacherInput('kd'), 'there is no method "kd"']],
  defineMethod: [
    ['an empty label', () => defined({ label: '' }), 'label must be one line of text'],
  ],
  checkViTConfig: wrongModels(checkViTConfig),
  vitParameters: wrongModels(vitParameters),
  classifierParameters: wrongModels((wrongModel) =>
    classifierParameters(wrongModel as ClassifierConfig),
  ),
}
