// The profile of an executable: what the runtime says it ran, and for how long.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostTensor, op, sizeOf, spec, trace, type Executable } from '@embed-kd/core'
import { afterAll, expect, test } from 'vitest'
import { ortBackend } from '../src/index.js'

const directory = mkdtempSync(join(tmpdir(), 'embed-kd-test-'))
process.env.TMPDIR = directory
const backend = await ortBackend.create('cpu')
afterAll(async () => {
  await backend.dispose()
  rmSync(directory, { recursive: true })
})

const shapes = { x: [3, 4, 5], weight: [6, 5], stack: [3, 6, 7], row: [1, 7] }
const graph = trace(
  'products',
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, spec(shape)])),
  ({ x, weight, stack, row }, tracer) => {
    const mixed = tracer.layer('first', () => op.matmul(op.linear(x!, weight!), stack!))
    const shared = tracer.layer('second', () => op.matmul(mixed, row!, { transposeB: true }))
    return { y: op.exp(shared) }
  },
)
const run = async (
  executable: Executable,
  inputShapes: Readonly<Record<string, number[]>> = shapes,
) => {
  const inputs: Parameters<Executable['run']>[0] = Object.fromEntries(
    await Promise.all(
      Object.entries(inputShapes).map(async ([name, shape]) => [
        name,
        await backend.upload(hostTensor('float32', shape, new Float32Array(sizeOf(shape)))),
      ]),
    ),
  )
  const outputs = await executable.run(inputs)
  for (const buffer of [...Object.values(outputs), ...Object.values(inputs)]) buffer.dispose()
}

test('tells the operators of each run, their places, and the work of products', async () => {
  const executable = await backend.compileProfiled!(graph)
  await run(executable)
  await run(executable)
  const runs = await executable.endProfile()
  expect(runs).toHaveLength(2)
  for (const operators of runs) {
    const products = operators.filter(({ flops }) => flops !== undefined)
    expect(products.map(({ place, flops }) => [place?.layer, flops])).toEqual([
      ['first', 2 * 12 * 5 * 6],
      ['first', 2 * 3 * 4 * 6 * 7],
      ['second', 2 * 12 * 7],
    ])
    expect(operators.at(-1)).toMatchObject({
      operator: 'Exp',
      place: { part: 'other', phase: 'forward' },
    })
    for (const { seconds } of operators) expect(seconds).toBeLessThan(1)
    expect(operators.reduce((sum, { seconds }) => sum + seconds, 0)).toBeGreaterThan(0)
  }
  await expect(executable.endProfile()).rejects.toThrow('its profile was ended')
  await executable.dispose()
  expect(readdirSync(directory)).toEqual([])
})

test('tells the work of products of a vector', async () => {
  const vectors = { weight: [6, 5], vector: [5], bias: [6], large: [400, 200] }
  const specs = Object.fromEntries(
    Object.entries(vectors).map(([name, shape]) => [name, spec(shape)]),
  )
  const executable = await backend.compileProfiled!(
    trace('vectors', specs, ({ weight, vector, bias, large }) => ({
      column: op.linear(vector!, weight!, bias!),
      sums: op.sum(large!, { axes: [0] }),
    })),
  )
  await run(executable, vectors)
  const [operators] = await executable.endProfile()
  const work = operators!.flatMap(({ flops }) => flops ?? [])
  expect(work.toSorted((a, b) => a - b)).toEqual([2 * 5 * 6, 2 * 400 * 200])
  await executable.dispose()
})

test('leaves no file behind where it is not asked for', async () => {
  const executable = await backend.compileProfiled!(graph)
  await run(executable)
  await executable.dispose()
  expect(readdirSync(directory)).toEqual([])
})
