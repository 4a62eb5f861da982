// The WebGPU execution provider (Dawn: Vulkan, Direct3D 12, Metal). Tensors stay in GPU buffers between runs, and no operator may
// fall back to the CPU. This file replaces the operators that the provider lacks and moves tensors to and from the device.
import {
  isFloat,
  longestFloat16Sum,
  sizeOf,
  type DType,
  type Excuse,
  type HostTensor,
} from '@embed-kd/core'
import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { nativeComposites, type Application, type Emitter, type Emitters } from '../onnx/emitter.js'
import { emitters, isMatrixProduct, widened } from '../onnx/emitters.js'
import { ModelBuilder } from '../onnx/model.js'
import {
  commonOptions,
  withoutOptimizers,
  type Device,
  type Memory,
  type Ort,
  type Runtime,
} from './device.js'
import { cos, sin } from './sine.js'

const sessionOptions: InferenceSession.SessionOptions = {
  ...commonOptions,
  executionProviders: [
    {
      name: 'webgpu',
      // Buffers of exactly the sizes a step has, not of the next power of two.
      storageBufferCacheMode: 'simple',
      // With NHWC, transposes would move over casts, to types that cannot be transposed.
      preferredLayout: 'NCHW',
    },
  ],
  preferredOutputLocation: 'gpu-buffer',
  extra: {
    // The transpose optimizer moves transposes behind comparisons, but the provider cannot transpose booleans.
    ...withoutOptimizers('TransposeOptimizer').extra,
    session: { ...commonOptions.extra.session, disable_cpu_ep_fallback: '1' },
  },
}

/** Emits `or` with Not and And; the provider has no Or. */
const or: Emitter = (model, { inputs, outputs }) => {
  const neither = inputs.map((input) => model.add('Not', [input]))
  model.add('Not', [model.add('And', neither)], {}, outputs)
}

/** Gathers slices of integers and booleans, axis after axis; the provider slices floats only. */
const slice: Emitter<'slice'> = (model, application) => {
  const { inputs, inputTypes, outputs, attrs } = application
  const { dtype, shape } = inputTypes[0]!
  const axes = shape.flatMap((n, axis) => (n === attrs.sizes[axis] ? [] : [axis]))
  if (isFloat(dtype) || axes.length === 0) {
    emitters.slice(model, application)
    return
  }
  axes.reduce((x, axis, i) => {
    const picked = Array.from({ length: attrs.sizes[axis]! }, (_, k) => attrs.starts[axis]! + k)
    const last = i === axes.length - 1
    return model.add('Gather', [x, model.indices(picked)], { axis }, last ? outputs : undefined)
  }, inputs[0]!)
}

/** Casts booleans to numbers and back, for operators that take no booleans. */
const asNumbers =
  <K extends 'transpose' | 'concat'>(name: K): Emitter<K> =>
  (model, application) => {
    const emit = emitters[name] as Emitter<K>
    if (application.outputTypes[0]!.dtype !== 'bool') {
      emit(model, application)
      return
    }
    const inputs = application.inputs.map((input) => model.cast(input, 'int32'))
    const numbers = model.fresh()
    emit(model, { ...application, inputs, outputs: [numbers] })
    model.cast(numbers, 'bool', application.outputs)
  }

/** Finds the first position of the maximum by comparisons; the provider has no ArgMax. */
const argmax: Emitter<'argmax'> = (model, { inputs, inputTypes, outputs, attrs: { axis } }) => {
  const [x] = inputs as [string]
  const { shape } = inputTypes[0]!
  const n = shape[axis]!
  const axes = model.indices([axis])
  const greatest = model.add('ReduceMax', [x, axes], { keepdims: 1 })
  const positions = model.small(
    'float32',
    shape.slice(axis).map((_, i) => (i === 0 ? n : 1)),
    Array.from({ length: n }, (_, i) => i),
  )
  const elsewhere = model.scalar('float32', n)
  const hits = model.add('Where', [model.add('Equal', [x, greatest]), positions, elsewhere])
  const first = model.add('ReduceMin', [hits, axes], { keepdims: 0 })
  model.cast(first, 'int32', outputs)
}

/**
 * Subtracts the first element of each row before the operator: its variance is E x² - (E x)², which cancels if the mean is large,
 * and the first element is then close to the mean.
 */
const layerNorm: Emitter<'layerNorm'> = (model, application) => {
  const { inputs, inputTypes, outputs } = application
  const [x, ...rest] = inputs as [string, string, string]
  const [y, mean, invStd] = outputs as [string, string, string]
  const axis = inputTypes[0]!.shape.length - 1
  const range = [[0], [1], [axis]].map((values) => model.indices(values))
  const first = model.add('Slice', [x, ...range])
  const shifted = model.add('Sub', [x, first])
  const shiftedMean = mean && model.fresh()
  emitters.layerNorm(model, {
    ...application,
    inputs: [shifted, ...rest],
    outputs: [y, shiftedMean, invStd],
  })
  if (mean) model.add('Add', [shiftedMean, first], {}, [mean])
}

/** Copies a tensor; Identity takes no booleans. */
const same = (model: ModelBuilder, dtype: DType, x: string, outputs: readonly string[]) =>
  dtype === 'bool' ? model.add('And', [x, x], {}, outputs) : model.add('Identity', [x], {}, outputs)

/** Computes long sums in float32; the provider's operators add float16 up in float16. */
const addedUp =
  <K extends 'sum' | 'matmul' | 'linear'>(
    name: K,
    terms: (application: Application<K>) => number,
  ): Emitter<K> =>
  (model, application) => {
    const emit = emitters[name] as Emitter<K>
    if (terms(application) > longestFloat16Sum) widened(emit)(model, application)
    else emit(model, application)
  }

const webgpuEmitters: Emitters = {
  ...emitters,
  or,
  sin: widened(sin),
  cos: widened(cos),
  slice,
  layerNorm,
  transpose: asNumbers('transpose'),
  concat: asNumbers('concat'),
  argmax: widened(argmax),
  sum: addedUp('sum', ({ inputTypes, attrs }) =>
    sizeOf(attrs.axes.map((axis) => inputTypes[0]!.shape[axis]!)),
  ),
  matmul: addedUp('matmul', ({ inputTypes, attrs }) =>
    inputTypes[0]!.shape.at(attrs.transposeA ? -2 : -1)!,
  ),
  linear: addedUp('linear', ({ inputTypes }) => inputTypes[0]!.shape.at(-1)!),
}

/** Dtypes that every GPU has; float16 needs the feature shader-f16. */
const dtypes: readonly DType[] = ['float32', 'int32', 'bool']

/**
 * Returns the device on a runtime.
 * @param remedy advice for when there is no adapter.
 */
export const webgpuOn = (runtime: Runtime, remedy: string): Device => ({
  name: 'webgpu',
  runtime,
  capabilities: {
    // LogSoftmax would run on the CPU. Split binds a buffer for each part, of which there may be more than a shader can have.
    composites: nativeComposites.filter((name) => name !== 'logSoftmax' && name !== 'split'),
    dtypes,
    precision: { arithmetic: 6e-8, transcendental: 2e-6 },
    deterministic: true,
    reusesDonated: false,
    hostMemory: false,
    denormals: false,
  },
  emitters: webgpuEmitters,
  absorbs: isMatrixProduct,
  sessionOptions,
  writesOver: false,
  async probe(ort) {
    try {
      const memory = await open(ort)
      await memory.close()
      return { available: true }
    } catch (error) {
      return {
        available: false,
        reason: causeOf(error as Error),
        remedy,
      }
    }
  },
  open,
})

/** Returns the runtime's message without the source line that raised it. */
const causeOf = ({ message }: Error) => message.replace(/^.* was false\. /s, '').trim()

/** Copies go through sessions of one operator; reading a GPU tensor any other way ends the process. */
async function open(ort: Ort): Promise<Memory> {
  const sessions = new Map<string, Promise<InferenceSession>>()
  const run = async (
    key: string,
    to: 'cpu' | 'gpu-buffer',
    tensor: Tensor,
    emit: (model: ModelBuilder) => void,
  ): Promise<Tensor> => {
    let session = sessions.get(`${key} to ${to}`)
    if (!session) {
      const dtype = tensor.type as DType
      const model = new ModelBuilder(key)
      model.input('x', { dtype })
      model.output('y', { dtype })
      emit(model)
      const options = { ...sessionOptions, preferredOutputLocation: to }
      session = ort.InferenceSession.create(model.encode(), options)
      sessions.set(`${key} to ${to}`, session)
    }
    const { y } = await (await session).run({ x: tensor })
    return y!
  }
  const copy = (tensor: Tensor, to: 'cpu' | 'gpu-buffer') =>
    run(`copy ${tensor.type}`, to, tensor, (model) => same(model, tensor.type as DType, 'x', ['y']))
  const upload = ({ dtype, shape, data }: HostTensor) =>
    copy(new ort.Tensor(dtype, data, shape), 'gpu-buffer')
  const download = async (tensor: Tensor) => (await copy(tensor, 'cpu')).data as HostTensor['data']

  const nan = new ort.Tensor('float32', new Float32Array([Number.NaN]), [1])
  /** Computes in float16: a device without shader-f16 refuses only then. */
  const hasFloat16 = () =>
    run('float16', 'cpu', nan, (model) =>
      model.cast(model.cast('x', 'float16'), 'float32', ['y']),
    ).then(
      () => true,
      () => false,
    )
  const excuses: Excuse[] = []
  for (const [operator, cases] of Object.entries(casesOfNaN)) {
    const through = await run(operator, 'cpu', nan, (model) =>
      model.add(operator, ['x'], {}, ['y']),
    )
    if (Number.isNaN((through.data as Float32Array)[0])) continue
    const reason = `${operator} of this GPU does not pass NaN on; WGSL lets it assume that there is none`
    excuses.push(...cases.map((name) => ({ case: name, reason })))
  }
  return {
    capabilities: { excuses, ...((await hasFloat16()) && { dtypes: [...dtypes, 'float16'] }) },
    upload,
    download,
    free: (tensor) => tensor.dispose(),
    // The queue is in order: once a tensor that was uploaded now comes back, everything before it has run.
    async synchronize() {
      const marker = await upload({ dtype: 'float32', shape: [1], data: new Float32Array(1) })
      await download(marker)
      marker.dispose()
    },
    async close() {
      for (const session of sessions.values()) await (await session).release()
      sessions.clear()
    },
  }
}

/** Conformance cases that fail if an operator does not pass NaN on. */
const casesOfNaN = {
  Exp: [
    'special/exp',
    'composite/softmax/broken rows, decomposed',
    'composite/logSoftmax/broken rows',
  ],
  Log: ['special/log'],
  Sigmoid: ['special/sigmoid'],
  Softmax: ['composite/softmax/broken rows'],
}
