// A real headless Chromium with a report open in it, for the tests that need one.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { type BenchRecord, renderReport, type ReportOptions } from '@embed-kd/records'

const template = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')
const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** Why the tests cannot run here; undefined if they can. */
const noBrowser = existsSync(CHROMIUM)
  ? undefined
  : `no Chromium at ${CHROMIUM}: install it, or name one in CHROMIUM_PATH`

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The browser of a test file, launched while the tests of `describeInBrowser` run. */
export let browser: Browser

/** Describes tests that use `browser`; skips them, with the reason printed, if there is no Chromium. */
export function describeInBrowser(name: string, tests: () => void): void {
  if (noBrowser !== undefined) console.warn(`skipping "${name}": ${noBrowser}`)
  describe.skipIf(noBrowser !== undefined)(name, () => {
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
    })
    afterAll(() => browser?.close())
    tests()
  })
}

export interface Opened {
  readonly page: Page
  /** What went wrong in the page: errors, and requests for anything but the file itself. */
  readonly complaints: string[]
}

export interface View {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  readonly fragment?: string
}

const directory = mkdtempSync(join(tmpdir(), 'embed-kd-report-'))
afterAll(() => rmSync(directory, { recursive: true }))
let reports = 0

/** Writes a report of these records to a file and opens it as a reader would. */
export async function openReport(
  browser: Browser,
  records: readonly BenchRecord[],
  { width = 1280, height = 800, dark = false, fragment = '' }: View = {},
  options: ReportOptions = {},
): Promise<Opened> {
  const file = join(directory, `${reports++}.html`)
  writeFileSync(file, renderReport(template, records, options))
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  const address = pathToFileURL(file).href
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(address) && !/^(?:data|blob):/.test(url)) complaints.push(`request: ${url}`)
  })
  await page.goto(address + fragment)
  return { page, complaints }
}

/** Waits until every figure is drawn, by scrolling through the page. */
export async function drawEverything(page: Page): Promise<void> {
  const figures = page.locator('#figures figure')
  for (let at = 0; at < (await figures.count()); at++) {
    await figures.nth(at).scrollIntoViewIfNeeded()
    await page.waitForFunction((at) => {
      const figure = document.querySelectorAll('#figures figure')[at]!
      return figure.querySelector('figcaption')!.textContent !== ''
    }, at)
  }
}
