// How the page is shown in a real browser: sizes, themes, keyboard, paper, narrow windows, and what axe finds.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type AxeCore from 'axe-core'
import { expect, test } from 'vitest'
import { browser, describeInBrowser, drawEverything, openReport, type View } from './browser.js'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

const records = syntheticRecords({ memoryLimitBytes: 1.2e9 })

describeInBrowser('the page', () => {
  test('gives every control at least 24 px', async () => {
    const { page } = await openReport(browser, records, { width: 390 })
    await drawEverything(page)
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, summary, .figure-tools a, #trials tbody a')]
        .map((node) => ({ text: node.textContent, box: node.getBoundingClientRect() }))
        .filter(({ box }) => box.height > 0 && box.height < 23.5)
        .map(({ text }) => text),
    )
    expect(small).toEqual([])
    await page.close()
  })

  test('follows the system into the dark, or the reader', async () => {
    const { page } = await openReport(browser, records, { dark: true })
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await paper()
    await page.getByRole('button', { name: 'Theme: auto' }).click()
    const light = await paper()
    expect(light).toBe('rgb(255, 255, 255)')
    expect(dark).not.toBe(light)
    await page.getByRole('button', { name: 'Theme: light' }).click()
    expect(await paper()).toBe(dark)
    await page.close()
  })

  test('works from the keyboard alone', async () => {
    const { page } = await openReport(browser, records)
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
      'Skip to the report',
    )
    await page.locator('.menu summary').first().focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    expect(await page.locator('.filters .menu input:checked').count()).toBe(1)
    await page.keyboard.press('Escape')
    expect(await page.locator('.menu[open]').count()).toBe(0)
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('SUMMARY')
    await page.getByRole('button', { name: 'Step' }).focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    expect(await page.locator('th[aria-sort=descending]').textContent()).toContain('Step')
    await page.close()
  })

  test('prints every figure, though none was seen, and cuts none', async () => {
    const { page } = await openReport(browser, records, { width: 1440 })
    const pdf = await page.pdf({ format: 'A4' })
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(await page.locator('#figures figcaption:empty').count()).toBe(0)
    await page.emulateMedia({ media: 'print' })
    const ends = await page.evaluate(() => {
      dispatchEvent(new Event('beforeprint'))
      // The width of an A4 page between its margins.
      document.body.style.width = '688px'
      const drawings = [...document.querySelectorAll('#figures .panel svg')]
      return drawings.map((drawing) => drawing.getBoundingClientRect().right)
    })
    expect(ends.length).toBeGreaterThanOrEqual(13)
    expect(Math.max(...ends)).toBeLessThanOrEqual(689)
    await page.close()
  })

  test.each<[string, View]>([
    ['wide, light', { width: 1280 }],
    ['wide, dark', { width: 1280, dark: true }],
    ['narrow, light', { width: 390 }],
    ['a trial', { width: 1280, fragment: '#trial=synthetic-0' }],
    ['a trial, dark', { width: 390, dark: true, fragment: '#trial=synthetic-1' }],
    ['a baseline', { width: 1280, fragment: '#baseline=synthetic-0&sort=stepSeconds' }],
  ])('axe finds nothing to complain of: %s', async (_name, view) => {
    const before = syntheticRecords({ memoryLimitBytes: 1.3e9, slowdown: 1.1 })
    const { page, complaints } = await openReport(browser, records, view, { before })
    if (!view.fragment?.includes('trial')) await drawEverything(page)
    else await page.locator('.trial svg').first().waitFor()
    for (const summary of await page.locator('details.data > summary:visible').all())
      await summary.click()
    const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
    await page.evaluate(readFileSync(axe, 'utf8'))
    const { violations, passes } = await page.evaluate(() =>
      (globalThis as unknown as { axe: typeof AxeCore }).axe.run(document),
    )
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
    expect(passes.length).toBeGreaterThan(15)
    expect(complaints).toEqual([])
    await page.close()
  })

  test.each([390, 768, 1280])('never scrolls sideways at %i px', async (width) => {
    const { page } = await openReport(browser, records, { width })
    await drawEverything(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
    await page.close()
  })
})
