// The built studio in a real headless Chromium: a student learns on wasm, can be tried, kept and resumed, and the page stays usable.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { chromium, type Browser, type Page } from 'playwright-core'
import { preview, type PreviewServer } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const root = join(import.meta.dirname, '..')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const FLAGS = ['--no-sandbox', '--disable-quic', '--disable-background-networking']

if (!existsSync(CHROMIUM))
  console.warn(
    `skipped the studio: no Chromium at ${CHROMIUM}; install it, or name one in CHROMIUM_PATH`,
  )

describe.skipIf(!existsSync(CHROMIUM))('the studio', { timeout: 420_000 }, () => {
  let server: PreviewServer
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    server = await preview({ root, logLevel: 'error', preview: { host: '127.0.0.1', port: 0 } })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url())
      if (protocol.startsWith('http') && hostname !== '127.0.0.1') complaints.push(request.url())
    })
    await page.goto(server.resolvedUrls!.local[0]!)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  const settled = (text: RegExp) =>
    page.waitForFunction(
      (source) => {
        const shown = [...document.querySelectorAll('#status, #error:not([hidden])')]
        return shown.some(({ textContent }) => new RegExp(source).test(textContent ?? ''))
      },
      text.source,
      { timeout: 400_000 },
    )
  const statusText = () => page.textContent('#status')

  it('is ready before anyone presses a button', async () => {
    await page.waitForSelector('#start:not([disabled])')
    expect(await page.textContent('#source')).toMatch('embeddings: centroids')
  })

  it('has no accessibility violation, light or dark, wide or narrow', async () => {
    await page.evaluate(AXE)
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string }[] }> }
          }
          return (await axe.run()).violations.map(({ id }) => id)
        })
        expect(violations, `${colorScheme} ${width}`).toEqual([])
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        expect(overflow, `${width} px`).toBeLessThanOrEqual(0)
      }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 900 })
  })

  it('pauses, survives a reload, resumes, and learns', async () => {
    await page.fill('#batch', '200')
    await page.click('#start')
    await page.waitForFunction(() =>
      /step \d/.test(document.querySelector('#status')!.textContent!),
    )
    await page.click('#pause')
    await settled(/Paused/)
    await page.reload()
    await page.waitForSelector('#resume:not([hidden])')
    await page.click('#resume')
    await settled(/Done/)
    const accuracy = Number(/([\d.]+) %/.exec((await statusText())!)![1])
    // Ten classes after two epochs over a tenth of MNIST: far beyond chance.
    expect(accuracy).toBeGreaterThan(50)
    console.log(`the studio: ${await statusText()}`)
  })

  it('classifies what a reader draws', async () => {
    const pad = page.locator('#pad')
    await pad.scrollIntoViewIfNeeded()
    const box = (await pad.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + 30)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 30, { steps: 8 })
    await page.mouse.up()
    await page.waitForFunction(() =>
      /\d: \d+ %/.test(document.querySelector('#answer')!.textContent!),
    )
  })

  it('gives the student away as ONNX', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#onnx')])
    const file = await download.path()
    expect(download.suggestedFilename()).toBe('model.onnx')
    expect(readFileSync(file).length).toBeGreaterThan(100_000)
  })

  it('says what is wrong with a file that is no embeddings', async () => {
    const file = join(root, '.tsbuild', 'hostile.safetensors')
    writeFileSync(file, 'not a file of tensors')
    await page.setInputFiles('#embeddings', file)
    await page.waitForSelector('#error:not([hidden])')
    expect(await page.textContent('#error')).toMatch(/\w/)
  })

  it('asked nobody else for anything, and threw nothing', () => {
    expect(complaints).toEqual([])
  })
})
