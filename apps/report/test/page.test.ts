// The page in a real browser: what readers do with it, and that nothing inside a record can do anything.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { type BenchRecord, parseRecords, summarize } from '@embed-kd/records'
import { expect, test } from 'vitest'
import { browser, describeInBrowser, drawEverything, openReport } from './browser.js'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

const records = syntheticRecords({ memoryLimitBytes: 1.2e9 })

describeInBrowser('the page', () => {
  const tableRows = (page: Page) => page.locator('#trials tbody tr')
  const check = async (page: Page, menu: string, value: string) => {
    await page.locator('.menu summary', { hasText: menu }).click()
    await page.locator(`.menu input[value="${value}"]`).check()
    await page.keyboard.press('Escape')
  }

  test('opens with three answers, draws every figure and asks the network for nothing', async () => {
    const { page, complaints } = await openReport(browser, records)
    expect(await page.locator('.card .number').allTextContents()).toHaveLength(3)
    expect(await page.locator('.card').first().textContent()).toMatch(/Paper9×/)
    expect(await page.locator('.answer').textContent()).toMatch(/^Yes, .* 3 seeds, 4 epochs/)
    expect(await page.locator('.failures').textContent()).toMatch(/^Did not finish: \d+ of 114/)
    await drawEverything(page)
    // One version of the code has no history.
    // All files of these records have one size.
    const missing = page.locator('#figures figure.missing')
    const ids = await missing.evaluateAll((figures) => figures.map(({ id }) => id))
    expect(ids).toEqual(['figure-file-size', 'figure-history'])
    expect(await page.locator('#figures figure').count()).toBe(12)
    expect(await page.locator('#figures .panel svg[role=img]').count()).toBeGreaterThanOrEqual(13)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('says what summaries lack, and opens a trial of them', async () => {
    const { page, complaints } = await openReport(browser, records.map(summarize))
    expect(await page.locator('.intro .notice').textContent()).toMatch(/^These are summaries\./)
    expect(await page.locator('.card .number').allTextContents()).toHaveLength(3)
    await drawEverything(page)
    expect(await page.locator('#figure-curves figcaption').textContent()).toMatch(/summaries/)
    await tableRows(page).getByRole('link').first().click()
    await page.locator('main.trial figure svg').first().waitFor()
    expect(await page.locator('main.trial .notice').first().textContent()).toMatch(/summaries/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('filters everything, and the address opens the same view again', async () => {
    const { page, complaints } = await openReport(browser, records)
    const before = await tableRows(page).count()
    await check(page, 'Teacher', 'vit-mini')
    await check(page, 'Method', 'embed-kd')
    expect(await page.locator('.filters .count').textContent()).toBe(
      `6 of ${records.length} trials`,
    )
    expect(await tableRows(page).count()).toBe(2)
    expect(before).toBeGreaterThan(2)
    expect(await page.locator('.card').count()).toBe(0)
    expect(await page.locator('.answer').textContent()).toContain(
      'The filters leave out every Teacher-KD trial.',
    )
    const again = await browser.newPage()
    await again.goto(page.url())
    expect(await tableRows(again).allTextContents()).toEqual(
      await tableRows(page).allTextContents(),
    )
    await page.getByRole('button', { name: 'Show all' }).click()
    expect(await tableRows(page).count()).toBe(before)
    expect(complaints).toEqual([])
    await again.close()
    await page.close()
  })

  test('sorts by a column in both directions and keeps what is missing at the end', async () => {
    const { page } = await openReport(browser, records)
    const header = page.getByRole('button', { name: 'Images/s' })
    const column = async () => {
      const at = await header.evaluate((node) => node.closest('th')!.cellIndex + 1)
      const cells = await tableRows(page).locator(`td:nth-child(${at})`).allTextContents()
      return cells.filter((cell) => cell !== '–').map(Number.parseFloat)
    }
    await header.click()
    expect(await column()).toEqual((await column()).toSorted((a, b) => a - b))
    expect(await tableRows(page).last().textContent()).toContain('–')
    await header.click()
    expect(await column()).toEqual((await column()).toSorted((a, b) => b - a))
    expect(await tableRows(page).last().textContent()).toContain('–')
    expect(await page.locator('th[aria-sort=descending]').textContent()).toContain('Images/s')
    await page.close()
  })

  test('holds every row against a baseline', async () => {
    const { page } = await openReport(browser, records, {
      fragment: '#teacher=vit-base-16&batch=16&method=embed-kd&method=teacher-kd',
    })
    await page.getByRole('button', { name: /^Compare: Teacher-KD/ }).click()
    const row = tableRows(page).filter({ hasText: 'Embed-KD' })
    expect(await row.locator('td.numeric:has-text("ms") .relative').textContent()).toMatch(
      /^0\.0\d+×.*better, 95 % interval .*, 3 pairs/,
    )
    expect(page.url()).toContain('baseline=')
    await page.getByRole('button', { name: 'Drop the baseline' }).click()
    expect(await page.locator('.relative').count()).toBe(0)
    await page.close()
  })

  test('opens a trial with its samples, curves, memory and command, and comes back', async () => {
    const { page, complaints } = await openReport(browser, records, {
      fragment: '#method=embed-kd',
    })
    await page.getByRole('link', { name: 'Embed-KD' }).last().click()
    const heading = page.getByRole('heading', { level: 1, name: /^Embed-KD, / })
    await heading.waitFor()
    expect(await heading.evaluate((node) => node === document.activeElement)).toBe(true)
    await page.locator('.trial svg[role=img]').nth(3).waitFor()
    const text = await page.locator('.trial').textContent()
    for (const part of ['Every sample', 'Where the memory goes', 'Training loss', 'Test accuracy'])
      expect(text).toContain(part)
    expect(text).toContain('npx embed-kd step --backend ort:cpu --method embed-kd')
    expect(text).toContain('npx embed-kd verify . --id synthetic-')
    expect(text).toContain('SYNTHETIC processor')
    await page.getByRole('link', { name: 'seed 1' }).click()
    await page.locator('.lede', { hasText: 'seed 1' }).waitFor()
    expect(await page.title()).toMatch(/^Embed-KD, .* – Can a student learn/)
    await page.getByRole('link', { name: '← All trials' }).click()
    expect(await page.locator('.filters .count').textContent()).toContain(' of ')
    expect(await page.title()).toMatch(/^Can a student learn/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('says of a trial that did not finish why, with its last words', async () => {
    const failed = records.find(({ status }) => status === 'oom')!
    const { page } = await openReport(browser, records, { fragment: `#trial=${failed.id}` })
    const notice = await page.locator('.notice.bad').textContent()
    expect(notice).toContain('out of memory')
    expect(notice).toContain('std::bad_alloc')
    await page.close()
  })

  test('hands out the records and the table that pass the filters', async () => {
    const { page } = await openReport(browser, records, { fragment: '#method=supervised' })
    const fetch = async (name: RegExp) => {
      const waiting = page.waitForEvent('download')
      await page.locator('#trials').getByRole('button', { name }).click()
      return readFileSync((await (await waiting).path())!, 'utf8')
    }
    const kept = records.filter(({ trial }) => trial.method === 'supervised')
    const byId = (records: BenchRecord[]) => records.toSorted((a, b) => a.id.localeCompare(b.id))
    expect(byId(parseRecords(await fetch(/^Records/)).records)).toEqual(byId(kept))
    const wide = (await fetch(/^Configurations \(CSV/)).trimEnd().split('\r\n')
    expect(wide).toHaveLength(1 + kept.length / 3)
    expect(wide[0]).toContain('stepSeconds,stepSecondsLow')
    const tidy = (await fetch(/^Trials \(CSV/)).trimEnd().split('\r\n')
    expect(tidy).toHaveLength(1 + kept.length)
    await page.close()
  })

  test('searches rows and hides columns, and the address keeps both', async () => {
    const { page } = await openReport(browser, records)
    const all = await tableRows(page).count()
    await page.getByRole('searchbox', { name: 'Search rows' }).fill('embed vit-base')
    expect(await tableRows(page).count()).toBe(2)
    expect(all).toBeGreaterThan(2)
    await page.locator('#trials .menu summary').click()
    await page.getByRole('checkbox', { name: 'Images/s' }).uncheck()
    expect(await page.getByRole('button', { name: 'Images/s' }).count()).toBe(0)
    const again = await browser.newPage()
    await again.goto(page.url())
    expect(await tableRows(again).allTextContents()).toEqual(
      await tableRows(page).allTextContents(),
    )
    await again.close()
    await page.close()
  })

  test('leads back to where the reader was, with the focus on the link that was followed', async () => {
    const { page } = await openReport(browser, records)
    await page.locator('#trials tbody a').nth(20).scrollIntoViewIfNeeded()
    await page.waitForTimeout(300)
    const before = await page.evaluate(() => scrollY)
    await page.locator('#trials tbody a').nth(20).click()
    await page.locator('.trial h1').waitFor()
    await page.goBack()
    await page.locator('.cards').waitFor()
    await page.waitForTimeout(300)
    expect(Math.abs((await page.evaluate(() => scrollY)) - before)).toBeLessThan(4)
    const link = page.locator('#trials tbody a').nth(20)
    expect(await link.evaluate((node) => node === document.activeElement)).toBe(true)
    await page.close()
  })

  test('hands out every figure as SVG and PNG with its own colours, and leads to it by an address', async () => {
    const { page, complaints } = await openReport(browser, records, {
      fragment: '#method=embed-kd&method=teacher-kd',
      dark: true,
    })
    await drawEverything(page)
    const figure = page.locator('#figure-ratios')
    const fetch = async (name: string) => {
      const waiting = page.waitForEvent('download')
      await figure.getByRole('button', { name, exact: true }).click()
      return readFileSync((await (await waiting).path())!)
    }
    const svg = (await fetch('SVG')).toString()
    expect(svg).toMatch(/^<svg[^>]+width="\d+"/)
    expect(svg).toContain('in every setting that both ran')
    expect(svg).not.toMatch(/var\(--|class=|:where/)
    // Blue of the light theme, although the page is dark.
    expect(svg).toContain('rgb(42, 118, 192)')
    const png = await fetch('PNG')
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png.length).toBeGreaterThan(5000)
    expect((await fetch('LaTeX')).toString()).toContain(String.raw`\toprule`)
    expect((await fetch('Markdown')).toString()).toMatch(/^\| Setting \|/)
    const address = await page.locator('#figure-curves').getByRole('link').getAttribute('href')
    expect(address).toBe('#method=embed-kd&method=teacher-kd&figure=curves')
    await page.locator('#figure-curves').getByRole('link').click()
    await page.waitForTimeout(500)
    const top = await page
      .locator('#figure-curves')
      .evaluate((node) => node.getBoundingClientRect().top)
    expect(Math.abs(top)).toBeLessThan(120)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('predicts the cost of another teacher, with the error of its calibration', async () => {
    const { page, complaints } = await openReport(browser, records)
    const section = page.locator('#what-if')
    await section.scrollIntoViewIfNeeded()
    await section.locator('.lede', { hasText: 'missed by' }).waitFor()
    expect(await section.locator('.lede').textContent()).toMatch(
      /missed by a factor of 1\.\d+ in the median/,
    )
    await section.getByLabel('Teacher').selectOption('vit-tiny-16')
    await section.getByLabel('Batch').fill('32')
    await section.getByRole('button', { name: 'Predict' }).click()
    const rows = section.locator('.prediction tbody tr')
    await rows.first().waitFor()
    expect(await rows.first().textContent()).toMatch(/^Teacher-KD/)
    expect(await section.locator('.prediction').textContent()).toMatch(/pay after .* epochs/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('shows markup inside a record as text and runs none of it', async () => {
    const bomb =
      '</script><img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>{{}}'
    const hostile = records.slice(0, 60).map((record): BenchRecord => {
      const poison = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(poison)
        if (typeof value === 'object' && value !== null)
          return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, poison(item)]))
        return typeof value === 'string' ? value + bomb : value
      }
      const { status, startedAt, trial, reason = 'none' } = record
      const poisoned = poison(record) as BenchRecord
      const { method, preset } = trial
      return {
        ...poisoned,
        trial: { ...poisoned.trial, method, preset },
        status,
        startedAt,
        reason: reason + bomb,
        warnings: [bomb],
      }
    })
    const { page, complaints } = await openReport(browser, hostile, {}, { title: bomb })
    await drawEverything(page)
    expect(await page.title()).toBe(bomb)
    await page.locator('#trials tbody a').first().click()
    await page.locator('.trial svg').first().waitFor()
    expect(await page.locator('.trial').textContent()).toContain(bomb)
    expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false)
    expect(await page.locator('img').count()).toBe(0)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('compares with earlier records, regressions first', async () => {
    const slower = syntheticRecords({ memoryLimitBytes: 1.2e9, slowdown: 1.3 })
    const { page } = await openReport(browser, slower, {}, { before: records })
    expect(await page.locator('#changes .lede').textContent()).toMatch(
      /^From commit 0000000 \(2026-11-23, SYNTHETIC processor, 2 cores\) to .*: \d+ regressions, 0 improvements/,
    )
    expect(await page.locator('#changes tbody tr').first().textContent()).toContain('1.30×')
    await page.close()
  })

  test('says so when there is nothing to show', async () => {
    const { page, complaints } = await openReport(browser, [])
    expect(await page.locator('main').textContent()).toContain(
      'There are no records in this report.',
    )
    expect(complaints).toEqual([])
    await page.close()
  })
})
