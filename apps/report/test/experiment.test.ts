// The parts of the page that an experiment fills: methods with their tests, controls, searches, accuracy against seconds, and
// what the build adds.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type AxeCore from 'axe-core'
import type { BenchRecord } from '@embed-kd/records'
import { expect, test } from 'vitest'
import { browser, describeInBrowser, drawEverything, openReport } from './browser.js'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

const methods = ['supervised', 'teacher-kd', 'embed-kd'] as const
const plain = syntheticRecords({
  methods,
  teachers: ['vit-mini'],
  batches: [128],
  labels: [0.01, undefined],
  testResults: true,
  gains: { 'embed-kd': 0.02 },
})
const search = { learningRate: [1e-4, 1e-3] }
const searched = {
  seed: 9,
  trials: search.learningRate.map((learningRate) => ({
    id: `search-${learningRate}`,
    values: { learningRate },
    accuracy: 0.9 - learningRate,
  })),
}
const results = plain.map((record): BenchRecord => ({
  ...record,
  trial: { ...record.trial, search },
  searched,
}))
const controls = results
  .filter(({ trial }) => trial.method === 'embed-kd')
  .map((record): BenchRecord => ({
    ...record,
    id: `${record.id}-control`,
    trial: { ...record.trial, anchors: 'orthogonal' },
  }))
const searches = searched.trials.map(({ id, values }): BenchRecord => {
  const { accuracy: _accuracy, testResults: _results, ...record } = plain[0]!
  return { ...record, id, trial: { ...record.trial, ...values, seed: 9, purpose: 'search' } }
})
const records = [...results, ...controls, ...searches]

describeInBrowser('the report of an experiment', () => {
  test('tells the methods apart, and says what the tests say', async () => {
    const { page, complaints } = await openReport(browser, records)
    await page.locator('#methods').scrollIntoViewIfNeeded()
    const table = page.locator('table.methods').first()
    await table.waitFor()
    expect(await table.locator('thead th').allTextContents()).toEqual([
      'Method',
      '1 % of the labels',
      'all labels',
    ])
    expect(await table.locator('tbody th').allTextContents()).toEqual([
      'Supervised',
      'Teacher-KD',
      'Embed-KD',
    ])
    const cell = await table.locator('tbody tr').last().locator('td').last().textContent()
    expect(cell).toMatch(/% ± \d.*3 seeds.*to Supervised \+\d.*p .*\*.*to Teacher-KD \+/)
    const card = await page.locator('.card').last().textContent()
    expect(card).toMatch(/Supported: at least as accurate as Teacher-KD, within 1 point/)
    expect(card).toMatch(/Supported: more accurate than Supervised/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('has controls and searches in tables of their own', async () => {
    const { page } = await openReport(browser, records)
    await page.locator('#methods').scrollIntoViewIfNeeded()
    const blocks = page.locator('#methods .block')
    await blocks.first().waitFor()
    expect(await blocks.locator('h3').allTextContents()).toEqual([
      "Does the teacher's knowledge matter?",
      'How hyperparameters were chosen',
    ])
    expect(await blocks.first().textContent()).toMatch(/Refuted: the teacher's knowledge matters/)
    expect(await blocks.last().textContent()).toContain('learning rate 0.0001, 0.001')
    const heads = await page.locator('table.trials thead th').allTextContents()
    for (const name of ['Share of labels', 'Anchors', 'Purpose'])
      expect(heads.some((head) => head.startsWith(name))).toBe(true)
    await page.close()
  })

  test('tells what each of several teachers adds', async () => {
    const alone = plain.filter(({ trial }) => trial.labels === undefined)
    const both = alone
      .filter(({ trial }) => trial.method === 'embed-kd')
      .map((record): BenchRecord => {
        const { place: _place, members: _members, ...own } = record.trial.teacher!
        const member = { ...own, kind: 'trained' as const, weight: 1 }
        const teacher = {
          name: 'vit-mini + other',
          kind: 'several' as const,
          embeddingWidth: 256,
          members: [member, { ...member, name: 'other' }],
        }
        return { ...record, id: `${record.id}-both`, trial: { ...record.trial, teacher } }
      })
    const { page, complaints } = await openReport(browser, [...alone, ...both])
    await page.locator('#methods').scrollIntoViewIfNeeded()
    const block = page.locator('#methods .block')
    await block.waitFor()
    expect(await block.locator('h3').textContent()).toBe('What does each teacher add?')
    const rows = await block.locator('tbody tr').allTextContents()
    expect(rows).toHaveLength(3)
    expect(rows[0]).toContain('vit-mini + other')
    expect(rows[2]).toContain('none')
    expect(await block.textContent()).toMatch(/Refuted: every teacher adds to the others/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('draws accuracy against the seconds spent, read at equal seconds', async () => {
    const { page } = await openReport(browser, records)
    const figure = page.locator('#figure-spending')
    await figure.scrollIntoViewIfNeeded()
    await figure.locator('svg[role=img]').first().waitFor()
    expect(await figure.locator('h4').allTextContents()).toEqual([
      'Test accuracy (%): 1 % of the labels',
      'Test accuracy (%): all labels',
    ])
    await figure.locator('summary').click()
    expect(await figure.locator('tbody tr').first().textContent()).toMatch(/% at \d/)
    await page.close()
  })

  test('leads from a word to its entry in the glossary, and has the licences', async () => {
    const { page } = await openReport(browser, records, { fragment: '#method=embed-kd' })
    await page.locator('details.data summary').first().click()
    await page.locator('.definitions a.term', { hasText: 'centroid' }).first().click()
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(
      /^centroidthe mean embedding/,
    )
    expect(page.url()).toContain('#method=embed-kd')
    const licences = await page.locator('.licences').textContent()
    expect(licences).toContain('@observablehq/plot')
    expect(licences).toContain('zod')
    await page.close()
  })

  test.each([
    [1280, false],
    [390, true],
  ])('axe finds nothing to complain of at %i px, dark: %s', async (width, dark) => {
    const { page } = await openReport(browser, records, { width, dark })
    await drawEverything(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
    await page.evaluate(
      readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
    )
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: typeof AxeCore }).axe.run(document),
    )
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
    await page.close()
  })
})
