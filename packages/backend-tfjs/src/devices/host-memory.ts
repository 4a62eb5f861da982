// Emitters for devices whose tensors the host sees as typed arrays (cpu, wasm): loops over that memory, for ops whose tf kernels copy
// too much or are not exact. Plain arithmetic is faster in tf's SIMD kernels.
import { sizeOf, stridesOf, type OpName, type Shape } from '@embed-kd/core'
import {
  announceSpread,
  emitters,
  multipliesRows,
  spread,
  type Application,
  type Broadcast,
  type Emitter,
  type Emitters,
} from '../emitters.js'
import type { HostValues, TfTensor, Workspace } from '../workspace.js'
import { erf } from './erf.js'

/** The memory of a tensor. Valid until the next tensor is made: making one may move the heap. */
export type View = (x: TfTensor) => HostValues

/** Emitters that replace the shared ones if memory is visible. */
export const hostMemoryEmitters = (
  view: View,
): Required<Pick<Emitters, 'adamw' | 'broadcastTo' | 'erf' | 'slice' | 'sum'>> => ({
  adamw: inOnePass(view),
  erf: elementwiseOnHost(view, erf),
  sum: sumOverRows(view),
  slice: ({ attrs: { starts, sizes }, inputs: [type] }, tf) => {
    const { dtype, shape } = type!
    return ([x]) => {
      const y = tf.make(dtype, sizes)
      copyBlock(view(x!), shape, starts, view(y), sizes)
      return y
    }
  },
  broadcastTo: ({ attrs: { shape } }, tf) => {
    const broadcast = broadcastOnHost(view)
    return ([x]) => broadcast(x!, shape, tf)
  },
})

/** Sums over leading axes go by rows, four at a time, in float64; tf would transpose first. */
const sumOverRows =
  (view: View): Emitter<'sum'> =>
  (application, tf) => {
    const { axes } = application.attrs
    const columns = sizeOf(application.inputs[0]!.shape.slice(axes.length))
    const leading = axes.toSorted((a, b) => a - b).every((axis, i) => axis === i)
    if (axes.length === 0 || !leading || columns === 1) return emitters.sum(application, tf)
    const sums = new Float64Array(columns)
    return ([x]) => {
      const y = tf.make('float32', application.outputs[0]!.shape)
      const data = view(x!)
      sums.fill(0)
      let row = 0
      for (; row + 3 * columns < data.length; row += 4 * columns)
        for (let i = row; i < row + columns; i++)
          sums[i - row]! +=
            data[i]! + data[i + columns]! + (data[i + 2 * columns]! + data[i + 3 * columns]!)
      for (; row < data.length; row += columns)
        for (let i = 0; i < columns; i++) sums[i]! += data[row + i]!
      view(y).set(sums)
      return y
    }
  }

/** AdamW reads and writes each element once; as primitives it would take a pass over memory for each operation. */
const inOnePass =
  (view: View): Emitter<'adamw'> =>
  ({ attrs: { beta1, beta2, epsilon, weightDecay }, outputs: types }, tf) =>
  (inputs) => {
    const outputs = types.map(({ shape }) => tf.make('float32', shape))
    const [parameter, g, m, v] = inputs.map(view) as [
      HostValues,
      HostValues,
      HostValues,
      HostValues,
    ]
    const [learningRate, correction1, correction2] = inputs.slice(4).map((x) => view(x)[0]!) as [
      number,
      number,
      number,
    ]
    const [nextParameter, nextM, nextV] = outputs.map(view) as [HostValues, HostValues, HostValues]
    const [keptM, keptV, newM, newV] = [beta1, beta2, 1 - beta1, 1 - beta2]
    const kept = 1 - learningRate * weightDecay
    // √v̂ = √v / √correction2, with one division an element.
    const root = Math.sqrt(correction2)
    const rate = (learningRate / correction1) * root
    const least = epsilon * root
    for (let i = 0; i < g.length; i++) {
      const x = g[i]!
      const mean = keptM * m[i]! + newM * x
      const square = keptV * v[i]! + newV * x * x
      nextM[i] = mean
      nextV[i] = square
      nextParameter[i] = parameter[i]! * kept - (rate * mean) / (Math.sqrt(square) + least)
    }
    return outputs
  }

/** Swaps the last two axes, four rows at a time and few columns, so that each line of the cache is fetched once. */
export const swapLastTwo =
  (view: View) =>
  (x: TfTensor, tf: Workspace): TfTensor => {
    const [rows, columns] = x.shape.slice(-2) as [number, number]
    const y = tf.make('float32', [...x.shape.slice(0, -2), columns, rows])
    const [from, to] = [view(x), view(y)]
    const size = rows * columns
    for (let start = 0; start < from.length; start += size)
      for (let first = 0; first < columns; first += COLUMNS) {
        const end = Math.min(columns, first + COLUMNS)
        let row = 0
        for (; row + 3 < rows; row += 4)
          for (let column = first; column < end; column++) {
            const source = start + row * columns + column
            const target = start + column * rows + row
            to[target] = from[source]!
            to[target + 1] = from[source + columns]!
            to[target + 2] = from[source + 2 * columns]!
            to[target + 3] = from[source + 3 * columns]!
          }
        for (; row < rows; row++)
          for (let column = first; column < end; column++)
            to[start + column * rows + row] = from[start + row * columns + column]!
      }
    return y
  }
const COLUMNS = 64

/** Announces the operands of a matrix product that are transposed first. */
export function announceSwaps(application: Application<'matmul'>): void {
  const {
    attrs: { transposeA, transposeB },
    inputs: [a, b],
    outputs: [y],
    temporary,
  } = application
  const batch = multipliesRows(application) ? [] : y!.shape.slice(0, -2)
  if (transposeA) temporary({ ...a!, shape: [...batch, ...a!.shape.slice(-2)] })
  if (transposeB) temporary({ ...b!, shape: [...batch, ...b!.shape.slice(-2)] })
}

/** Computes element by element with a JavaScript function of up to three operands, for ops whose tf kernel is wrong. */
export const elementwiseOnHost =
  (view: View, f: (a: number, b: number, c: number) => number): Emitter<OpName> =>
  ({ inputs: types, outputs: [type], temporary }, tf) => {
    const { dtype, shape } = type!
    const broadcast = broadcastOnHost(view)
    announceSpread(types, shape, temporary)
    return (inputs) => {
      const operands = spread(inputs, shape, tf, broadcast)
      const result = tf.make(dtype, shape)
      const y = view(result)
      const [a, b = a, c = b] = operands.map(view) as [HostValues, HostValues?, HostValues?]
      for (let i = 0; i < y.length; i++) y[i] = f(a[i]!, b[i]!, c[i]!)
      return result
    }
  }

/** Broadcasts by copying whole rows if possible; tf's Tile goes element by element. */
export const broadcastOnHost =
  (view: View): Broadcast =>
  (x, shape, tf) => {
    const y = tf.make(x.dtype as 'float32', shape)
    repeat(view(x), x.shape, view(y), shape)
    return y
  }

/** Writes `from`, of a shape that broadcasts to `shape`, all over `to`. */
function repeat(from: HostValues, fromShape: Shape, to: HostValues, shape: Shape): void {
  const lead = shape.length - fromShape.length
  const strides = stridesOf(fromShape)
  const outStrides = stridesOf(shape)
  const fill = (axis: number, source: number, target: number): void => {
    if (axis === shape.length) {
      to[target] = from[source]!
      return
    }
    const stride = outStrides[axis]!
    const size = shape[axis]!
    const inner = axis - lead
    if (inner < 0 || fromShape[inner] === 1) {
      // One copy of what lies inside, then doubled until the axis is full.
      fill(axis + 1, source, target)
      for (let done = 1; done < size; done *= 2)
        to.copyWithin(target + done * stride, target, target + Math.min(done, size - done) * stride)
      return
    }
    if (fromShape.slice(inner).every((n, i) => n === shape[axis + i])) {
      to.set(from.subarray(source, source + size * stride), target)
      return
    }
    for (let i = 0; i < size; i++) fill(axis + 1, source + i * strides[inner]!, target + i * stride)
  }
  if (to.length > 0) fill(0, 0, 0)
}

/** Writes the block of `sizes` that begins at `starts` of `from`, row by row. */
function copyBlock(
  from: HostValues,
  fromShape: Shape,
  starts: Shape,
  to: HostValues,
  sizes: Shape,
): void {
  const strides = stridesOf(fromShape)
  const outStrides = stridesOf(sizes)
  const copy = (axis: number, source: number, target: number): void => {
    const first = source + (starts[axis] ?? 0) * (strides[axis] ?? 0)
    const whole = sizes.slice(axis + 1).every((n, i) => n === fromShape[axis + 1 + i])
    if (whole) {
      to.set(from.subarray(first, first + (sizes[axis] ?? 1) * (outStrides[axis] ?? 1)), target)
      return
    }
    for (let i = 0; i < sizes[axis]!; i++)
      copy(axis + 1, first + i * strides[axis]!, target + i * outStrides[axis]!)
  }
  if (to.length > 0) copy(0, 0, 0)
}
