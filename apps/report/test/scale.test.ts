// Ten thousand records: the page shows all of them, and draws no more than what is in sight. `npm run bench:scale` takes the times.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { browser, describeInBrowser, drawEverything, openReport } from './browser.js'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

// 4 backends x 2 data sets x 2 presets x 5 batches x (supervised + 3 methods x 6 teachers) x 7 seeds.
const records = syntheticRecords({
  backends: ['ort:cpu', 'ort:webgpu', 'tfjs:wasm', 'tfjs:webgpu'],
  datasets: ['mnist', 'fashion-mnist'],
  presets: ['paper', 'corrected'],
  batches: [8, 16, 32, 64, 128],
  seeds: 7,
}).slice(0, 10_000)
const ROWS_AT_FIRST = 40

describeInBrowser('with 10,000 records', () => {
  const shown = (page: Page) => page.locator('.filters .count').textContent()
  const rows = (page: Page) => page.locator('#trials tbody tr').count()

  test('the page counts all of them, and draws the first rows and the figures in sight', async () => {
    const { page, complaints } = await openReport(browser, records)
    expect(await shown(page)).toBe('10,000 trials')
    expect(await rows(page)).toBe(ROWS_AT_FIRST)
    const figures = page.locator('#figures figure')
    const drawn = figures.filter({ has: page.locator('figcaption:not(:empty)') })
    await page.evaluate(() => scrollTo(0, 0))
    expect(await drawn.count()).toBeLessThan((await figures.count()) / 2)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('filters on teachers count what passes', async () => {
    const { page, complaints } = await openReport(browser, records)
    const boxes = page.locator('.menu input[name=teacher]')
    const chosen = new Set<string>()
    for (let at = 0; at < (await boxes.count()); at++) {
      chosen.add(await boxes.nth(at).evaluate((box: HTMLInputElement) => (box.click(), box.value)))
      // Supervised trials have no teacher, and pass.
      const passing = records.filter(
        ({ trial: { teacher } }) => teacher === undefined || chosen.has(teacher.name),
      ).length
      const all = passing === records.length
      const count = all ? '10,000 trials' : `${passing.toLocaleString('en')} of 10,000 trials`
      expect(await shown(page)).toBe(count)
      expect(await rows(page)).toBe(ROWS_AT_FIRST)
    }
    expect(chosen.size).toBe(6)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('a filter redraws the figures in sight and no others', async () => {
    const { page } = await openReport(browser, records)
    await drawEverything(page)
    for (const place of ['.intro', '#figures', '#trials']) {
      await page.locator(place).evaluate((node) => node.scrollIntoView())
      await page.waitForTimeout(300)
      const { drawn, inSight, redrawn } = await page.evaluate(() => {
        const drawn = [...document.querySelectorAll('#figures .panel:first-child')].map(
          (panel) => ({ panel, figure: panel.closest('figure')! }),
        )
        const inSight = drawn.filter(({ figure }) => {
          const { top, bottom } = figure.getBoundingClientRect()
          // Figures are drawn from 200 px before they come into sight.
          return bottom > -200 && top < innerHeight + 200
        })
        document.querySelector<HTMLElement>('.menu input[name=teacher]')!.click()
        const redrawn = drawn.filter(({ panel }) => !panel.isConnected)
        const ids = (some: typeof drawn) => some.map(({ figure }) => figure.id)
        return { drawn: ids(drawn), inSight: ids(inSight), redrawn: ids(redrawn) }
      })
      expect(redrawn, place).toEqual(inSight)
      expect(redrawn.length, place).toBeLessThan(drawn.length / 2)
    }
    await page.close()
  })
})
