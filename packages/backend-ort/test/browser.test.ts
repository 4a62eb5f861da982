// onnxruntime-web in a real headless Chromium: a production build, minified, gives the losses of ort:cpu and conforms.
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OnPage, Training } from '../../conformance/test/browser/page.js'
import {
  buildSite,
  hasChromium,
  type OpenPage,
  type Site,
} from '../../conformance/test/browser/site.js'
import { losses } from '../../conformance/test/browser/training.js'
import { ortBackend } from '../src/index.js'

const STEPS = 5

let site: Site<OnPage>
beforeAll(async () => {
  site = await buildSite(join(import.meta.dirname, 'browser'))
})
afterAll(() => site.close())

test('no Node import reaches the bundle', () => {
  const { modules, imports } = site
  expect(modules.some((id) => id.endsWith('backend-ort/src/browser.ts'))).toBe(true)
  expect(modules.filter((id) => /onnxruntime-node|src\/(runtime|profile)\.ts/.test(id))).toEqual([])
  expect(imports.filter(isBuiltin)).toEqual([])
})

describe.skipIf(!hasChromium)('in Chromium', { timeout: 480_000 }, () => {
  let expected: number[]
  beforeAll(async () => {
    const reference = await ortBackend.create('cpu')
    expected = await losses(reference, STEPS)
    await reference.dispose()
  })

  /** Trains in a page, and compares with ort:cpu. */
  async function trains(page: OpenPage<OnPage>, device: string): Promise<Training> {
    const result = await page.call('train', device, STEPS)
    expect(result.losses).toHaveLength(STEPS)
    result.losses.forEach((loss, step) => expect(loss).toBeCloseTo(expected[step]!, 4))
    expect(result.buffers).toBe(0)
    return result
  }

  async function conforms(page: OpenPage<OnPage>, device: string): Promise<void> {
    const { counts, failures } = await page.call('conform', device)
    expect(failures).toEqual([])
    console.log(`ort:${device} conforms in Chromium:`, counts)
  }

  test('ort:wasm trains as ort:cpu does, and conforms', async () => {
    const page = await site.open()
    const { versions } = await trains(page, 'wasm')
    expect(versions['threads']).toBe('1')
    await conforms(page, 'wasm')
  })

  test('ort:wasm has threads on a cross-origin isolated page, and conforms', async (context) => {
    const page = await site.open({ isolated: true })
    if (page.cores < 2) context.skip('the machine has one core')
    const { versions } = await trains(page, 'wasm')
    expect(versions['threads']).toBe(String(Math.min(page.cores, 8)))
    await conforms(page, 'wasm')
  })

  // The suite would take a software device many minutes. Node's ort:webgpu, whose kernels and memory are the same, runs it.
  test('ort:webgpu trains as ort:cpu does', async (context) => {
    const page = await site.open()
    const { webgpu: reason } = await page.call('reasons')
    if (reason !== undefined) context.skip(`ort:webgpu: ${reason}`)
    await trains(page, 'webgpu')
  })
})
