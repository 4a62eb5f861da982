// tfjs:wasm: tf's WebAssembly kernels (XNNPACK), with threads if there can be any. Tensors live in the module's heap, which
// JavaScript sees too: ops for which tf's kernels are slow or wrong are computed on that heap, or by other kernels.
import { platform } from '#platform'
import { sameShape, sizeOf, type OpName, type TensorType } from '@embed-kd/core'
import { getThreadsCount, version_wasm, type BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import {
  engine,
  env,
  findBackend,
  findBackendFactory,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core'
import {
  announceSpread,
  matmulWith,
  emitters,
  multipliesRows,
  spread,
  type Broadcast,
  type Product,
  type Emitter,
  type Application,
} from '../emitters.js'
import type { OpenedWasm } from '../platform/platform.js'
import type { HostValues } from '../workspace.js'
import { onThisThread, type Device } from './device.js'
import { Unavailable } from '../unavailable.js'
import {
  announceSwaps,
  broadcastOnHost,
  elementwiseOnHost,
  hostMemoryEmitters,
  swapLastTwo,
  type View,
} from './host-memory.js'

export async function probe(): Promise<undefined> {
  if (!('WebAssembly' in globalThis))
    throw new Unavailable('this JavaScript runtime has no WebAssembly', 'use tfjs:cpu')
}

let heap: Promise<BackendWasm> | undefined

/** The backend that this file opened; undefined if the program, or tf's own way, opened it. */
let opened: OpenedWasm | undefined

/**
 * Replaces tf's way of opening its backend, unless the program has opened the backend already. tf's way stays the fall-back,
 * without threads: in a minified bundle its workers never answer, and it waits for them for ever.
 */
function replaceOpening(): void {
  const openTfs = findBackendFactory('wasm')
  if (!openTfs || 'wasm' in engine().registry) return
  removeBackend('wasm')
  registerBackend('wasm', async () => {
    try {
      opened = await platform.openWasm()
      return opened.tf
    } catch {
      env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
      return openTfs()
    }
  })
}

/**
 * tf's kernels are bound once per process to the module they were last set up with, so there is one module, and all
 * devices share its heap. setBackend is how tf makes and binds it; which backend is current does not matter to us.
 */
async function openHeap(): Promise<BackendWasm> {
  replaceOpening()
  if (!(await setBackend('wasm')))
    throw new Unavailable(
      'tfjs:wasm: tf could not load its WebAssembly module',
      'bundle the page with Vite or webpack, which find the .wasm files by themselves; otherwise serve the files and name their ' +
        "folder with setWasmPaths of '@tensorflow/tfjs-backend-wasm'",
    )
  const tf = findBackend('wasm') as BackendWasm
  // If the heap is full, tf continues at address 0 and overwrites what is there.
  const move = tf.move.bind(tf)
  tf.move = (dataId, values, shape, dtype, references) => {
    move(dataId, null!, shape, dtype, references)
    if (tf.getMemoryOffset(dataId) === 0 && sizeOf(shape) > 0) {
      tf.disposeData(dataId, true)
      throw new Error(
        'tfjs:wasm: out of memory, a WebAssembly module has 4 GiB at most; take a smaller batch, or another device',
      )
    }
    if (values) tf.typedArrayFromHeap({ dataId, shape, dtype }).set(values as HostValues)
  }
  return tf
}

/** The module with the members that Emscripten gives it, whose types tf takes from a package that is not installed. */
const emscripten = ({ wasm }: BackendWasm) =>
  wasm as typeof wasm & {
    readonly HEAPU8: Uint8Array
    cwrap(name: string, returns: null, takes: readonly 'number'[]): (...args: number[]) => void
  }

export async function open(): Promise<Device> {
  const tf = await (heap ??= openHeap())
  const view: View = (x) => tf.typedArrayFromHeap(x) as HostValues
  const broadcast = broadcastOnHost(view)
  const aligned = alignedWith(broadcast)
  const product = matmulWith(byPlainMatrices(tf, view), broadcast)
  return {
    ...onThisThread(tf),
    tf,
    registry: 'wasm',
    emitters: {
      ...emitters,
      ...hostMemoryEmitters(view),
      matmul: (application, workspace) => {
        if (multiplications(application) >= WORTH_THREADS) opened?.start()
        announceSwaps(application)
        if (goesByMatrices(application)) application.temporary(SHAPES)
        return product(application, workspace)
      },
      transpose: (application, workspace) => {
        const [{ shape }] = application.inputs as [TensorType]
        const moved = application.attrs.permutation.filter((axis) => shape[axis] !== 1)
        // tf's kernel copies nothing if the order of the elements stays.
        if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) application.share(0)
        return emitters.transpose(application, workspace)
      },
      // tf's own takes every element for four bytes, and writes past the end of booleans.
      select: elementwiseOnHost(view, (condition, a, b) => (condition ? a : b)),
      // tf's own lose a NaN in their second operand.
      maximum: elementwiseOnHost(view, Math.max),
      minimum: elementwiseOnHost(view, Math.min),
      equal: aligned('Equal'),
      less: aligned('Less'),
      lessEqual: aligned('LessEqual'),
      and: aligned('LogicalAnd'),
      or: aligned('LogicalOr'),
    },
    capabilities: {
      precision: { arithmetic: 2 ** -23, transcendental: 5e-7 },
      deterministic: true,
      hostMemory: true,
      reusesDonated: true,
      denormals: true,
      excuses: [],
    },
    plansMemory: true,
    versions: {
      '@tensorflow/tfjs-backend-wasm': version_wasm,
      threads: `up to ${opened?.threads ?? getThreadsCount()}`,
    },
    reservedBytes: () => emscripten(tf).HEAPU8.length,
    dispose: () => undefined,
  }
}

/** Emitter for kernels that repeat the smaller operand: they are right only if its shape is the end of the result's shape. */
const alignedWith =
  (broadcast: Broadcast) =>
  (kernel: string): Emitter<OpName> =>
  ({ inputs, outputs, temporary }, tf) => {
    const { shape } = outputs[0]!
    const direct = inputs.every(
      (type) => sizeOf(type.shape) === 1 || sameShape(type.shape, shape.slice(-type.shape.length)),
    )
    if (!direct) announceSpread(inputs, shape, temporary)
    return (operands) => {
      const [a, b] = direct ? operands : spread(operands, shape, tf, broadcast)
      return tf.run(kernel, { a: a!, b: b! })
    }
  }

/**
 * Multiplications of a product, about a millisecond of one thread's work, from which on threads pay. They meet after every
 * operation. For a graph of small products, meeting costs what threads save, and many times more if cores are busy.
 */
const WORTH_THREADS = 2 ** 24
const multiplications = ({ attrs, inputs: [a], outputs: [y] }: Application<'matmul'>) =>
  sizeOf(y!.shape) * a!.shape.at(attrs.transposeA ? -2 : -1)!

/** Ids under which parts of tensors are known to the module while they are multiplied; tf counts its own from 1. */
const [LEFT, RIGHT, RESULT] = [2 ** 31, 2 ** 31 + 1, 2 ** 31 + 2]

/** Shapes of the operands of a product, as tf's module reads them. */
const SHAPES = { dtype: 'int32', shape: [6] } as const

/** Multiplications that take XNNPACK and tf's own loop as long, with what a call costs: below, stacks stay stacks. */
const WORTH_A_CALL = 16_384
const goesByMatrices = (application: Application<'matmul'>): boolean => {
  const batch = application.outputs[0]!.shape.slice(0, -2)
  return (
    batch.length > 0 &&
    !multipliesRows(application) &&
    multiplications(application) / sizeOf(batch) >= WORTH_A_CALL
  )
}

/**
 * Multiplies with XNNPACK, which tf uses for plain matrices only: tf takes 10 to 40 times longer if an operand is to be transposed,
 * and 5 times longer for a stack of large matrices. So operands are transposed first, and such stacks are multiplied matrix by
 * matrix in place.
 */
const byPlainMatrices = (heap: BackendWasm, view: View): Product => {
  const swap = swapLastTwo(view)
  const { tfjs, cwrap } = emscripten(heap)
  const multiply = cwrap('BatchMatMul', null, Array<'number'>(9).fill('number'))
  return (a, b, { transposeA, transposeB }, tf) => {
    const left = transposeA ? swap(a, tf) : a
    const right = transposeB ? swap(b, tf) : b
    const attrs = { transposeA: false, transposeB: false }
    const [count, m, k] = left.shape as [number, number, number]
    const n = right.shape[2]
    if (n === undefined || m * k * n < WORTH_A_CALL)
      return tf.run('BatchMatMul', { a: left, b: right }, attrs)

    const result = tf.make('float32', [count, m, n])
    const shapes = tf.make(SHAPES.dtype, SHAPES.shape, Int32Array.of(1, m, k, 1, k, n))
    const [p, q, y, shape] = [left, right, result, shapes].map((x) =>
      heap.getMemoryOffset(x.dataId),
    ) as [number, number, number, number]
    for (let i = 0; i < count; i++) {
      tfjs.registerTensor(LEFT, m * k, p + 4 * i * m * k)
      tfjs.registerTensor(RIGHT, k * n, q + 4 * i * k * n)
      tfjs.registerTensor(RESULT, m * n, y + 4 * i * m * n)
      multiply(LEFT, shape, 3, RIGHT, shape + 12, 3, 0, 0, RESULT)
      for (const id of [LEFT, RIGHT, RESULT]) tfjs.disposeData(id)
    }
    return result
  }
}
