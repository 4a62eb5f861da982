// core and tfjs in a real headless Chromium: a production build of vite, minified, served on loopback, gives the losses of ort:cpu.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ortBackend } from '@embed-kd/backend-ort'
import { chromium, type Browser, type Page } from 'playwright-core'
import { build, preview, type InlineConfig, type PreviewServer } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { losses } from './browser/training.js'
import type { PageResult, PageThreads } from './browser/page.js'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
/** WebGPU without a GPU: Chromium's own software device. */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]
const STEPS = 5
/** With these headers a page is cross-origin isolated, and threads may share memory. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

const outDir = mkdtempSync(join(tmpdir(), 'embed-kd-browser-'))
afterAll(() => rmSync(outDir, { recursive: true }))
const config: InlineConfig = {
  configFile: false,
  logLevel: 'error',
  root: join(import.meta.dirname, 'browser'),
  resolve: { conditions: ['@embed-kd/source', 'browser', 'module', 'import', 'default'] },
  build: { outDir, emptyOutDir: true, target: 'esnext' },
}

let bundled: { readonly modules: string[]; readonly imports: string[] }
beforeAll(async () => {
  const result = await build(config)
  const outputs = [result].flat().flatMap((bundle) => ('output' in bundle ? bundle.output : []))
  const chunks = outputs.filter((output) => output.type === 'chunk')
  bundled = {
    modules: chunks.flatMap((chunk) => chunk.moduleIds),
    imports: chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]),
  }
})

test('no Node import reaches the bundle', () => {
  expect(bundled.modules.some((id) => id.endsWith('src/platform/browser.ts'))).toBe(true)
  expect(bundled.modules.filter((id) => id.endsWith('src/platform/node.ts'))).toEqual([])
  expect(bundled.modules.filter((id) => id.includes('/node_modules/webgpu/'))).toEqual([])
  expect(bundled.imports.filter(isBuiltin)).toEqual([])
})

/** What page.ts puts on the page. */
type OnPage = {
  train(device: string, steps: number): Promise<PageResult>
  reasons(): Promise<Record<string, string | undefined>>
  multiply(): Promise<PageThreads>
}

describe.skipIf(!existsSync(CHROMIUM))('in Chromium', { timeout: 240_000 }, () => {
  let expected: number[]
  let browser: Browser
  const servers: PreviewServer[] = []
  beforeAll(async () => {
    const reference = await ortBackend.create('cpu')
    expected = await losses(reference, STEPS)
    await reference.dispose()
    expect(expected[STEPS - 1]!).toBeLessThan(expected[0]!)
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  })
  afterAll(async () => {
    await browser.close()
    for (const server of servers) await server.close()
  })

  /** Opens the page; every error on it fails the test. */
  async function open(headers: Record<string, string> = {}): Promise<Page> {
    const server = await preview({ ...config, preview: { host: '127.0.0.1', port: 0, headers } })
    servers.push(server)
    const page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(server.resolvedUrls!.local[0]!)
    return page
  }
  const complaints: string[] = []
  const onPage = <T>(page: Page, name: keyof OnPage, ...args: unknown[]): Promise<T> =>
    page.evaluate(
      ([name, args]) =>
        (globalThis as unknown as Record<string, (...args: unknown[]) => Promise<T>>)[name]!(
          ...args,
        ),
      [name, args] as const,
    )

  /** Trains in a page, and compares with ort:cpu. */
  async function trains(page: Page, device: string): Promise<PageResult> {
    const result = await onPage<PageResult>(page, 'train', device, STEPS)
    expect(result.losses).toHaveLength(STEPS)
    result.losses.forEach((loss, step) => expect(loss).toBeCloseTo(expected[step]!, 4))
    expect(result.buffers).toBe(0)
    expect(complaints).toEqual([])
    return result
  }

  test('tfjs:webgpu trains as ort:cpu does', async () => {
    const page = await open()
    const reasons = await onPage<Record<string, string>>(page, 'reasons')
    expect(reasons['webgpu']).toBeUndefined()
    expect(reasons['node']).toMatch('native code for Node')
    const { versions } = await trains(page, 'webgpu')
    console.log(`trained on ${versions['adapter']}`)
  })

  test('tfjs:wasm finds its files by itself', async () => {
    const page = await open()
    const { versions } = await trains(page, 'wasm')
    expect(versions['threads']).toBe('up to 1')
    const { isolated, threads, element } = await onPage<PageThreads>(page, 'multiply')
    expect({ isolated, threads, element }).toEqual({ isolated: false, threads: 1, element: 512 })
  })

  test('tfjs:wasm has threads on a cross-origin isolated page', async (context) => {
    const page = await open(ISOLATION)
    const cores = await page.evaluate<number>('navigator.hardwareConcurrency')
    if (cores < 2) context.skip('the machine has one core')
    const { versions } = await trains(page, 'wasm')
    const expectedThreads = Math.min(cores, 8)
    expect(versions['threads']).toBe(`up to ${expectedThreads}`)
    const { isolated, threads, element } = await onPage<PageThreads>(page, 'multiply')
    expect(complaints).toEqual([])
    expect({ isolated, threads, element }).toEqual({
      isolated: true,
      threads: expectedThreads,
      element: 512,
    })
  })
})
if (!existsSync(CHROMIUM))
  console.warn(
    `skipped the tests in a browser: no Chromium at ${CHROMIUM}; install it, or name one in CHROMIUM_PATH`,
  )
