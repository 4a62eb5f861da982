// Statistics of randomUniform and bernoulli at the size that attention dropout of the paper's student has at batch 64.
import { hostTensor, sizeOf, type Backend } from '@embed-kd/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ortBackend } from '../src/index.js'
import { matrixOf } from '../src/onnx/random.js'
import { op, runOn } from './run.js'

let backend: Backend
beforeAll(async () => {
  backend = await ortBackend.create('cpu')
})
afterAll(() => backend.dispose())

async function draw(shape: number[], seed: number, step: number, stream: number) {
  const key = hostTensor('int32', [2], [seed, step])
  const { u } = await runOn(backend, { key }, ({ key }) => ({
    u: op.randomUniform(key, shape, stream),
  }))
  return u!.values
}

const shape = [64, 8, 65, 65]
const mean = (xs: readonly number[]) => xs.reduce((sum, x) => sum + x, 0) / xs.length

/** Pearson correlation of two samples of uniforms, in standard errors of independent ones. */
const correlation = (a: readonly number[], b: readonly number[]) =>
  (12 / Math.sqrt(a.length)) * a.reduce((sum, x, i) => sum + (x - 0.5) * (b[i]! - 0.5), 0)

/** Chi-square of counts against equal expectations, in standard deviations from its mean. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, n) => sum + n, 0) / counts.length
  const degrees = counts.length - 1
  const statistic = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)
  return (statistic - degrees) / Math.sqrt(2 * degrees)
}

test.each([
  [0, 0, 0],
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [-1, 123456, 5],
])('uniform and independent for seed %d, step %d, stream %d', async (seed, step, stream) => {
  const u = await draw(shape, seed, step, stream)
  const n = sizeOf(shape)
  expect(u.every((x) => x >= 0 && x < 1)).toBe(true)
  expect(Math.abs(mean(u) - 0.5) * Math.sqrt(12 * n)).toBeLessThan(5)
  const variance = mean(u.map((x) => (x - 0.5) ** 2))
  expect(Math.abs(variance - 1 / 12) * Math.sqrt(180 * n)).toBeLessThan(5)

  const bins = new Array<number>(1000).fill(0)
  for (const x of u) bins[Math.floor(x * 1000)]!++
  expect(Math.abs(chiSquare(bins))).toBeLessThan(5)

  // Neighbours in a row, in a column, and whole rows and columns of the matrix the words are mixed in.
  const { columns } = matrixOf(shape)
  for (const lag of [1, 2, 65, columns, 2 * columns, 65 * columns])
    expect(Math.abs(correlation(u.slice(lag), u.slice(0, -lag)))).toBeLessThan(5)
  // Pairs of neighbours fill the square evenly: a lattice, which correlation does not see, would not.
  for (const lag of [1, columns]) {
    const squares = new Array<number>(32 * 32).fill(0)
    for (let i = lag; i < n; i++)
      squares[Math.floor(u[i]! * 32) * 32 + Math.floor(u[i - lag]! * 32)]!++
    expect(Math.abs(chiSquare(squares))).toBeLessThan(5)
  }
})

test('pairs of draws from two streams fill the square evenly', async () => {
  const [first, second] = [await draw(shape, 3, 1, 0), await draw(shape, 3, 1, 1)]
  expect(Math.abs(correlation(first, second))).toBeLessThan(5)
  const squares = new Array<number>(32 * 32).fill(0)
  first.forEach((x, i) => squares[Math.floor(x * 32) * 32 + Math.floor(second[i]! * 32)]!++)
  expect(Math.abs(chiSquare(squares))).toBeLessThan(5)
})

/** Draws 1 with a probability. */
async function drawBernoulli(seed: number, step: number, stream: number, probability: number) {
  const key = hostTensor('int32', [2], [seed, step])
  const { drawn } = await runOn(backend, { key }, ({ key }) => ({
    drawn: op.bernoulli(key, shape, stream, probability),
  }))
  return drawn!.values
}

test.each([0.9, 0.5, 0.1, 0.01, 1 - 2 ** -12])('draws 1 with probability %d', async (p) => {
  const [first, second] = [await drawBernoulli(3, 1, 0, p), await drawBernoulli(3, 1, 1, p)]
  expect(first.every((x) => x === 0 || x === 1)).toBe(true)
  const n = first.length
  expect(Math.abs(mean(first) - p) / Math.sqrt((p * (1 - p)) / n)).toBeLessThan(5)
  const both = mean(first.map((x, i) => x * second[i]!))
  expect(Math.abs(both - p * p) / Math.sqrt((p * p * (1 - p * p)) / n)).toBeLessThan(5)
})

test('rates of dropped elements vary between rows and columns as chance has it', async () => {
  const kept = await drawBernoulli(3, 1, 4, 0.9)
  const { rows, columns } = matrixOf(shape)
  const perRow = new Array<number>(rows).fill(0)
  const perColumn = new Array<number>(columns).fill(0)
  kept.forEach((x, i) => {
    if (x === 1) return
    perRow[Math.floor(i / columns)]!++
    perColumn[i % columns]!++
  })
  for (const [counts, trials] of [
    [perRow, columns],
    [perColumn, rows],
  ] as const) {
    const spread = mean(counts.map((n) => (n - trials * 0.1) ** 2)) / (trials * 0.09)
    expect(Math.abs(spread - 1) * Math.sqrt(counts.length / 2)).toBeLessThan(5)
  }
})

test('a pure function of key and stream, and different for each', async () => {
  const base = await draw([1000], 1, 2, 3)
  expect(await draw([1000], 1, 2, 3)).toEqual(base)
  for (const [seed, step, stream] of [
    [2, 2, 3],
    [1, 3, 3],
    [1, 2, 4],
    [2, 1, 3],
    [-1, 2, 3],
  ] as const) {
    const other = await draw([1000], seed, step, stream)
    expect(Math.abs(correlation(base, other))).toBeLessThan(5)
  }
})
