// Reference kernels of reductions and of matrix products.
import { broadcastShapes, sizeOf, type Shape } from '../tensor/tensor.js'
import type { Kernels } from './kernel.js'
import { allocate, broadcast, permute, type ReferenceTensor } from './tensor.js'

/** Returns the elements arranged so that the vectors along `axes` are contiguous, in row-major order of the other axes. */
function vectors({ data, shape }: ReferenceTensor, axes: readonly number[]) {
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
  const count = sizeOf(kept.map((axis) => shape[axis]!))
  const length = sizeOf(axes.map((axis) => shape[axis]!))
  return { data: permute(data, shape, [...kept, ...axes]), count, length }
}

/** Returns the index of the first maximum in [start, start + length). NaN counts as greater than any number. */
function indexOfMax(data: ReferenceTensor['data'], start: number, length: number): number {
  let best = start
  for (let i = start; i < start + length; i++) {
    if (Number.isNaN(data[i])) return i
    if (data[i]! > data[best]!) best = i
  }
  return best
}

export const reductions: Kernels<'sum' | 'max' | 'argmax' | 'matmul'> = {
  sum: ([x], { axes }) => {
    const { data, count, length } = vectors(x!, axes)
    const y = allocate('float32', count)
    for (let row = 0; row < count; row++) {
      let sum = 0
      for (let i = row * length; i < (row + 1) * length; i++) sum += data[i]!
      y[row] = sum
    }
    return [y]
  },
  max: ([x], { axes }) => {
    const { data, count, length } = vectors(x!, axes)
    const y = allocate('float32', count)
    for (let row = 0; row < count; row++) y[row] = data[indexOfMax(data, row * length, length)]!
    return [y]
  },
  argmax: ([x], { axis }) => {
    const { data, count, length } = vectors(x!, [axis])
    const y = allocate('int32', count)
    for (let row = 0; row < count; row++)
      y[row] = indexOfMax(data, row * length, length) - row * length
    return [y]
  },
  matmul: ([a, b], { transposeA, transposeB }, [output]) => {
    const [m, n] = output!.shape.slice(-2) as [number, number]
    const k = a!.shape.at(transposeA ? -2 : -1)!
    const [aBatch, bBatch] = [a!.shape.slice(0, -2), b!.shape.slice(0, -2)]
    const batch = broadcastShapes(aBatch, bBatch)!
    const aOf = matrixOf(aBatch, batch)
    const bOf = matrixOf(bBatch, batch)
    const y = allocate('float32', sizeOf(output!.shape))
    const [aRow, aColumn] = transposeA ? [1, m] : [k, 1]
    const [bRow, bColumn] = transposeB ? [1, k] : [n, 1]
    for (let matrix = 0; matrix < aOf.length; matrix++)
      for (let i = 0; i < m; i++) {
        const row = (matrix * m + i) * n
        for (let p = 0; p < k; p++) {
          const left = a!.data[aOf[matrix]! * m * k + i * aRow + p * aColumn]!
          const right = bOf[matrix]! * k * n + p * bRow
          for (let j = 0; j < n; j++) y[row + j]! += left * b!.data[right + j * bColumn]!
        }
      }
    return [y]
  },
}

/** Returns, for each matrix of the broadcast batch, the index of the operand's matrix. `own` are the operand's batch axes. */
const matrixOf = (own: Shape, batch: Shape): Int32Array =>
  broadcast(
    Int32Array.from({ length: sizeOf(own) }, (_, i) => i),
    own,
    batch,
  )
