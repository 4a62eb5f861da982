// What the page decides itself: filters, which scope its figures show, and the state in the address.
import { configurationsOf } from '@embed-kd/records'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DIMENSIONS, passing, valuesOf } from '../src/model/filters.js'
import { nameRecords } from '../src/model/names.js'
import { formatState, parseState } from '../src/model/state.js'
import { bestCoveredBatch, viewOf } from '../src/model/view.js'
import { syntheticRecords } from '../../../packages/records/test/synthetic.js'

const records = syntheticRecords()

describe('filters', () => {
  test('keep what matches every dimension; runs without a teacher stay under a teacher', () => {
    const kept = records.filter(passing({ teacher: ['vit-mini'], batch: ['64'] }))
    expect(kept).not.toHaveLength(0)
    for (const { trial } of kept) {
      expect(trial.batch).toBe(64)
      expect(['vit-mini', undefined]).toContain(trial.teacher?.name)
    }
    expect(records.filter(passing({ method: [] }))).toHaveLength(records.length)
    expect(records.filter(passing({ method: ['none such'] }))).toHaveLength(0)
  })

  test('offer numbers in their order', () => {
    const batch = DIMENSIONS.find(({ id }) => id === 'batch')!
    const sweep = syntheticRecords({ batches: [128, 16, 8], seeds: 1 })
    expect(valuesOf(sweep, batch).map(([value]) => value)).toEqual(['8', '16', '128'])
  })

  test('decide which scope and batch the figures show', () => {
    const sweep = syntheticRecords({
      datasets: ['mnist', 'fashion'],
      memoryLimitBytes: 1.2e9,
      batches: [16, 512],
    })
    const view = viewOf(configurationsOf(sweep), { dataset: ['fashion'] })
    expect(view.scope!.dataset).toBe('fashion')
    expect(view.scopeCount).toBe(1)
    expect(bestCoveredBatch(view.inScope)).toBe(16)
  })
})

test('the state of the page survives the address, whatever it holds', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' })
  const values = fc.array(text, { minLength: 1, maxLength: 3 })
  const state = fc.record(
    {
      filters: fc.record(
        { method: values, teacher: values, machine: values },
        { requiredKeys: [] },
      ),
      descending: fc.boolean(),
      hide: fc.array(text, { maxLength: 3 }),
      search: text,
      figure: text,
      sort: text,
      baseline: text,
      trial: text,
    },
    { requiredKeys: ['filters', 'descending', 'hide'] },
  )
  fc.assert(
    fc.property(state, (state) => {
      // Through the browser's own parser, as a fragment.
      const url = new URL('file:///report.html')
      url.hash = formatState(state)
      expect(parseState(url.hash)).toEqual(state)
    }),
  )
  expect(parseState('#nonsense&sort=')).toEqual({
    filters: {},
    hide: [],
    descending: false,
  })
})

test('a trial that was run again has a name of its own, and its id still leads to the first run', () => {
  const [record, other] = records
  const again = { ...record!, startedAt: '2026-12-01T00:00:00.000Z' }
  const twin = { ...again }
  const names = nameRecords([record!, other!, again, twin])
  const all = [record!, other!, again, twin].map(names.of)
  expect(new Set(all).size).toBe(4)
  expect(all[1]).toBe(other!.id)
  for (const [at, one] of [record!, other!, again, twin].entries())
    expect(names.find(all[at]!)).toBe(one)
  expect(names.find(record!.id)).toBe(record)
})
