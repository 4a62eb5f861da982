// Translates the ops of a graph to ONNX operators, with one emitter for each op that reaches ONNX Runtime. Emitters for
// single devices are in devices/; the reference backend in core defines the meaning of each op.
import {
  hasTrait,
  sizeOf,
  type Graph,
  type Node,
  type OpName,
  type TensorType,
} from '@embed-kd/core'
import type { Emitter, Emitters } from './emitter.js'
import type { Factors } from './factors.js'
import { OnnxFloat, type ModelBuilder } from './model.js'
import { emitBernoulli, emitRandomUniform } from './random.js'

/** Emits the ONNX operator of the given name, without attributes. */
const as =
  (op: string): Emitter =>
  (model, { inputs, outputs }) => {
    model.add(op, inputs, {}, outputs)
  }

/** Emits `select`. Some devices have neither Where of booleans nor Or, so booleans are selected with And and Not. */
const select: Emitter = (model, { inputs, inputTypes, outputs }) => {
  const [condition, a, b] = inputs as [string, string, string]
  if (inputTypes[1]!.dtype !== 'bool') {
    model.add('Where', inputs, {}, outputs)
    return
  }
  const notYes = model.add('Not', [model.add('And', [condition, a])])
  const notNo = model.add('Not', [model.add('And', [model.add('Not', [condition]), b])])
  model.add('Not', [model.add('And', [notYes, notNo])], {}, outputs)
}

const reshapeTo = (
  model: ModelBuilder,
  x: string,
  shape: readonly number[],
  outputs?: readonly string[],
) => model.add('Reshape', [x, model.shape(shape)], { allowzero: 1 }, outputs)

/** Copies a tensor: unlike Identity, Reshape takes every type on every device. */
const copy: Emitter = (model, { inputs, outputs, outputTypes }) => {
  reshapeTo(model, inputs[0]!, outputTypes[0]!.shape, outputs)
}

type Reduction = Emitter<'sum' | 'max' | 'mean'>

/** Emits a reduction. Without axes, ONNX would reduce over all of them, but here the result is the tensor itself. */
const reduce =
  (op: 'ReduceSum' | 'ReduceMax' | 'ReduceMean'): Reduction =>
  (model, application) => {
    const { inputs, outputs, attrs } = application
    if (attrs.axes.length === 0) copy(model, application)
    else
      model.add(
        op,
        [inputs[0]!, model.indices(attrs.axes)],
        { keepdims: Number(attrs.keepDims) },
        outputs,
      )
  }

/** Adds a sum that is NaN if any element is NaN, else 0: ReduceMax alone skips every NaN but a first one. */
const max: Reduction = (model, application) => {
  const { inputs, inputTypes, outputs } = application
  const [x] = inputs as [string]
  const [zero, nan] = [0, Number.NaN].map((value) => model.scalar(inputTypes[0]!.dtype, value))
  const traces = model.add('Where', [model.add('Equal', [x, x]), zero!, nan!])
  const [greatest, trace] = [model.fresh(), model.fresh()]
  reduce('ReduceMax')(model, { ...application, outputs: [greatest] })
  reduce('ReduceSum')(model, { ...application, inputs: [traces], outputs: [trace] })
  model.add('Add', [greatest, trace], {}, outputs)
}

interface Layout {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** General product of two matrices: factors.product · a · b + factors.bias · bias, with either operand transposed. */
const gemm = (
  model: ModelBuilder,
  operands: readonly string[],
  { transposeA, transposeB }: Layout,
  { product, bias }: Factors,
  outputs?: readonly string[],
) =>
  model.add(
    'Gemm',
    operands,
    {
      transA: Number(transposeA),
      transB: Number(transposeB),
      alpha: new OnnxFloat(product),
      beta: new OnnxFloat(bias),
    },
    outputs,
  )

/** Returns whether a node multiplies two matrices, not stacks of matrices. Here such nodes become Gemm, which takes a factor. */
export const isMatrixProduct = (node: Node, graph: Graph): boolean =>
  node.op === 'linear' ||
  (node.op === 'matmul' && node.inputs.every((value) => graph.types[value]!.shape.length === 2))

/** Emits Gemm for two matrices, and what the device takes for stacks of matrices. */
const matmul =
  (stacks: Emitter<'matmul'>): Emitter<'matmul'> =>
  (model, application) => {
    const { inputs, inputTypes, outputs, attrs, factors } = application
    if (inputTypes.every(({ shape }) => shape.length === 2))
      gemm(model, inputs, attrs, factors, outputs)
    else stacks(model, application)
  }

/** Emits `matmul` for devices whose MatMul takes no factor and cannot transpose: Transpose operators come first. */
export const matmulAfterTranspose: Emitter<'matmul'> = matmul(
  (model, { inputs, inputTypes, outputs, attrs }) => {
    const transposed = [attrs.transposeA, attrs.transposeB]
    const operands = inputs.map((input, i) => {
      if (!transposed[i]) return input
      const axes = inputTypes[i]!.shape.map((_, axis) => axis)
      return model.add('Transpose', [input], {
        perm: [...axes.slice(0, -2), ...axes.slice(-2).reverse()],
      })
    })
    model.add('MatMul', operands, {}, outputs)
  },
)

/** Emits `matmul` for devices with ONNX Runtime's FusedMatMul, which transposes and scales stacks of matrices itself. */
export const matmulFused: Emitter<'matmul'> = matmul(
  (model, { inputs, outputs, attrs, factors }) => {
    const { transposeA, transposeB } = attrs
    model.add(
      'com.microsoft.FusedMatMul',
      inputs,
      {
        transA: Number(transposeA),
        transB: Number(transposeB),
        alpha: new OnnxFloat(factors.product),
      },
      outputs,
    )
  },
)

/** Reshapes [..., n] to [rows, n]. */
export const asMatrix = (model: ModelBuilder, x: string, { shape }: TensorType): string =>
  shape.length === 2 ? x : reshapeTo(model, x, [sizeOf(shape.slice(0, -1)), shape.at(-1)!])

export const emitters: Emitters = {
  constant: (model, { attrs: { value }, outputs }) => {
    reshapeTo(model, model.tensor(value.dtype, value.shape, value.data), value.shape, outputs)
  },
  iota: (model, { attrs: { size }, outputs }) => {
    const values = Int32Array.from({ length: size }, (_, i) => i)
    reshapeTo(model, model.tensor('int32', [size], values), [size], outputs)
  },
  randomUniform: emitRandomUniform,
  bernoulli: emitBernoulli,

  neg: as('Neg'),
  exp: as('Exp'),
  log: as('Log'),
  sqrt: as('Sqrt'),
  rsqrt: (model, { inputs, outputs }) => {
    model.add('Reciprocal', [model.add('Sqrt', inputs)], {}, outputs)
  },
  tanh: as('Tanh'),
  sigmoid: as('Sigmoid'),
  erf: as('Erf'),
  sin: as('Sin'),
  cos: as('Cos'),
  add: as('Add'),
  sub: as('Sub'),
  mul: as('Mul'),
  div: as('Div'),
  maximum: as('Max'),
  minimum: as('Min'),
  equal: as('Equal'),
  less: as('Less'),
  lessEqual: as('LessOrEqual'),
  and: as('And'),
  or: as('Or'),
  not: as('Not'),
  select,
  cast: (model, { inputs, outputTypes, outputs }) => {
    model.cast(inputs[0]!, outputTypes[0]!.dtype, outputs)
  },

  reshape: (model, { inputs, outputs, attrs: { shape } }) => {
    reshapeTo(model, inputs[0]!, shape, outputs)
  },
  transpose: (model, { inputs, outputs, attrs: { permutation } }) => {
    model.add('Transpose', inputs, { perm: permutation }, outputs)
  },
  broadcastTo: (model, { inputs, outputs, attrs: { shape } }) => {
    model.add('Expand', [inputs[0]!, model.shape(shape)], {}, outputs)
  },
  slice: (model, application) => {
    const { inputs, inputTypes, outputs, attrs } = application
    const { starts, sizes } = attrs
    const axes = inputTypes[0]!.shape.flatMap((n, axis) => (n === sizes[axis] ? [] : [axis]))
    const begins = axes.map((axis) => starts[axis]!)
    const ends = axes.map((axis) => starts[axis]! + sizes[axis]!)
    // Slice refuses scalars.
    if (axes.length === 0) copy(model, application)
    else
      model.add(
        'Slice',
        [inputs[0]!, ...[begins, ends, axes].map((values) => model.indices(values))],
        {},
        outputs,
      )
  },
  pad: (model, application) => {
    const { inputs, outputs, attrs } = application
    const { low, high } = attrs
    // Pad refuses scalars.
    if (low.length === 0) copy(model, application)
    else model.add('Pad', [inputs[0]!, model.indices([...low, ...high])], {}, outputs)
  },
  concat: (model, { inputs, outputs, attrs: { axis } }) => {
    model.add('Concat', inputs, { axis }, outputs)
  },
  split: (model, { inputs, outputs, attrs: { axis, sizes } }) => {
    const parts = outputs.map((name) => name || model.fresh())
    model.add('Split', [inputs[0]!, model.indices(sizes)], { axis }, parts)
  },

  sum: reduce('ReduceSum'),
  mean: reduce('ReduceMean'),
  max,
  argmax: (model, { inputs, outputs, attrs: { axis } }) => {
    model.cast(model.add('ArgMax', inputs, { axis, keepdims: 0 }), 'int32', outputs)
  },
  matmul: matmulAfterTranspose,

  softmax: (model, { inputs, outputs, attrs: { axis } }) => {
    model.add('Softmax', inputs, { axis }, outputs)
  },
  logSoftmax: (model, { inputs, outputs, attrs: { axis } }) => {
    model.add('LogSoftmax', inputs, { axis }, outputs)
  },
  layerNorm: (model, { inputs, outputs, attrs: { epsilon } }) => {
    model.add('LayerNormalization', inputs, { axis: -1, epsilon: new OnnxFloat(epsilon) }, outputs)
  },
  gelu: (model, { inputs, outputs, attrs: { approximate } }) => {
    model.add('Gelu', inputs, { approximate }, outputs)
  },
  quickGelu: (model, { inputs, outputs }) => {
    model.add('com.microsoft.QuickGelu', inputs, { alpha: new OnnxFloat(1.702) }, outputs)
  },
  linear: (model, { inputs, inputTypes, outputs, outputTypes, factors }) => {
    const [x, ...rest] = inputs as [string, ...string[]]
    const { shape } = outputTypes[0]!
    const operands = [asMatrix(model, x, inputTypes[0]!), ...rest]
    const layout = { transposeA: false, transposeB: true }
    if (shape.length === 2) gemm(model, operands, layout, factors, outputs)
    else reshapeTo(model, gemm(model, operands, layout, factors), shape, outputs)
  },
}

const isHalf = ({ dtype }: TensorType) => dtype === 'float16'
const wide = (types: readonly TensorType[]) =>
  types.map((type): TensorType => (isHalf(type) ? { ...type, dtype: 'float32' } : type))

/** Wraps an emitter so that a float16 op is computed in float32: operands are cast up, and only the result is rounded. */
export const widened =
  <K extends OpName>(emit: Emitter<K>): Emitter<K> =>
  (model, application) => {
    const { inputs, inputTypes, outputs, outputTypes } = application
    const made = outputs.map((name, i) => (name && isHalf(outputTypes[i]!) ? model.fresh() : name))
    emit(model, {
      ...application,
      inputs: inputs.map((name, i) =>
        isHalf(inputTypes[i]!) ? model.cast(name, 'float32') : name,
      ),
      inputTypes: wide(inputTypes),
      outputs: made,
      outputTypes: wide(outputTypes),
    })
    made.forEach((name, i) => {
      if (name !== outputs[i]) model.cast(name, 'float16', [outputs[i]!])
    })
  }

/**
 * Returns a table of emitters that compute float16 ops in float32, for execution providers with poor or no float16
 * arithmetic. Ops that only copy keep their emitters.
 */
export const widenedEmitters = (table: Emitters): Emitters =>
  Object.fromEntries(
    Object.entries(table).map(([op, emit]) => [
      op,
      hasTrait(op as OpName, 'copying') ? emit : widened(emit as Emitter),
    ]),
  ) as unknown as Emitters
