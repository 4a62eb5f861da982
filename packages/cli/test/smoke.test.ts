// Part of the smoke suite: each backend that needs no GPU computes a loss and its gradient as the reference does, and the command
// goes from a data set to a report.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { gradients, hostTensor, op, Random, spec, trace } from '@embed-kd/core'
import { openBackend } from '@embed-kd/distill/node'
import { expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, temporaryDirectory } from './cli.js'

const graph = trace('smoke', { x: spec([4, 8]), w: spec([8, 3]) }, ({ x, w }) => {
  const scores = op.logSoftmax(op.gelu(op.matmul(x, w)))
  const loss = op.neg(op.mean(scores))
  return { loss, slope: gradients(loss, [w])[0]! }
})

const random = new Random(0)
const tensor = (shape: readonly number[]) =>
  hostTensor(
    'float32',
    shape,
    Array.from({ length: shape[0]! * shape[1]! }, () => random.normal()),
  )
const [x, w] = [tensor([4, 8]), tensor([8, 3])]

async function compute(name: string): Promise<number[]> {
  const backend = await openBackend(name)
  const executable = await backend.compile(graph)
  const outputs = await executable.run({ x: await backend.upload(x), w: await backend.upload(w) })
  const read = async (output: string) =>
    [...(await backend.read(outputs[output]!)).data].map(Number)
  const values = [...(await read('loss')), ...(await read('slope'))]
  await backend.dispose()
  return values
}

it.each(['ort:cpu', 'tfjs:cpu', 'tfjs:wasm'])('%s computes as the reference does', async (name) => {
  const [expected, found] = [await compute('reference'), await compute(name)]
  expect(found).toHaveLength(25)
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5))
})

it('the command goes from a data set to a report', async () => {
  const directory = temporaryDirectory()
  const grid = tinyGrid(writeTinyDataset(join(directory, 'data')), { steps: 1 })
  const out = join(directory, 'out')
  const args = ['bench', '--config', writeConfig(directory, grid), '--out', out]
  expect(await runCli(...args)).toMatchObject({ code: 0 })
  expect(existsSync(join(out, 'report.html'))).toBe(true)
})
