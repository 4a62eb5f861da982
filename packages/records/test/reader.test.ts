// Reading records in pieces: whatever the pieces, line ends and damaged lines, the same records come out.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  distinctRecords,
  formatRecord,
  isSummary,
  MEASURES,
  parseRecords,
  RecordReader,
  stepCount,
  summarize,
} from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })
const text = records.map(formatRecord).join('')

function read(
  pieces: readonly string[],
  limits?: ConstructorParameters<typeof RecordReader>[0],
): RecordReader {
  const reader = new RecordReader(limits)
  reader.open('a.jsonl')
  for (const piece of pieces) reader.push(piece)
  reader.close()
  return reader
}

describe('a reader of records', () => {
  test('gives the same records however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((end, at) => text.slice(places[at], end))
        expect(read(pieces).records).toEqual(records)
      }),
      { numRuns: 30 },
    )
  })

  test('takes a byte order mark, Windows line ends, blank lines and a missing last newline', () => {
    const windows = `\uFEFF${text.replaceAll('\n', '\r\n')}\r\n`
    expect(read([windows]).records).toEqual(records)
    expect(read([windows]).skipped).toEqual([])
    expect(read([text.trimEnd()]).records).toEqual(records)
  })

  test('skips lines that are no records and names them', () => {
    const [first, ...others] = text.trimEnd().split('\n')
    const lines = [first, '{"half":', 'null', first!.replace('"batch":16', '"batch":-1'), ...others]
    const { records: found, skipped } = read([lines.join('\n')])
    expect(found).toEqual(records)
    expect(skipped.map(({ source, line }) => [source, line])).toEqual([
      ['a.jsonl', 2],
      ['a.jsonl', 3],
      ['a.jsonl', 4],
    ])
    expect(skipped[0]!.reason).toMatch(/^is not JSON/)
    expect(skipped[2]!.reason).toMatch(/^trial\.batch/)
  })

  test.each([
    ['PK\u0003\u0004\0\0', /^is not text/],
    ['\uFFFD\uFFFD{ \0s \0c', /^is not text/],
    ['{', /^begins JSON .* jq -c \. FILE/],
    ['  [', /^begins JSON .* jq -c \. FILE/],
    [`[${text.split('\n')[0]}]`, /^is a list, not a record; .* jq -c '\.\[\]' FILE/],
    ['\u001B[31mred', /^is not JSON \( \[31mred\)/],
  ])('says of %j what it is and what to do', (line, reason) => {
    expect(read([line]).skipped[0]!.reason).toMatch(reason)
  })

  test('keeps summaries alone of more text than a page can hold, whatever was read before', () => {
    const { records: found, summarized } = read([text, text], { mostText: text.length * 1.5 })
    expect(summarized).toBe(true)
    expect(found).toEqual([...records, ...records].map(summarize))
    expect(read([text]).summarized).toBe(false)
  })

  test('refuses more lines than it may hold, skipped ones too, with a remedy', () => {
    const mostLines = records.length + 1
    expect(read([text, 'null\n'], { mostLines }).records).toEqual(records)
    expect(() => read([text, 'null\n', text], { mostLines })).toThrow(
      /^more than 5 records .*a\.jsonl, line 6.*jq -c/s,
    )
  })

  test('refuses a line that has no end', () => {
    const endless = Array.from({ length: 20 }, () => 'x'.repeat(100))
    expect(() => read([text, ...endless], { mostText: 1000 })).toThrow(
      /^line 5 of a\.jsonl is longer/,
    )
  })
})

test('equal records count once, repeats of a trial each', () => {
  const again = records.map((record) => ({ ...record, startedAt: '2026-12-01T00:00:00.000Z' }))
  const changed = { ...records[0]!, wallSeconds: 1 }
  expect(distinctRecords([...records, ...again, ...records, changed, changed])).toEqual([
    ...records,
    ...again,
    changed,
  ])
})

test('a summary is a record with the same measures, and much smaller', () => {
  const whole = syntheticRecords({ teachers: ['vit-mini'], batches: [16], testResults: true })
  const summaries = whole.map(summarize)
  const written = summaries.map(formatRecord).join('')
  expect(parseRecords(written).records).toEqual(summaries)
  expect(written.length).toBeLessThan(0.5 * whole.map(formatRecord).join('').length)
  for (const [at, summary] of summaries.entries()) {
    expect(isSummary(summary)).toBe(true)
    expect(stepCount(summary.time!)).toBe(whole[at]!.time!.stepSeconds.length)
    for (const { of } of MEASURES) expect(of(summary)).toBe(of(whole[at]!))
  }
})
