// Reading records in pieces: whatever the pieces, line ends and damaged lines, the same records come out.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { distinctRecords, formatRecord, RecordReader } from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })
const text = records.map(formatRecord).join('')

function read(pieces: readonly string[], limit?: number): RecordReader {
  const reader = new RecordReader(limit)
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

  test('refuses more text than it may hold, with a remedy', () => {
    expect(() => read([text, text], text.length * 1.5)).toThrow(/no browser shows well .*a\.jsonl/)
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
