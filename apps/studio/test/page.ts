// Opens the built studio in headless Chromium, and reads the page. Errors of the page and its requests to other hosts are collected.
import { existsSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'

import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core'
import { preview, type PreviewServer } from 'vite'
import { parseRecords, type BenchRecord } from '@embed-kd/records'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const root = join(import.meta.dirname, '..')

export const hasChromium = existsSync(CHROMIUM)
if (!hasChromium)
  console.warn(
    `skipped the studio: no Chromium at ${CHROMIUM}; install it, or name one in CHROMIUM_PATH`,
  )

/** WebGPU without a GPU: Chromium's own software device. */
export const SOFTWARE_WEBGPU = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]

export const launch = (flags: readonly string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...flags] })

/** Serves the built studio. @param isolated whether with the headers that allow threads. */
export const serve = (isolated = true, port = 0): Promise<PreviewServer> =>
  preview({
    root,
    logLevel: 'error',
    ...(isolated ? {} : { configFile: false }),
    preview: { host: '127.0.0.1', port },
  })

/** Stops a server, though a browser keeps connections open. */
export async function stop(server: PreviewServer): Promise<void> {
  const closed = server.close()
  ;(server.httpServer as Server).closeAllConnections()
  await closed
}

export class Studio {
  readonly page: Page
  /** Errors that the page threw, and addresses on other hosts that it asked for. */
  readonly complaints: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url())
      if (protocol.startsWith('http') && hostname !== '127.0.0.1')
        this.complaints.push(request.url())
    })
  }

  /** Opens the page, and waits until it has its images. */
  static async open(
    browser: Browser,
    server: PreviewServer,
    options: BrowserContextOptions = {},
    given?: BrowserContext,
  ): Promise<Studio> {
    const context =
      given ?? (await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options }))
    const studio = new Studio(await context.newPage())
    await studio.page.goto(server.resolvedUrls!.local[0]!)
    await studio.says(/Ready/)
    return studio
  }

  /** Waits until the status or an error matches. Returns the text. @throws if it is an error that does not match. */
  async says(text: RegExp, timeout = 400_000): Promise<string> {
    const found = await this.page.waitForFunction(
      (source) => {
        const shown = [...document.querySelectorAll('#status, #error:not([hidden])')]
        const texts = shown.map(({ textContent }) => textContent ?? '')
        return texts.find((text) => new RegExp(source).test(text)) ?? texts[1]
      },
      text.source,
      { timeout },
    )
    const value = (await found.jsonValue())!
    if (!text.test(value)) throw new Error(`the studio says: ${value}`)
    return value
  }

  /** Changes settings, and presses the button. */
  async train(fields: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.page.evaluate(() => {
      document.querySelector('details')!.open = true
    })
    for (const [id, value] of Object.entries(fields)) {
      const field = this.page.locator(`#${id}`)
      const isSelect = await field.evaluate((element) => element.tagName === 'SELECT')
      await (isSelect ? field.selectOption(value) : field.fill(value))
    }
    await this.page.click('#start')
  }

  /** Waits until so many steps of the last run have ended. */
  async reaches(step: number, timeout = 400_000): Promise<void> {
    await this.page.waitForFunction(
      (step) =>
        !document.querySelector<HTMLElement>('#error')!.hidden ||
        ([...document.querySelectorAll<HTMLProgressElement>('.run progress')].at(-1)?.value ??
          -1) >= step,
      step,
      { timeout },
    )
    const error = this.page.locator('#error')
    if (await error.isVisible()) throw new Error((await error.textContent())!)
  }

  async download(id: 'onnx' | 'safetensors' | 'record'): Promise<{ name: string; path: string }> {
    const [file] = await Promise.all([
      this.page.waitForEvent('download'),
      this.page.click(`#${id}`),
    ])
    return { name: file.suggestedFilename(), path: await file.path() }
  }

  /** Returns the losses of the run that the browser keeps. */
  keptLosses(): Promise<number[]> {
    return this.page.evaluate(
      () =>
        new Promise<number[]>((resolve, reject) => {
          const open = indexedDB.open('embed-kd-studio')
          open.addEventListener('error', () => reject(open.error!))
          open.addEventListener('success', () => {
            const get = open.result.transaction('runs').objectStore('runs').get('last')
            get.addEventListener('error', () => reject(get.error!))
            get.addEventListener('success', () =>
              resolve((get.result.points as [number, number][]).map(([, loss]) => loss)),
            )
          })
        }),
    )
  }

  async records(): Promise<BenchRecord[]> {
    const { path } = await this.download('record')
    return parseRecords(readFileSync(path, 'utf8')).records
  }
}
