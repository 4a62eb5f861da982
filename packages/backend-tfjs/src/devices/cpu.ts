// tfjs:cpu: tf's plain JavaScript kernels. Slow, always available; tensors are typed arrays on the host.
import { hostTensor, sizeOf, type TensorType } from '@embed-kd/core'
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu'
import { exactIntegers, matmulWith, emitters, type Product } from '../emitters.js'
import type { HostValues, TfDType } from '../workspace.js'
import { onThisThread, type Device } from './device.js'
import {
  announceSwaps,
  broadcastOnHost,
  elementwiseOnHost,
  hostMemoryEmitters,
  swapLastTwo,
  type View,
} from './host-memory.js'

export const probe = async (): Promise<undefined> => undefined

export function open(): Promise<Device> {
  const tf = new MathBackendCPU()
  // tf would greet Node users on first use, on stderr, and send them to tfjs-node.
  Object.assign(tf, { firstUse: false })
  // A tensor made without values has no memory until something is to be written there.
  const view: View = ({ dataId, dtype, shape }) => {
    const stored = tf.data.get(dataId)
    stored.values ??= hostTensor(dtype as TfDType, shape).data
    return stored.values as HostValues
  }
  const product = matmulWith(byRows(view), broadcastOnHost(view))
  return Promise.resolve({
    ...onThisThread(tf),
    tf,
    registry: 'cpu',
    emitters: {
      ...emitters,
      ...hostMemoryEmitters(view),
      // tf's kernels take longer, several times if they broadcast; they multiply integers as float64.
      add: elementwiseOnHost(view, (a, b) => a + b),
      sub: elementwiseOnHost(view, (a, b) => a - b),
      mul: exactIntegers(
        elementwiseOnHost(view, (a, b) => a * b),
        elementwiseOnHost(view, Math.imul),
      ),
      cast: (application, tf) => {
        const [from, to] = [application.inputs[0]!.dtype, application.attrs.dtype]
        // tf shares data that the new type holds without loss.
        if (from === to || from === 'bool' || to === 'float32') application.share(0)
        return emitters.cast(application, tf)
      },
      // tf's kernel transposes into an array that is no tensor.
      max: (application, tf) => emitters.max({ ...application, temporary: () => undefined }, tf),
      argmax: (application, tf) => {
        const [{ shape }] = application.inputs as [TensorType]
        // tf's kernel frees what it transposed before it makes its output.
        const rest = sizeOf(shape) - sizeOf(application.outputs[0]!.shape)
        const temporary = () => application.temporary({ dtype: 'float32', shape: [rest] })
        return emitters.argmax({ ...application, temporary }, tf)
      },
      softmax: (application, tf) => {
        const { attrs, inputs, temporary } = application
        const { shape } = inputs[0]!
        const rows = shape.with(attrs.axis, 1)
        // tf's kernel keeps maxima, differences, exponentials and their sums to its end. If it is given a transposed operand,
        // what is transposed back takes the place of one of them.
        const kept =
          attrs.axis === shape.length - 1 ? [rows, shape, shape, rows] : [rows, shape, rows]
        for (const each of kept) temporary({ dtype: 'float32', shape: each })
        return emitters.softmax(application, tf)
      },
      matmul: (application, tf) => {
        announceSwaps(application)
        return product(application, tf)
      },
    },
    capabilities: {
      // Each result is rounded to float32 when it is stored; tf's erf is an approximation.
      precision: { arithmetic: 2 ** -23, transcendental: 5e-7 },
      deterministic: true,
      hostMemory: true,
      reusesDonated: true,
      denormals: true,
      excuses: [],
    },
    plansMemory: true,
    versions: {},
    dispose: () => undefined,
  })
}

/** Each row of the result is a sum of rows of `b`, taken four at a time, in float64. */
const byRows = (view: View): Product => {
  const swap = swapLastTwo(view)
  return (a, b, { transposeA, transposeB }, tf) => {
    const [left, right] = [transposeA ? swap(a, tf) : a, transposeB ? swap(b, tf) : b]
    const [rows, inner] = left.shape.slice(-2) as [number, number]
    const columns = right.shape.at(-1)!
    const result = tf.make('float32', [...left.shape.slice(0, -1), columns])
    const [p, q, y] = [view(left), view(right), view(result)]
    const sums = new Float64Array(columns)
    for (let row = 0; row * columns < y.length; row++) {
      const weights = row * inner
      let start = Math.floor(row / rows) * inner * columns
      sums.fill(0)
      let i = 0
      for (; i + 3 < inner; i += 4, start += 4 * columns) {
        const [w0, w1, w2, w3] = [
          p[weights + i]!,
          p[weights + i + 1]!,
          p[weights + i + 2]!,
          p[weights + i + 3]!,
        ]
        for (let j = 0; j < columns; j++)
          sums[j]! +=
            w0 * q[start + j]! +
            w1 * q[start + columns + j]! +
            w2 * q[start + 2 * columns + j]! +
            w3 * q[start + 3 * columns + j]!
      }
      for (; i < inner; i++, start += columns)
        for (let j = 0; j < columns; j++) sums[j]! += p[weights + i]! * q[start + j]!
      y.set(sums, row * columns)
    }
    return result
  }
}
