// Every public function refuses wrong arguments: lengths, integers, ranges, names. A function that is exported without a wrong
// value in this table, or a reason why it has none, fails the last test.
import { describe, expect, it } from 'vitest'
import * as core from '../src/index.js'
import {
  batchInputs,
  CentroidBuilder,
  checkHostTensor,
  checkInputs,
  checkViTConfig,
  classCentroids,
  classifierParameters,
  crossEntropy,
  embedGraph,
  evalGraph,
  evaluate,
  gradientGraph,
  gradients,
  hostScalar,
  hostTensor,
  inDtype,
  inferTypes,
  learningRate,
  linearParameters,
  lower,
  methodDefinition,
  normParameters,
  op,
  patches,
  planTogether,
  presets,
  Random,
  referenceBackend,
  resize,
  resizePositions,
  scheduleOf,
  spec,
  stepGraphs,
  studentSpecs,
  teacherInput,
  trace,
  trainGraph,
  undecayed,
  verify,
  vitParameters,
  weight,
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
const embeddings = hostTensor('float32', [2, 1], [1, 2])
const square = (side: number) => ({ rows: side, columns: side })
const resized = (shape: readonly number[], to: ReturnType<typeof square>) =>
  resizePositions(hostTensor('float32', shape), square(2), to)
const defined = core.defineMethod as (definition: object) => unknown
const builder = new CentroidBuilder(2, 2, 5)
/** Traces a function of float tensors of these shapes. */
const traced = (shapes: readonly number[][], body: (...x: core.Tensor[]) => core.Tensor) => {
  const specs = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, spec(shape)]))
  return trace('wrong', specs, (x) => ({ y: body(...Object.values<core.Tensor>(x)) }))
}
const negation = traced([[2]], op.neg)
const labels = (...values: number[]) => hostTensor('int32', [values.length], values)
const whole = {
  'batch.images': hostTensor('float32', [4, 1, 8, 8]),
  'batch.labels': labels(0, 1, 2, 0),
}
const batch = (change: object) =>
  new Map(Object.entries({ ...whole, ...change })) as ReadonlyMap<string, core.HostTensor>

/** Wrong calls of one function: what is wrong, the call, and a part of the message. */
type Wrong = readonly (readonly [string, () => unknown, string])[]

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

const wrong: Partial<Record<keyof typeof core, Wrong>> = {
  CentroidBuilder: [
    ['no classes', () => new CentroidBuilder(0, 1, 1), 'the number of classes must be'],
    ['half a width', () => new CentroidBuilder(1, 0.5, 1), 'the width of an embedding must be'],
    ['no images', () => new CentroidBuilder(1, 1, 0), 'the number of images of each class must be'],
    [
      'a missing label',
      () => builder.add(new Float32Array(4), [0]),
      '1 labels of embeddings with 2',
    ],
    ['half a label', () => builder.wants(0.5), 'label 0.5 is not one of the 2 classes'],
  ],
  classCentroids: [
    [
      'more labels than rows',
      () => classCentroids(embeddings, [0, 1, 1], 2, 5),
      '3 labels of embed',
    ],
    ['half a label', () => classCentroids(embeddings, [0, 0.5], 2, 5), 'label 0.5 is not one of'],
    ['label 99 of 10', () => classCentroids(embeddings, [0, 99], 10, 5), 'label 99 is not one of'],
    ['a vector', () => classCentroids(hostTensor('float32', [2]), [0, 1], 2, 5), 'got f32[2]'],
    ['integers', () => classCentroids(hostTensor('int32', [2, 1]), [0, 1], 2, 5), 'got i32[2,1]'],
    [
      'a class without images',
      () => classCentroids(embeddings, [0, 0], 2, 5),
      'class 1 has no image',
    ],
  ],
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
  linearParameters: [
    ['no inputs', () => linearParameters(0, 2), 'parameter: each size of its shape'],
  ],
  normParameters: [
    ['half a width', () => normParameters(0.5), 'parameter: each size of its shape'],
  ],
  weight: [
    ['a negative size', () => weight([-1], 0), 'parameter: each size of its shape must be'],
    ['a bound', () => weight([1], { bound: -1 }), 'the bound of its initial values must be'],
    ['a deviation', () => weight([1], { std: NaN }), 'the deviation of its initial values must be'],
  ],
  undecayed: [['a value', () => undecayed([1], NaN), 'its initial value must be a finite number']],
  learningRate: [
    [
      'a schedule',
      () => traced([[]], (x) => learningRate({ kind: 'step' } as never, 1, x)),
      'kind must be one of',
    ],
    [
      'a rate',
      () => traced([[]], (x) => learningRate({ kind: 'constant' }, -1, x)),
      'learning rate must be',
    ],
  ],
  resizePositions: [
    ['other rows', () => resized([4, 2], square(2)), 'position embeddings of 4'],
    ['half a side', () => resized([5, 2], square(1.5)), 'rows of a grid must be'],
    ['a vector', () => resized([5], square(2)), 'must be float32 [tokens, width]'],
  ],
  resize: [
    ['one image', () => traced([[3, 8, 8]], (x) => resize(x, 4)), 'images must be [B,C,H,W]'],
    [
      'half a size',
      () => traced([[1, 3, 8, 8]], (x) => resize(x, 0.5)),
      'resize: toHeight must be',
    ],
  ],
  patches: [
    ['one image', () => traced([[3, 8, 8]], (x) => patches(x, 4)), 'images must be [B,C,H,W]'],
    [
      'a rest',
      () => traced([[1, 3, 8, 8]], (x) => patches(x, 3)),
      'patches of 3x3 pixels do not divide',
    ],
  ],
  crossEntropy: [
    [
      'other shapes',
      () =>
        traced(
          [
            [2, 3],
            [1, 3],
          ],
          crossEntropy,
        ),
      'must be [N, classes], got f32[2,3]',
    ],
  ],
  gradients: [
    [
      'a vector',
      () => traced([[2]], (x) => gradients(x, [x])[0]!),
      'the loss must be a float scalar',
    ],
    [
      'another trace',
      () => traced([[]], (x) => (traced([[]], (y) => (gradients(x, [y]), y)), x)),
      'a tensor belongs to another trace',
    ],
  ],
  lower: [
    ['a primitive', () => lower(negation, { composites: ['neg' as never] }), 'a composite must be'],
  ],
  planTogether: [['no graph', () => planTogether([]), 'there must be at least one graph']],
  inferTypes: [
    ['an unknown op', () => inferTypes('sine' as never, [], {} as never), 'there is no op sine'],
  ],
  trace: [
    ['half a size', () => traced([[0.5]], op.neg), 'input x0: each size of its shape must be'],
    [
      'a dtype',
      () => trace('g', { x: spec([], { dtype: 'float64' as never }) }, (x) => x),
      'x: dtype must',
    ],
    [
      'a role',
      () => trace('g', { x: spec([], { role: 'weights' as never }) }, (x) => x),
      'x: role must be',
    ],
  ],
  verify: [
    [
      'an unknown op',
      () =>
        verify({
          ...negation,
          nodes: negation.nodes.map((node) => ({ ...node, op: 'sine' as never })),
        }),
      'there is no op sine',
    ],
  ],
  evaluate: [
    ['a missing input', () => evaluate(negation, {}), 'input x0 is f32[2], and was not given'],
    [
      'another type',
      () => evaluate(negation, { x0: hostTensor('int32', [2]) }),
      'i32[2] was given',
    ],
    [
      'missing elements',
      () => evaluate(negation, { x0: { dtype: 'float32', shape: [2], data: new Float32Array(1) } }),
      'input x0 is f32[2], 1 elements were given',
    ],
  ],
  hostTensor: [
    ['a missing element', () => hostTensor('float32', [2], [1]), 'needs 2 elements, got 1'],
    ['half a size', () => hostTensor('float32', [0.5]), 'each size of its shape must be'],
    ['a dtype', () => hostTensor('float64' as never, [1]), 'tensor: dtype must be one of float32'],
    ['half a label', () => hostTensor('int32', [1], [0.5]), 'int32 tensor must be a whole number'],
    ['a large integer', () => hostTensor('int32', [1], [2 ** 31]), 'int32 tensor must be a whole'],
    [
      'a truth of 2',
      () => hostTensor('bool', [1], [2]),
      'bool tensor must be a whole number from 0 to 1',
    ],
  ],
  hostScalar: [
    ['half a step', () => hostScalar(0.5, 'int32'), 'int32 tensor must be a whole number'],
  ],
  inDtype: [
    ['a fraction as int32', () => inDtype(hostScalar(0.5), 'int32'), 'must be a whole number'],
  ],
  Random: [
    ['a negative seed', () => new Random(-1), 'a random seed is a whole number'],
    ['half a key', () => new Random(0, 0.5), 'a random seed is a whole number'],
    ['no numbers', () => new Random(0).int(0), 'needs a whole number from 1 to 2^32'],
  ],
  checkInteger: [
    ['half a number', () => core.checkInteger('x', 0.5), 'x must be a whole number of at least 1'],
    ['a text', () => core.checkInteger('x', '2', 0, 3), 'x must be a whole number from 0 to 3'],
  ],
  checkNumber: [['no number', () => core.checkNumber('x', NaN), 'x must be a finite number']],
  checkName: [['a name', () => core.checkName('x', 'gelo', ['gelu']), 'did you mean gelu?']],
  checkHostTensor: [
    [
      'a missing element',
      () =>
        checkHostTensor({ dtype: 'float32', shape: [2], data: new Float32Array(1) }, {
          dtypes: ['float32'],
        } as never),
      'data must be',
    ],
  ],
  checkInputs: [['a missing input', () => checkInputs(negation, {}), 'is missing']],
  parseSafetensors: [
    [
      'no header',
      () => core.parseSafetensors(new Uint8Array(3)),
      'safetensors: a file has at least 10',
    ],
  ],
  parseSafetensorsHeader: [
    [
      'no header',
      () => core.parseSafetensorsHeader(new Uint8Array(3), 3),
      'safetensors: a file has at least 10',
    ],
  ],
  safetensorsHeaderBytes: [
    [
      'no length',
      () => core.safetensorsHeaderBytes(new Uint8Array(3), 3),
      'safetensors: a file has at least 10',
    ],
  ],
}

describe.each(Object.entries(wrong))('%s refuses', (_, cases) => {
  it.each(cases!)('%s', (_what, call, message) => {
    expect(call).toThrow(message)
  })
})

describe('ops refuse', () => {
  it.each<[string, () => unknown, string]>([
    ['two numbers', () => op.add(1, 2), 'one operand must be a tensor'],
    ['a missing axis', () => traced([[2]], (x) => op.sum(x, { axes: [1] })), 'sum C2'],
    ['half an axis', () => traced([[2]], (x) => op.mean(x, { axes: [0.5] })), 'mean C2'],
    ['another number of elements', () => traced([[2]], (x) => op.reshape(x, [3])), 'reshape C2'],
    ['a block outside', () => traced([[2]], (x) => op.sliceAxis(x, 0, 1, 2)), 'slice C2'],
    ['half a depth', () => traced([[2]], (x) => op.oneHot(x, 0.5)), 'iota C1'],
    ['an unknown dtype', () => traced([[2]], (x) => op.cast(x, 'float64' as never)), 'cast C1'],
    ['an unknown GELU', () => traced([[2]], (x) => op.gelu(x, 'fast' as never)), 'gelu C2'],
    [
      'a negative epsilon',
      () => traced([[2], [2], [2]], (x, s, b) => op.layerNorm(x, s, b, -1)),
      'layerNorm C4',
    ],
    [
      'another trace',
      () => traced([[2]], (x) => (traced([[2]], (y) => op.add(x, y)), x)),
      'belongs to another trace',
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message)
  })
})

/** Exported functions and classes that no argument of their types can be wrong for, or whose wrong calls are tested elsewhere. */
const exempt: Partial<Record<keyof typeof core, string>> = {
  BufferLedger: 'ledger.test.ts',
  ContractError: 'an error',
  describeError: 'takes anything',
  messageOf: 'takes anything',
  isForUser: 'takes anything',
  UserError: 'an error',
  guess: 'takes any words',
  isMethod: 'answers for any name',
  isClassifier: 'answers for any model',
  methodName: 'answers for any name',
  isTensor: 'answers for anything',
  describeValue: 'answers for anything',
  isParameterSpec: 'answers for anything',
  isComposite: 'answers for a name that types check',
  hasTrait: 'answers for a name that types check',
  opsWith: 'answers for a name that types check',
  isFloat: 'answers for a name that types check',
  publishedViT: 'answers undefined for an unknown name',
  cost: 'takes a graph, which verify checks',
  planMemory: 'takes a graph, which verify checks',
  print: 'takes a graph, which verify checks',
  printNode: 'takes a graph, which verify checks',
  lastUses: 'takes a graph, which verify checks',
  scopeOf: 'takes a place of a node',
  mixedPrecision: 'takes a graph, which verify checks',
  spec: 'its result is checked by trace',
  Tensor: 'made by a tracer',
  Tracer: 'its methods are what trace and ops call',
  flattenTree: 'takes any tree',
  mapTree: 'takes any tree',
  parameterInputs: 'takes specifications, which weight and undecayed check',
  initialParameters: 'takes specifications, which weight and undecayed check',
  drawParameters: 'takes specifications, which weight and undecayed check',
  parameterCount: 'takes specifications, which weight and undecayed check',
  initialState: 'takes tensors, which hostTensor checks',
  parameterGroups: 'takes a configuration, which checkTrainConfig checks',
  packGraph: 'takes a graph; the tracer checks it',
  packTensors: 'takes tensors, which hostTensor checks',
  unpackTensors: 'takes tensors, which hostTensor checks',
  countOperators: 'takes a graph',
  embeddingWidth: 'takes a configuration, which checkViTConfig checks',
  modelParameters: 'takes a configuration, which checkViTConfig checks',
  tokenGrid: 'takes a configuration, which checkViTConfig checks',
  vitEmbedding: 'takes parameters of a checked configuration; ops check their shapes',
  classScores: 'ops check its shapes',
  l2Normalize: 'ops check its shapes',
  formatSafetensors: 'safetensors.test.ts',
  formatSafetensorsHeader: 'safetensors.test.ts',
  readSafetensor: 'safetensors.test.ts',
  fromFloat16: 'takes every word',
  toFloat16: 'takes every number',
  broadcastShapes: 'answers undefined for shapes that do not fit',
  bytesOf: 'takes a type of a tensor',
  formatType: 'takes a type of a tensor',
  sameShape: 'takes shapes of tensors',
  sameType: 'takes types of tensors',
  sizeOf: 'takes a shape of a tensor',
  stridesOf: 'takes a shape of a tensor',
  valuesOf: 'takes a tensor',
}

it('refuses a device that the reference backend does not have', async () => {
  await expect(referenceBackend.create('gpu')).rejects.toThrow('gpu')
})

it('leaves no public function out', () => {
  const functions = Object.entries(core).filter(([, value]) => typeof value === 'function')
  const names = functions.map(([name]) => name as keyof typeof core)
  expect(names.filter((name) => !(name in wrong) && !(name in exempt))).toEqual([])
  expect(Object.keys(exempt).filter((name) => name in wrong)).toEqual([])
})
