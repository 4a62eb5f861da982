// Emits `randomUniform` as integer operators, because ONNX's RandomUniform keeps a hidden state and has a fixed seed. The result is a
// pure function of (seed, step, stream): short vectors are hashed well, and each element costs two integer passes that mix the words
// of its row and column. All operators are sums, products and quotients of uint32, which every device has.
import { sizeOf, type Shape } from '@embed-kd/core'
import type { Application } from './emitter.js'
import type { ModelBuilder } from './model.js'

/** Views a tensor as a matrix with about as many rows as columns, so that the hashed vectors are short. */
export function matrixOf(shape: Shape): { rows: number; columns: number } {
  const size = sizeOf(shape)
  const splits = shape.map((_, axis) => sizeOf(shape.slice(0, axis)))
  const longest = (rows: number) => Math.max(rows, rows === 0 ? 0 : size / rows)
  const rows = [1, ...splits].reduce((best, split) =>
    longest(split) < longest(best) ? split : best,
  )
  return { rows, columns: rows === 0 ? 0 : size / rows }
}

/** Number of rounds after which every input bit moves half of the output bits. */
const ROUNDS = 4
const STEP = 0x9e3779b9
const ROTATION = 15

/**
 * Hashes a 32-bit word with sums and products, which every device has: the mixing of RC6 (Rivest et al. 1998), whose
 * x(2x + 1) makes the high bits depend on all others, and a rotation that brings them down.
 */
function hash(word: number): number {
  let x = word
  for (let round = 0; round < ROUNDS; round++) {
    x = (x + STEP) | 0
    x = Math.imul(x, 2 * x + 1)
    x = (x << ROTATION) | (x >>> (32 - ROTATION))
  }
  return x >>> 0
}

export function emitRandomUniform(
  model: ModelBuilder,
  { inputs, outputs, attrs: { shape, stream } }: Application<'randomUniform'>,
): void {
  const word = (value: number) => model.scalar('uint32', value)
  const plus = (a: string, b: string) => model.add('Add', [a, b])
  const times = (a: string, b: string) => model.add('Mul', [a, b])
  /** The same hash in the model: words stay uint32, and shifts are products and quotients. */
  const hashed = (value: string) => {
    let x = value
    for (let round = 0; round < ROUNDS; round++) {
      x = plus(x, word(STEP))
      x = times(x, plus(plus(x, x), word(1)))
      const high = times(x, word(2 ** ROTATION))
      x = plus(high, model.add('Div', [x, word(2 ** (32 - ROTATION))]))
    }
    return x
  }
  /** Adds one word for each row or column of a stream; `kind` tells rows and columns apart. */
  const wordsOf = (kind: number, count: number, shape: Shape) =>
    model.tensor(
      'uint32',
      shape,
      Uint32Array.from({ length: count }, (_, i) => hash(hash(hash(kind) + stream) + i)),
    )

  const { rows, columns } = matrixOf(shape)
  const part = (index: number) =>
    model.cast(model.add('Gather', [inputs[0]!, model.scalar('int64', index)]), 'uint32')
  // All draws of a step share it.
  const state = model.once(`random state of ${inputs[0]}`, () =>
    hashed(plus(hashed(part(0)), part(1))),
  )
  // The square of an odd sum of a row's word and a column's: squares of odd words are uniform but for their last three
  // bits, and being quadratic in both words they leave no pattern between rows or columns, as a product would.
  const row = hashed(plus(wordsOf(1, rows, [rows, 1]), state))
  const column = hashed(plus(wordsOf(2, columns, [1, columns]), state))
  const odd = plus(plus(column, column), plus(plus(row, row), word(1)))
  const bits = times(odd, odd)
  // Just under 2^-32: the largest word, which rounds to 2^32, must stay below 1.
  const scale = model.scalar('float32', 2 ** -32 * (1 - 2 ** -24))
  const uniform = model.add('Mul', [model.cast(bits, 'float32'), scale])
  model.add('Reshape', [uniform, model.indices(shape)], { allowzero: 1 }, outputs)
}
