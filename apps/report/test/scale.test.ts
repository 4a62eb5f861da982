// Ten thousand records: the page opens within two seconds and answers a filter within a tenth of one.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, noBrowser, openReport } from './browser.js'
import { syntheticRecords } from './synthetic.js'

if (noBrowser !== undefined) console.warn(`skipping the tests of scale: ${noBrowser}`)

const OPEN_MS = 2000
const FILTER_MS = 100

// 4 backends x 2 data sets x 2 presets x 5 batches x (supervised + 3 methods x 6 teachers) x 7 seeds.
const records = syntheticRecords({
  backends: ['ort:cpu', 'ort:webgpu', 'tfjs:wasm', 'tfjs:webgpu'],
  datasets: ['mnist', 'fashion-mnist'],
  presets: ['paper', 'corrected'],
  batches: [8, 16, 32, 64, 128],
  seeds: 7,
}).slice(0, 10_000)

describe.skipIf(noBrowser !== undefined)('with 10,000 records', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  const open = async (): Promise<[Page, number]> => {
    const { page, complaints } = await openReport(browser, records)
    const ms = await page.evaluate(
      () =>
        new Promise<number>((done) => {
          requestAnimationFrame(() => setTimeout(() => done(performance.now())))
        }),
    )
    expect(complaints).toEqual([])
    expect(await page.locator('.filters .count').textContent()).toBe('10,000 trials')
    return [page, ms]
  }

  // The best of several turns, here and below: what the page needs, not what else the machine was doing.
  test(`the page opens within ${OPEN_MS} ms`, async () => {
    const times: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      const [page, ms] = await open()
      times.push(ms)
      await page.close()
    }
    console.log(`opened in ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    expect(Math.min(...times)).toBeLessThan(OPEN_MS)
  })

  test.each(['the first screen', 'the figures', 'the table'])(
    `a filter answers within ${FILTER_MS} ms while %s is in sight`,
    async (place) => {
      const [page] = await open()
      const target = { 'the figures': '#figures', 'the table': '#trials' }[place]
      if (target !== undefined) {
        await page.locator(target).evaluate((node) => node.scrollIntoView())
        await page.waitForTimeout(300)
      }
      const times = await page.evaluate(() => {
        const boxes = [...document.querySelectorAll<HTMLInputElement>('.menu input[name=teacher]')]
        const best = boxes.map(() => Number.POSITIVE_INFINITY)
        for (let turn = 0; turn < 4; turn++) {
          for (const [at, box] of boxes.entries()) {
            const start = performance.now()
            box.click()
            // Reading a size makes the browser lay the new page out before the clock stops.
            void document.body.offsetHeight
            best[at] = Math.min(best[at]!, performance.now() - start)
          }
        }
        return best
      })
      console.log(`${place}: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
      expect(Math.max(...times)).toBeLessThan(FILTER_MS)
      await page.close()
    },
  )
})
