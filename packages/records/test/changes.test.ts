// Versions of the code, held against each other: what changed between two sets of records, and the history of a configuration.
import { describe, expect, test } from 'vitest'
import { changesBetween, configurationsOf, historiesOf, stepSeconds } from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords()

test('a history steps at the version that changed the time, and at no other', () => {
  const version = (commit: string, noise: number, slowdown: number) =>
    syntheticRecords({ teachers: ['vit-mini'], batches: [16], commit, noise, slowdown })
  const versions = [
    ...version('aaaaaaaa', 0, 1),
    ...version('bbbbbbbb', 100_000, 1),
    ...version('cccccccc', 200_000, 1.5),
  ]
  const histories = historiesOf(configurationsOf(versions))
  expect(histories).toHaveLength(4)
  for (const { points } of histories) {
    expect(points.map(({ configuration }) => configuration.scope.version)).toEqual([
      'commit aaaaaaa',
      'commit bbbbbbb',
      'commit ccccccc',
    ])
    expect(points.map(({ step }) => step).at(-1)).toBe(true)
  }
  expect(historiesOf(configurationsOf(records))).toEqual([])
})

describe('changes', () => {
  test('put regressions first, worst first, and count what stayed the same', () => {
    const { worse, better, unchanged } = changesBetween(records, records)
    expect({ worse, better, unchanged }).toEqual({ worse: [], better: [], unchanged: 38 })
    const slower = syntheticRecords({ slowdown: 1.2 })
    const found = changesBetween(records, slower)
    expect(found.better).toEqual([])
    expect(found.worse).toHaveLength(38)
    expect(found.worse.every(({ figure }) => figure!.measure === stepSeconds)).toBe(true)
    const sizes = found.worse.map(({ figure }) => figure!.ratio.value)
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
    expect(changesBetween(slower, records).better).toHaveLength(38)
  })

  test('compare versions of the code, the latest of each side, and name what differs', () => {
    const later = syntheticRecords({ commit: 'fedcba9876', slowdown: 1.2, noise: 9 })
    const { worse, from, to, sameMachine, differences } = changesBetween(records, later)
    expect(worse.length).toBeGreaterThan(30)
    expect([from.versions, to.versions]).toEqual([['commit 0000000'], ['commit fedcba9']])
    expect({ sameMachine, differences }).toEqual({ sameMachine: true, differences: [] })
  })

  test('compare only what does not depend on the machine if no machine ran both', () => {
    const elsewhere = syntheticRecords({ machine: 'other', slowdown: 3 })
    const { worse, better, sameMachine, unchanged } = changesBetween(records, elsewhere)
    expect({ worse, better, sameMachine, unchanged }).toEqual({
      worse: [],
      better: [],
      sameMachine: false,
      unchanged: 38,
    })
  })

  test('count a configuration that no longer finishes as the worst', () => {
    const limited = syntheticRecords({ memoryLimitBytes: 1.2e9, slowdown: 1.2 })
    const [first] = changesBetween(records, limited).worse
    expect(first).toMatchObject({ verdict: 'worse' })
    expect(first!.figure).toBeUndefined()
  })

  test('name what only one side has', () => {
    const part = records.filter(({ trial }) => trial.batch === 16)
    expect(changesBetween(records, part).onlyBefore).toHaveLength(19)
    expect(changesBetween(part, records).onlyAfter).toHaveLength(19)
  })

  test('do not take a small difference between single runs for a change', () => {
    const once = syntheticRecords({ seeds: 1 })
    const heavier = once.map((record) => ({
      ...record,
      memory: { ...record.memory!, peakRssBytes: Math.round(record.memory!.peakRssBytes * 1.01) },
    }))
    expect(changesBetween(once, heavier).worse).toEqual([])
  })
})
