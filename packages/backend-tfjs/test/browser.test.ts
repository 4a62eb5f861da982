// core and tfjs:webgpu in a real headless Chromium, bundled by vite and served on loopback: the losses of ort:cpu.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ortBackend } from '@embed-kd/backend-ort'
import { chromium } from 'playwright-core'
import { build, preview, type InlineConfig } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { losses } from './browser/training.js'
import type { PageResult } from './browser/page.js'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
/** WebGPU without a GPU: Chromium's own software device. */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]
const STEPS = 5

const outDir = mkdtempSync(join(tmpdir(), 'embed-kd-browser-'))
afterAll(() => rmSync(outDir, { recursive: true }))
const config: InlineConfig = {
  configFile: false,
  logLevel: 'error',
  root: join(import.meta.dirname, 'browser'),
  resolve: { conditions: ['@embed-kd/source', 'browser', 'module', 'import', 'default'] },
  build: { outDir, emptyOutDir: true, target: 'esnext' },
  preview: { host: '127.0.0.1', port: 0 },
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

test.skipIf(!existsSync(CHROMIUM))(
  'a small student trains in Chromium as on ort:cpu',
  { timeout: 240_000 },
  async () => {
    const reference = await ortBackend.create('cpu')
    const expected = await losses(reference, STEPS)
    await reference.dispose()

    const server = await preview(config)
    afterAll(() => server.close())
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
    afterAll(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(server.resolvedUrls!.local[0]!)
    const result = await page.evaluate(
      (steps) =>
        (globalThis as unknown as { train: (n: number) => Promise<PageResult> }).train(steps),
      STEPS,
    )

    expect(complaints).toEqual([])
    expect(result.losses).toHaveLength(STEPS)
    result.losses.forEach((loss, step) => expect(loss).toBeCloseTo(expected[step]!, 4))
    expect(expected[STEPS - 1]!).toBeLessThan(expected[0]!)
    expect(result.buffers).toBe(0)
    expect(result.reasons['webgpu']).toBeUndefined()
    expect(result.reasons['node']).toMatch('native code for Node')
    console.log(`Chromium trained on ${result.adapter}: ${result.losses.join(' ')}`)
  },
)
if (!existsSync(CHROMIUM))
  console.warn(
    `skipped training in a browser: no Chromium at ${CHROMIUM}; install it, or name one in CHROMIUM_PATH`,
  )
