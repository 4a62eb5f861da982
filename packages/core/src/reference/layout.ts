// Reference kernels of ops that have no inputs, and of ops that only move elements.
import { sizeOf, stridesOf } from '../tensor/tensor.js'
import type { Kernels } from './kernel.js'
import { allocate, broadcast, gather, permute, scatter, widen } from './tensor.js'
import { uniform } from './threefry.js'

export const layout: Kernels<
  | 'constant'
  | 'iota'
  | 'randomUniform'
  | 'reshape'
  | 'transpose'
  | 'broadcastTo'
  | 'slice'
  | 'pad'
  | 'concat'
> = {
  constant: (_, { value }) => [widen(value).data],
  iota: (_, { size }) => [Int32Array.from({ length: size }, (_, i) => i)],
  // Element i is Threefry's draw for the key (seed, step) and the counter (stream, i).
  randomUniform: ([key], { shape, stream }) => {
    const [seed, step] = key!.data
    const y = allocate('float32', sizeOf(shape))
    for (let i = 0; i < y.length; i++) y[i] = uniform(seed!, step!, stream, i)
    return [y]
  },
  reshape: ([x]) => [x!.data],
  transpose: ([x], { permutation }) => [permute(x!.data, x!.shape, permutation)],
  broadcastTo: ([x], { shape }) => [broadcast(x!.data, x!.shape, shape)],
  slice: ([x], { starts, sizes }) => {
    const strides = stridesOf(x!.shape)
    const start = starts.reduce((sum, at, axis) => sum + at * strides[axis]!, 0)
    return [gather(x!.data, sizes, strides, start)]
  },
  pad: ([x], { low }, [output]) => {
    const y = allocate(output!.dtype, sizeOf(output!.shape))
    const strides = stridesOf(output!.shape)
    const start = low.reduce((sum, at, axis) => sum + at * strides[axis]!, 0)
    scatter(x!.data, y, x!.shape, strides, start)
    return [y]
  },
  concat: (inputs, { axis }, [output]) => {
    const y = allocate(output!.dtype, sizeOf(output!.shape))
    const strides = stridesOf(output!.shape)
    let start = 0
    for (const x of inputs) {
      scatter(x.data, y, x.shape, strides, start)
      start += x.shape[axis]! * strides[axis]!
    }
    return [y]
  },
}
