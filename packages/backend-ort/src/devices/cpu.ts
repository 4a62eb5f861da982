// ONNX Runtime's CPU execution provider: its capabilities, and emitters for matmul, linear and sum that are faster on a
// CPU than the shared emitters in onnx/emitters.ts.
import { bytesOf, hasTrait, sizeOf } from '@embed-kd/core'
import { nativeComposites, type Emitter } from '../onnx/emitter.js'
import { asMatrix, emitters, matmulFused, widenedEmitters } from '../onnx/emitters.js'
import { OnnxFloat } from '../onnx/model.js'
import { commonOptions, type Device } from './device.js'
import { hostMemory } from './host-memory.js'

/** Adds a large bias in a pass of its own: Gemm copies the bias with one thread, which is slow once the copy leaves the cache. */
const linear: Emitter<'linear'> = (model, application) => {
  const { inputs, outputs, outputTypes, factors } = application
  const [x, weight, bias] = inputs as [string, string, string | undefined]
  if (bias === undefined || bytesOf(outputTypes[0]!) < LARGE_BYTES) {
    emitters.linear(model, application)
    return
  }
  const product = model.add('com.microsoft.FusedMatMul', [x, weight], {
    transB: 1,
    alpha: new OnnxFloat(factors.product),
  })
  const scaled =
    factors.bias === 1 ? bias : model.add('Mul', [bias, model.scalar('float32', factors.bias)])
  model.add('Add', [product, scaled], {}, outputs)
}

/** About the second-level caches of two cores. */
const LARGE_BYTES = 8 * 2 ** 20

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
  const ones = model.small('float32', [1, rows], new Array<number>(rows).fill(1))
  const total = model.add('Gemm', [ones, asMatrix(model, inputs[0]!, inputTypes[0]!)])
  model.add('Reshape', [total, model.indices(outputTypes[0]!.shape)], { allowzero: 1 }, outputs)
}

/** Number of elements below which the extra Reshape costs what the product saves. */
const SHORT_SUM = 2 ** 16

export const cpu: Device = {
  name: 'cpu',
  capabilities: {
    composites: nativeComposites,
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    precision: { arithmetic: 6e-8, transcendental: 3e-7 },
    deterministic: true,
    reusesDonated: false,
    hostMemory: true,
    denormals: true,
  },
  // The runtime would go from operator to operator in float32, and not round in between.
  emitters: widenedEmitters({ ...emitters, matmul: matmulFused, linear, sum }),
  // Gemm and FusedMatMul have their alpha.
  absorbs: ({ op }) => hasTrait(op, 'product'),
  sessionOptions: { ...commonOptions, executionProviders: ['cpu'] },
  profiles: true,
  writesOver: true,
  probe: async () => ({ available: true }),
  open: async (ort) => hostMemory(ort),
}
