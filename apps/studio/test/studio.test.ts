// The built studio in a real headless Chromium: a student learns on wasm, can be tried, kept and resumed, and the page stays usable.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { parseSafetensors } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser } from 'playwright-core'
import type { PreviewServer } from 'vite'

import { hasChromium, launch, serve, Studio } from './page.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

describe.skipIf(!hasChromium)('the studio', { timeout: 420_000 }, () => {
  let server: PreviewServer
  let browser: Browser
  let studio: Studio

  beforeAll(async () => {
    server = await serve()
    browser = await launch()
    studio = await Studio.open(browser, server)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  /** Looks for violations and overflow, light and dark, wide and narrow. */
  async function isAccessible(): Promise<void> {
    const { page } = studio
    await page.evaluate(AXE)
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
          }
          return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`)
        })
        expect(violations, `${colorScheme} ${width}`).toEqual([])
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        expect(overflow, `${width} px`).toBeLessThanOrEqual(0)
      }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 900 })
  }

  it('is ready before anyone presses a button, and has loaded no runtime by then', async () => {
    expect(await studio.page.textContent('#fact-teacher')).toMatch('one vector for each class')
    const loaded = await studio.page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => name),
    )
    expect(loaded.filter((name) => name.endsWith('.wasm'))).toEqual([])
  })

  it('has no accessibility violation before training', isAccessible)

  it('pauses, survives a reload, resumes, and learns', async () => {
    const { page } = studio
    await studio.train({ batch: '200' })
    await studio.reaches(10)
    await page.click('#pause')
    await studio.says(/Paused/)
    await page.reload()
    await page.waitForSelector('#resume:not([hidden])')
    await page.click('#resume')
    const status = await studio.says(/Done/)
    // Ten classes after two epochs over a tenth of MNIST: far beyond chance.
    expect(Number(/([\d.]+) %/.exec(status)![1])).toBeGreaterThan(50)
    expect(await page.isVisible('#resume')).toBe(false)
    console.log(`the studio: ${status}`)
  })

  it('has no accessibility violation after training', isAccessible)

  it('classifies what a reader draws, and a test image for those who cannot draw', async () => {
    const { page } = studio
    const pad = page.locator('#pad')
    await pad.scrollIntoViewIfNeeded()
    const box = (await pad.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + 30)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 30, { steps: 8 })
    await page.mouse.up()
    await page.waitForFunction(() => document.querySelectorAll('#answer li').length === 3)
    await page.focus('#sample')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() =>
      /labelled \d/.test(document.querySelector('#answer-text')!.textContent!),
    )
  })

  it('gives the student away as ONNX and safetensors', async () => {
    const onnx = await studio.download('onnx')
    expect(onnx.name).toBe('model.onnx')
    expect(readFileSync(onnx.path).length).toBeGreaterThan(100_000)
    const weights = await studio.download('safetensors')
    expect(weights.name).toBe('model.safetensors')
    const { tensors } = parseSafetensors(readFileSync(weights.path))
    expect(tensors.size).toBeGreaterThan(10)
  })

  it('compares two methods, and gives a record of both that embed-kd report reads beside others', async () => {
    await studio.train({ batch: '600', other: 'supervised', epochs: '1' })
    const status = await studio.says(/Done/)
    expect(status).toMatch(/Embed-KD [\d.]+ %, Supervised [\d.]+ %/)
    const records = await studio.records()
    expect(records.map(({ trial }) => trial.method)).toEqual(['embed-kd', 'supervised'])
    const [first] = records
    expect(first).toMatchObject({
      status: 'ok',
      trial: {
        backend: 'tfjs:wasm',
        epochs: 1,
        batch: 600,
        trainImages: 6000,
        testImages: 1000,
        centroidImages: 100,
        teacher: { name: 'trained-m', kind: 'trained', parameterCount: 819_328 },
        dataset: { name: 'mnist', classes: 10 },
      },
      environment: { browser: expect.stringMatching(/^Chrome \d+$/) },
    })
    expect(first!.curves!.loss).toHaveLength(10)
    expect(first!.time!.stepSeconds).toHaveLength(8)
    expect(first!.accuracy).toBe(first!.curves!.epochs.at(-1)!.testAccuracy)

    const root = join(import.meta.dirname, '../../..')
    const { path } = await studio.download('record')
    const [command, quick] = ['packages/cli/dist/cli.js', 'docs/results/quick.jsonl'].map((file) =>
      join(root, file),
    ) as [string, string]
    const out = join(import.meta.dirname, '../.tsbuild/report.html')
    const args = ['report', path, quick, '--json', '--out', out]
    const printed = execFileSync(process.execPath, [command, ...args], { encoding: 'utf8' })
    const others = readFileSync(quick, 'utf8').trim().split('\n')
    expect(JSON.parse(printed)).toMatchObject({ records: others.length + 2, skipped: [] })
  })

  it('asked nobody else for anything, and threw nothing', () => {
    expect(studio.complaints).toEqual([])
  })
})
