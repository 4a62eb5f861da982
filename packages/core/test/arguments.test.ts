// Every public function refuses wrong arguments: lengths, integers, ranges, names. A function that is exported without a wrong
// value in this table, or a reason why it has none, fails the last test.
import { describe, expect, it } from 'vitest'
import * as core from '../src/index.js'
import {
  CentroidBuilder,
  checkHostTensor,
  checkInputs,
  classCentroids,
  crossEntropy,
  evaluate,
  gradients,
  hostScalar,
  hostTensor,
  inDtype,
  inferTypes,
  learningRate,
  linearParameters,
  lower,
  normParameters,
  op,
  patches,
  planTogether,
  Random,
  referenceBackend,
  resize,
  resizePositions,
  spec,
  trace,
  undecayed,
  verify,
  weight,
} from '../src/index.js'
import { wrongConfigurations, type Wrong } from './wrong-configurations.js'

const embeddings = hostTensor('float32', [2, 1], [1, 2])
const square = (side: number) => ({ rows: side, columns: side })
const resized = (shape: readonly number[], to: ReturnType<typeof square>) =>
  resizePositions(hostTensor('float32', shape), square(2), to)
const builder = new CentroidBuilder(2, 2, 5)
/** Traces a function of float tensors of these shapes. */
const traced = (shapes: readonly number[][], body: (...x: core.Tensor[]) => core.Tensor) => {
  const specs = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, spec(shape)]))
  return trace('wrong', specs, (x) => ({ y: body(...Object.values<core.Tensor>(x)) }))
}
const negation = traced([[2]], op.neg)

const wrong: Partial<Record<keyof typeof core, Wrong>> = {
  ...wrongConfigurations,
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
