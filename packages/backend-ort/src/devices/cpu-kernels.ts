// ONNX Runtime's CPU kernels, native (cpu.ts) or in WebAssembly (wasm.ts): their capabilities and emitters. matmul, linear and sum
// are faster there than with the shared emitters in onnx/emitters.ts.
import { bytesOf, hasTrait, sizeOf, type Shape } from '@embed-kd/core'
import { type Emitter, nativeComposites } from '../onnx/emitter.js'
import { asMatrix, emitters, matmulFused, widenedEmitters } from '../onnx/emitters.js'
import { OnnxFloat } from '../onnx/model.js'
import { withoutOptimizers, type Device } from './device.js'

/**
 * Adds the bias in an operator of its own if that is cheaper: Gemm would copy a large bias with one thread, which is slow once
 * the copy leaves the cache, and needs a single row reshaped to a matrix and back.
 */
const linear: Emitter<'linear'> = (model, application) => {
  const { inputs, inputTypes, outputs, outputTypes, factors } = application
  const [x, weight, bias] = inputs as [string, string, string | undefined]
  const isRow = inputTypes[0]!.shape.length === 1
  if (bias === undefined || !(isRow || bytesOf(outputTypes[0]!) >= LARGE_BYTES)) {
    emitters.linear(model, application)
    return
  }
  const product = model.add('com.microsoft.FusedMatMul', isRow ? [weight, x] : [x, weight], {
    transB: Number(!isRow),
    alpha: new OnnxFloat(factors.product),
  })
  const scaled =
    factors.bias === 1 ? bias : model.add('Mul', [bias, model.scalar('float32', factors.bias)])
  model.add('Add', [product, scaled], {}, outputs)
}

/** About the second-level caches of two cores. */
const LARGE_BYTES = 8 * 2 ** 20

/**
 * Transposes the narrower operand of a product over many rows first, such as the gradient of a weight. The kernels would transpose
 * the left operand again for each block of columns.
 */
const matmul: Emitter<'matmul'> = (model, application) => {
  const { inputs, inputTypes, outputs, attrs, factors } = application
  const [a, b] = inputTypes.map(({ shape }) => shape) as [Shape, Shape]
  const isMatrix = a.length === 2 && b.length === 2
  if (!isMatrix || !attrs.transposeA || attrs.transposeB || a[0]! < MANY_ROWS) {
    matmulFused(model, application)
    return
  }
  const transpose = (x: string, outputs?: readonly string[]) =>
    model.add('Transpose', [x], { perm: [1, 0] }, outputs)
  const multiply = (left: string, right: string, outputs?: readonly string[]) => {
    const alpha = new OnnxFloat(factors.product)
    return model.add('com.microsoft.FusedMatMul', [transpose(left), right], { alpha }, outputs)
  }
  const [x, y] = inputs as [string, string]
  if (a[1]! > b[1]!) transpose(multiply(y, x), outputs)
  else multiply(x, y, outputs)
}

/** Number of rows from which the transpose of its own pays. */
const MANY_ROWS = 1024

/** Emits sums over all axes but the last as products with a row of ones, at twice the speed of ReduceSum. */
const sum: Emitter<'sum'> = (model, application) => {
  const { inputs, inputTypes, outputs, outputTypes, attrs } = application
  const { shape } = inputTypes[0]!
  const rows = sizeOf(shape.slice(0, -1))
  const isOverRows =
    rows > 1 && attrs.axes.length === shape.length - 1 && !attrs.axes.includes(shape.length - 1)
  if (!isOverRows || sizeOf(shape) < SHORT_SUM) {
    emitters.sum(model, application)
    return
  }
  const ones = model.small('float32', [rows], new Array<number>(rows).fill(1))
  const operands = [ones, asMatrix(model, inputs[0]!, inputTypes[0]!)]
  if (attrs.keepDims) {
    const shape = model.shape(outputTypes[0]!.shape)
    model.add('Reshape', [model.add('MatMul', operands), shape], { allowzero: 1 }, outputs)
  } else model.add('MatMul', operands, {}, outputs)
}

/** Number of elements below which ReduceSum is as fast. */
const SHORT_SUM = 2 ** 16

/** Session options of these kernels: the optimizer that is off would undo the transposes before long products. */
export const cpuOptions = withoutOptimizers('MatmulTransposeFusion')

export const cpuKernels = {
  capabilities: {
    composites: nativeComposites,
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    precision: { arithmetic: 6e-8, transcendental: 3e-7 },
    deterministic: true,
    reusesDonated: false,
    hostMemory: true,
    denormals: true,
  },
  // Widened, because the runtime would go from operator to operator in float32 by itself, without rounding in between.
  emitters: widenedEmitters({ ...emitters, matmul, linear, sum }),
  // Gemm and FusedMatMul have their alpha.
  absorbs: ({ op }) => hasTrait(op, 'product'),
} satisfies Pick<Device, 'capabilities' | 'emitters' | 'absorbs'>
