// The first 20 steps in the page have the losses of the same steps in Node: the same centroids, seed, order and kernels.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

import { readEmbeddings } from '@embed-kd/distill'
import { mnistSmallDirectory, openBackend } from '@embed-kd/distill/node'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { mnistDataset, parseIdx } from '../src/data.js'
import type { RunSettings } from '../src/messages.js'
import { createTrainer } from '../src/training.js'
import { hasChromium, launch, serve, SOFTWARE_WEBGPU, stop, Studio } from './page.js'

const STEPS = 20

/** The settings whose first steps are compared: an epoch has so many steps that WebGPU in software need not end it. */
const settingsFor = (batch: number, dropout: number): RunSettings => ({
  method: 'embed-kd',
  student: 'small',
  epochs: 1,
  batch,
  learningRate: 0.003,
  dropout,
  seed: 0,
  device: 'wasm',
})

async function lossesInNode(batch: number, dropout: number): Promise<number[]> {
  const idx = (name: string) => gunzipSync(readFileSync(join(mnistSmallDirectory, `${name}.gz`)))
  const part = (name: string) =>
    parseIdx(idx(`${name}-images-idx3-ubyte`), idx(`${name}-labels-idx1-ubyte`))
  const dataset = mnistDataset(part('train'), part('t10k'))
  const assets = join(import.meta.dirname, '../src/assets')
  const centroids = await readEmbeddings(readFileSync(join(assets, 'mnist-centroids.safetensors')))
  const settings = settingsFor(batch, dropout)
  const backend = await openBackend('tfjs:wasm')
  await using trainer = await createTrainer(backend, dataset, centroids, settings)
  const losses: number[] = []
  const ending = new AbortController()
  const epochs = trainer.fit(dataset.train, {
    onStep: ({ metrics }) => {
      losses.push(metrics!.loss)
      if (losses.length === STEPS) ending.abort()
    },
    signal: ending.signal,
  })
  await epochs.next().catch((error: unknown) => {
    if (!ending.signal.aborted) throw error
  })
  return losses
}
describe.skipIf(!hasChromium)('losses of the first 20 steps', { timeout: 420_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(SOFTWARE_WEBGPU)
  })
  afterAll(() => browser?.close())

  /** Trains some steps in a page, pauses, and reads the losses of the run that is kept. */
  async function lossesInPage(batch: number, dropout: number, device: string, isolated = true) {
    const server = await serve(isolated)
    const studio = await Studio.open(browser, server, { serviceWorkers: 'block' })
    await studio.train({ batch: `${batch}`, dropout: `${dropout}`, epochs: '1', device })
    await studio.reaches(STEPS, 0)
    await studio.page.click('#pause')
    await studio.says(/Paused/)
    console.log(`${device}: ${await studio.page.textContent('#fact-device')}`)
    const points = await studio.keptLosses()
    await studio.page.context().close()
    await stop(server)
    return points.slice(0, STEPS)
  }

  it.each([
    ['with threads', true],
    ['with one thread', false],
  ])('are equal to the bit on wasm %s', async (_, isolated) => {
    const expected = await lossesInNode(200, 0.1)
    expect(expected).toHaveLength(STEPS)
    expect(await lossesInPage(200, 0.1, 'wasm', isolated)).toEqual(expected)
  })

  // Sums have another order there, and dropout would draw other numbers. A device in software takes seconds a step.
  it('are near on WebGPU without dropout', { timeout: 1_200_000 }, async () => {
    const [expected, losses] = [await lossesInNode(16, 0), await lossesInPage(16, 0, 'webgpu')]
    const difference = Math.max(...losses.map((loss, i) => Math.abs(loss - expected[i]!)))
    console.log(`largest difference of WebGPU's losses: ${difference}`)
    expect(losses).toHaveLength(STEPS)
    expect(difference).toBeLessThan(1e-3)
  })
})
