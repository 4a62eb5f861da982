// Emits `randomUniform` and `bernoulli` as integer operators, because ONNX's RandomUniform keeps a hidden state and has a fixed seed. The result is a
// pure function of (seed, step, stream): short vectors are hashed well, and each element costs two integer passes that mix the words
// of its row and column. All operators are sums, products and quotients of uint32, which every device has.
import { sizeOf, type Shape } from '@embed-kd/core'
import type { Application } from './emitter.js'
import { OnnxFloat, type ModelBuilder } from './model.js'

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

/** The words of a draw's rows [rows, 1] and columns [1, columns]: names of even uint32 tensors in the model. */
interface Words {
  readonly rows: string
  readonly columns: string
}

/**
 * Hashes seed and step into words for each row and column of a shape. All draws of a step from matrices of one size share them.
 */
function wordsOf(
  model: ModelBuilder,
  key: string,
  count: { rows: number; columns: number },
): Words {
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
  const part = (index: number) =>
    model.cast(model.add('Gather', [key, model.scalar('int64', index)]), 'uint32')
  const state = model.once(`random state of ${key}`, () => hashed(plus(hashed(part(0)), part(1))))
  /** `kind` tells rows and columns apart. */
  const words = (kind: number, size: number, shape: Shape) =>
    model.once(`random words ${kind} ${size} of ${key}`, () => {
      const first = Uint32Array.from({ length: size }, (_, i) => hash(hash(kind) + i))
      const x = hashed(plus(model.tensor('uint32', shape, first), state))
      return plus(x, x)
    })
  const { rows, columns } = count
  return { rows: words(1, rows, [rows, 1]), columns: words(2, columns, [1, columns]) }
}

/**
 * Emits 32 random bits for each element of a shape: the square of an odd sum of a row's word and a column's. Squares of
 * odd words are uniform but for their last three bits. Being quadratic in both words they leave no pattern between rows or columns,
 * as a product would. Each stream multiplies the words by factors of its own.
 */
function emitBits(
  model: ModelBuilder,
  key: string,
  shape: Shape,
  stream: number,
  type: 'uint32' | 'int32',
): string {
  const words = wordsOf(model, key, matrixOf(shape))
  const typed = (name: string) =>
    type === 'uint32' ? name : model.once(`${name} as ${type}`, () => model.cast(name, type))
  const constant = (kind: number) => {
    const value = (hash(hash(hash(kind) + stream)) | 1) >>> 0
    return model.scalar(type, type === 'uint32' ? value : value | 0)
  }
  const row = model.add('Mul', [typed(words.rows), constant(3)])
  const column = model.add('Mul', [typed(words.columns), constant(4)])
  const matrix = model.add('Add', [row, model.add('Add', [column, constant(5)])])
  const odd = model.add('Reshape', [matrix, model.shape(shape)], { allowzero: 1 })
  return model.add('Mul', [odd, odd])
}

export function emitRandomUniform(
  model: ModelBuilder,
  { inputs, outputs, attrs: { shape, stream } }: Application<'randomUniform'>,
): void {
  const bits = emitBits(model, inputs[0]!, shape, stream, 'uint32')
  // Just under 2^-32: the largest word, which rounds to 2^32, must stay below 1.
  const scale = model.scalar('float32', 2 ** -32 * (1 - 2 ** -24))
  model.add('Mul', [model.cast(bits, 'float32'), scale], {}, outputs)
}

/** Emits draws as a step of slope 1: the bits as a signed number are above the threshold, or not, by whole numbers. */
export function emitBernoulli(
  model: ModelBuilder,
  { inputs, outputs, attrs: { shape, stream, probability } }: Application<'bernoulli'>,
): void {
  const bits = emitBits(model, inputs[0]!, shape, stream, 'int32')
  const threshold = Math.round(2 ** 31 - probability * 2 ** 32)
  const step = { alpha: new OnnxFloat(1), beta: new OnnxFloat(-threshold) }
  model.add('HardSigmoid', [model.cast(bits, 'float32')], step, outputs)
}
