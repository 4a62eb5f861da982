// `randomUniform` from integer operators, because ONNX's RandomUniform keeps a hidden state and has a fixed seed.
// A pure function of (seed, step, stream): short vectors are hashed well, each element then costs two integer
// passes that mix the words of its row and column. The bits are this backend's own.
import { sizeOf, type Shape } from '@embed-kd/core'
import type { Application } from './emitters.js'
import type { ModelBuilder } from './model.js'

/** The tensor as a matrix of about as many rows as columns, so that the hashed vectors are short. */
export function matrixOf(shape: Shape): { rows: number; columns: number } {
  const size = sizeOf(shape)
  const splits = shape.map((_, axis) => sizeOf(shape.slice(0, axis)))
  const longest = (rows: number) => Math.max(rows, rows === 0 ? 0 : size / rows)
  const rows = [1, ...splits].reduce((best, split) =>
    longest(split) < longest(best) ? split : best,
  )
  return { rows, columns: rows === 0 ? 0 : size / rows }
}

export function emitRandomUniform(
  model: ModelBuilder,
  { inputs, outputs, attrs: { shape, stream } }: Application<'randomUniform'>,
): void {
  const word = (value: number) => model.scalar('uint32', value)
  const xor = (a: string, b: string) => model.add('BitwiseXor', [a, b])
  const times = (a: string, b: string) => model.add('Mul', [a, b])
  const shifted = (x: string, bits: number) =>
    model.add('BitShift', [x, word(bits)], { direction: 'RIGHT' })
  /** A bijection of 32-bit words in which every input bit flips half of the output bits (Wellons, lowbias32). */
  const hash = (x: string) => {
    const first = times(xor(x, shifted(x, 16)), word(0x7feb352d))
    const second = times(xor(first, shifted(first, 15)), word(0x846ca68b))
    return xor(second, shifted(second, 16))
  }
  const counter = (size: number, shape: Shape) =>
    model.tensor(
      'uint32',
      shape,
      Uint32Array.from({ length: size }, (_, i) => i),
    )

  const { rows, columns } = matrixOf(shape)
  const key = model.cast(inputs[0]!, 'uint32')
  const part = (index: number) => model.add('Gather', [key, model.scalar('int64', index)])
  const state = hash(xor(hash(xor(hash(part(0)), part(1))), word(stream)))
  // Independent words: one for each column, two for each row (an odd multiplier is a bijection).
  const row = hash(xor(hash(counter(rows, [rows, 1])), hash(xor(state, word(0x9e3779b9)))))
  const multiplier = model.add('BitwiseOr', [hash(xor(row, word(0x85ebca6b))), word(1)])
  const column = hash(xor(hash(counter(columns, [1, columns])), state))
  const bits = times(xor(column, row), multiplier)
  // Just under 2^-32: the largest word, which rounds to 2^32, must stay below 1.
  const scale = model.scalar('float32', 2 ** -32 * (1 - 2 ** -24))
  const uniform = model.add('Mul', [model.cast(bits, 'float32'), scale])
  model.add('Reshape', [uniform, model.indices(shape)], { allowzero: 1 }, outputs)
}
