// The first 20 steps in the page have the losses of the same steps in Node: the same centroids, seed, order and kernels.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

import { readEmbeddings } from '@embed-kd/distill'
import { openBackend } from '@embed-kd/distill/node'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseMnist } from '../src/data.js'
import type { RunSettings } from '../src/messages.js'
import { createTrainer, trainingBatches } from '../src/training.js'
import { hasChromium, launch, serve, SOFTWARE_WEBGPU, Studio } from './page.js'

const STEPS = 20
const settings: RunSettings = {
  method: 'embed-kd',
  student: 'small',
  epochs: 1,
  batch: 300,
  learningRate: 0.003,
  seed: 0,
  device: 'wasm',
}

async function lossesInNode(device: string): Promise<number[]> {
  const asset = (name: string) => readFileSync(join(import.meta.dirname, '../src/assets', name))
  const dataset = parseMnist(gunzipSync(asset('mnist.bin.gz')))
  const centroids = await readEmbeddings(asset('mnist-centroids.safetensors'))
  const backend = await openBackend(device)
  await using trainer = await createTrainer(backend, dataset, centroids, settings)
  const losses: number[] = []
  const epochs = trainer.fit(trainingBatches(dataset, settings), {
    onStep: ({ metrics }) => void losses.push(metrics!.loss),
  })
  for await (const _ of epochs);
  return losses
}

describe.skipIf(!hasChromium)('losses of the first 20 steps', { timeout: 420_000 }, () => {
  let browser: Browser
  let expected: number[]
  beforeAll(async () => {
    browser = await launch(SOFTWARE_WEBGPU)
    expected = await lossesInNode('tfjs:wasm')
    expect(expected).toHaveLength(STEPS)
  })
  afterAll(() => browser?.close())

  async function lossesInPage(device: string, isolated: boolean): Promise<number[]> {
    const server = await serve(isolated)
    const studio = await Studio.open(browser, server, { serviceWorkers: 'block' })
    await studio.train({ batch: '300', epochs: '1', device })
    await studio.says(/Done/)
    console.log(`${device}: ${await studio.page.textContent('#fact-device')}`)
    const [record] = await studio.records()
    await studio.page.context().close()
    await server.close()
    return record!.curves!.loss.map(([, loss]) => loss)
  }

  it.each([
    ['with threads', true],
    ['with one thread', false],
  ])('are equal to the bit on wasm %s', async (_, isolated) => {
    expect(await lossesInPage('wasm', isolated)).toEqual(expected)
  })

  it('are near on WebGPU, whose sums have another order', async () => {
    const losses = await lossesInPage('webgpu', true)
    const difference = Math.max(...losses.map((loss, i) => Math.abs(loss - expected[i]!)))
    console.log(`largest difference of WebGPU's losses: ${difference}`)
    expect(difference).toBeLessThan(1e-3)
  })
})
