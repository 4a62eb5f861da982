// Tables for other programs: what a reader of CSV gets back, and that nothing in a record breaks a table.
import { describe, expect, test } from 'vitest'
import {
  configurationsOf,
  configurationTable,
  latexTable,
  markdownTable,
  MEASURES,
  tidyCsv,
  wideCsv,
} from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords({
  teachers: ['vit-mini', 'vit-base-16'],
  batches: [16],
  seeds: 2,
  memoryLimitBytes: 4e8,
})

/** A reader of CSV as RFC 4180 describes it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
  )) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === '\r\n') rows.push([])
  }
  return rows.slice(0, -1)
}

const objectsOf = (text: string) => {
  const [head, ...rows] = parseCsv(text)
  for (const row of rows) expect(row).toHaveLength(head!.length)
  return rows.map((row) => Object.fromEntries(head!.map((name, at) => [name, row[at]!])))
}

describe('the tidy table', () => {
  test('has one row a trial with its status, every axis and bare numbers', () => {
    const rows = objectsOf(tidyCsv(records))
    expect(rows).toHaveLength(records.length)
    for (const [at, record] of records.entries()) {
      expect(rows[at]).toMatchObject({
        id: record.id,
        status: record.status,
        method: record.trial.method,
        teacher: record.trial.teacher?.name ?? '',
        batch: String(record.trial.batch),
        seed: String(record.trial.seed),
        learningRate: String(record.trial.learningRate),
        epochs: String(record.trial.epochs ?? ''),
        steps: String(record.trial.steps ?? ''),
        stepSeconds: String(record.time?.medianSeconds ?? ''),
        accuracyShare: String(record.accuracy ?? ''),
        datasetTestSize: String(record.trial.dataset.testSize),
      })
    }
  })

  test('names the unit of every measure in its heading', () => {
    const [head] = parseCsv(tidyCsv(records))
    const measured = head!.filter((name) => MEASURES.some(({ id }) => name.startsWith(id)))
    expect(measured.length).toBe(MEASURES.length)
    for (const name of measured)
      expect(name).toMatch(/Seconds$|PerSecond$|Bytes$|Flops$|Share$|joulesPerStep$/)
  })

  test('keeps texts with commas, quotes and line ends whole, and defuses formulas', () => {
    const reason = 'a "quoted", two-line\r\nreason'
    const [row] = objectsOf(tidyCsv([{ ...records[0]!, id: '=1+1', reason }]))
    expect(row).toMatchObject({ id: "'=1+1", reason })
  })
})

test('the wide table has one row a configuration with means and intervals', () => {
  const configurations = configurationsOf(records)
  const rows = objectsOf(wideCsv(configurations))
  expect(rows).toHaveLength(configurations.length)
  const done = rows.find(
    ({ method, finishedRuns }) => method === 'embed-kd' && finishedRuns === '2',
  )!
  expect(Number(done['stepSecondsLow'])).toBeLessThan(Number(done['stepSeconds']))
  expect(Number(done['stepSecondsHigh'])).toBeGreaterThan(Number(done['stepSeconds']))
})

test('tables for papers escape what their language would read', () => {
  const table = { title: '50 % of a_b', columns: ['a|b', 'c&d'], rows: [['1.5×', '−2 \\ {x}']] }
  expect(markdownTable(table)).toBe('| a\\|b | c&d |\n| --- | --- |\n| 1.5× | −2 \\ {x} |\n')
  const latex = latexTable(table)
  expect(latex).toContain(String.raw`\caption{50 \% of a\_b}`)
  expect(latex).toContain(String.raw`1.5$\times$ & $-$2 \textbackslash{} \{x\} \\`)
  expect(configurationTable(configurationsOf(records)).rows).toHaveLength(7)
})
