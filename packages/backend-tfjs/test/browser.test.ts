// tfjs in a real headless Chromium: a production build, minified, gives the losses of ort:cpu and conforms.
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { ortBackend } from '@embed-kd/backend-ort'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Training } from '../../conformance/test/browser/page.js'
import {
  buildSite,
  hasChromium,
  type OpenPage,
  type Site,
} from '../../conformance/test/browser/site.js'
import { losses } from '../../conformance/test/browser/training.js'
import type { OnTfjsPage } from './browser/page.js'

const STEPS = 5

let site: Site<OnTfjsPage>
beforeAll(async () => {
  site = await buildSite(join(import.meta.dirname, 'browser'))
})
afterAll(() => site.close())

test('no Node import reaches the bundle', () => {
  const { modules, imports } = site
  expect(modules.some((id) => id.endsWith('src/platform/browser.ts'))).toBe(true)
  expect(modules.filter((id) => id.endsWith('src/platform/node.ts'))).toEqual([])
  expect(modules.filter((id) => id.includes('/node_modules/webgpu/'))).toEqual([])
  expect(imports.filter(isBuiltin)).toEqual([])
})

describe.skipIf(!hasChromium)('in Chromium', { timeout: 480_000 }, () => {
  let expected: number[]
  beforeAll(async () => {
    const reference = await ortBackend.create('cpu')
    expected = await losses(reference, STEPS)
    await reference.dispose()
    expect(expected[STEPS - 1]!).toBeLessThan(expected[0]!)
  })

  /** Trains in a page, and compares with ort:cpu. */
  async function trains(page: OpenPage<OnTfjsPage>, device: string): Promise<Training> {
    const result = await page.call('train', device, STEPS)
    expect(result.losses).toHaveLength(STEPS)
    result.losses.forEach((loss, step) => expect(loss).toBeCloseTo(expected[step]!, 4))
    expect(result.buffers).toBe(0)
    return result
  }

  test('tfjs:webgpu trains as ort:cpu does', async () => {
    const page = await site.open()
    const reasons = await page.call('reasons')
    expect(reasons['webgpu']).toBeUndefined()
    expect(reasons['node']).toMatch('native code for Node')
    const { versions } = await trains(page, 'webgpu')
    console.log(`trained on ${versions['adapter']}`)
  })

  test('tfjs:wasm finds its files by itself, and conforms', async () => {
    const page = await site.open()
    const { versions } = await trains(page, 'wasm')
    expect(versions['threads']).toBe('up to 1')
    expect(await page.call('multiply')).toEqual({ isolated: false, threads: 1, element: 512 })
    const { counts, failures } = await page.call('conform', 'wasm')
    expect(failures).toEqual([])
    console.log('tfjs:wasm conforms in Chromium:', counts)
  })

  test('tfjs:wasm has threads on a cross-origin isolated page', async (context) => {
    const page = await site.open({ isolated: true })
    if (page.cores < 2) context.skip('the machine has one core')
    const { versions } = await trains(page, 'wasm')
    const threads = Math.min(page.cores, 8)
    expect(versions['threads']).toBe(`up to ${threads}`)
    expect(await page.call('multiply')).toEqual({ isolated: true, threads, element: 512 })
  })
})
