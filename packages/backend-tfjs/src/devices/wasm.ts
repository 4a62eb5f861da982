// tfjs:wasm: tf's WebAssembly kernels (XNNPACK), single-threaded in Node. Tensors live in the module's heap, where
// JavaScript sees them too: what tf's kernels do badly here is done on that heap, or asked for in another form.
import { sameShape, sizeOf, type OpName } from '@embed-kd/core'
import '@tensorflow/tfjs-backend-wasm'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { findBackend, setBackend } from '@tensorflow/tfjs-core'
import { matmulWith, rules, spread, type Broadcast, type Product, type Rule } from '../kernels.js'
import type { HostValues, TfTensor } from '../workspace.js'
import { onThisThread, Unavailable, type Device } from './device.js'
import { broadcastOnHost, elementwiseOnHost, hostMemoryRules, type View } from './host-memory.js'

export async function probe(): Promise<undefined> {
  if (!('WebAssembly' in globalThis))
    throw new Unavailable('this JavaScript runtime has no WebAssembly', 'use tfjs:cpu')
}

let heap: Promise<BackendWasm> | undefined

/**
 * tf's kernels are bound once per process to the module they were last set up with, so there is one module, and all
 * devices share its heap. setBackend is how tf makes and binds it; which backend is current does not matter to us.
 */
async function openHeap(): Promise<BackendWasm> {
  if (!(await setBackend('wasm')))
    throw new Unavailable(
      'tfjs:wasm: tf could not load its WebAssembly module',
      "in a browser, serve its .wasm files and name their folder with setWasmPaths of '@tensorflow/tfjs-backend-wasm'",
    )
  const tf = findBackend('wasm') as BackendWasm
  // Where the heap is full tf goes on at address 0, over whatever is there.
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

export async function open(): Promise<Device> {
  const tf = await (heap ??= openHeap())
  const view: View = (x) => tf.typedArrayFromHeap(x) as HostValues
  const broadcast = broadcastOnHost(view)
  const aligned = alignedWith(broadcast)
  return {
    ...onThisThread(tf),
    tf,
    registry: 'wasm',
    rules: {
      ...rules,
      ...hostMemoryRules(view),
      matmul: matmulWith(byPlainMatrices(view), broadcast),
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
    traits: {
      precision: { arithmetic: 2 ** -23, transcendental: 5e-7 },
      deterministic: true,
      reusesDonated: true,
      denormals: true,
      excuses: [],
    },
    versions: {},
    reservedBytes: () => (tf as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length,
    dispose: () => undefined,
  }
}

/** For kernels that take the smaller operand's elements in turns: right only where its shape ends the result's. */
const alignedWith =
  (broadcast: Broadcast) =>
  (kernel: string): Rule<OpName> =>
  ({ inputs, outputs }, tf) => {
    const { shape } = outputs[0]!
    const direct = inputs.every(
      (type) => sizeOf(type.shape) === 1 || sameShape(type.shape, shape.slice(-type.shape.length)),
    )
    return (operands) => {
      const [a, b] = direct ? operands : spread(operands, shape, tf, broadcast)
      return tf.run(kernel, { a: a!, b: b! })
    }
  }

/** Multiplications that take XNNPACK and tf's own loop as long, with what a call costs: below, stacks stay stacks. */
const WORTH_A_CALL = 16_384

/**
 * tf hands a product to XNNPACK only where it is one of plain matrices; it is 10 to 40 times slower where an operand is
 * to be transposed, and 5 times for a stack of large ones. So operands are transposed first, and such stacks go matrix by
 * matrix.
 */
const byPlainMatrices =
  (view: View): Product =>
  (a, b, { transposeA, transposeB }, tf) => {
    const swapped = (x: TfTensor, transpose: boolean): TfTensor => {
      if (!transpose) return x
      const perm = x.shape.length === 2 ? [1, 0] : [0, 2, 1]
      return tf.run('Transpose', { x }, { perm })
    }
    const [left, right] = [swapped(a, transposeA), swapped(b, transposeB)]
    const attrs = { transposeA: false, transposeB: false }
    const product = (a: TfTensor, b: TfTensor) => tf.run('BatchMatMul', { a, b }, attrs)
    if (left.shape.length === 2) return product(left, right)

    const [count, m, k] = left.shape as [number, number, number]
    const n = right.shape[2]!
    if (m * k * n < WORTH_A_CALL) return product(left, right)
    const result = tf.make('float32', [count, m, n])
    const part = (x: TfTensor, i: number, size: number) =>
      view(x).subarray(i * size, (i + 1) * size)
    for (let i = 0; i < count; i++)
      tf.scope(() => {
        const p = tf.make('float32', [m, k])
        const q = tf.make('float32', [k, n])
        view(p).set(part(left, i, m * k))
        view(q).set(part(right, i, k * n))
        const y = product(p, q)
        part(result, i, m * n).set(view(y))
        return []
      })
    return result
  }
