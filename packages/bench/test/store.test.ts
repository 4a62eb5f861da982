import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'

import { formatRecord, parseRecords, type BenchRecord } from '@embed-kd/records'
import { beforeEach, describe, expect, it } from 'vitest'

import { mergeRecords } from '../src/sweep/merge.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { makeRecord } from '../src/sweep/make-record.js'
import { planTrials, type PlannedTrial } from '../src/sweep/plan.js'
import { readRecords, RecordStore } from '../src/sweep/store.js'
import { captureEnvironment } from '../src/measure/environment.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'

const environment = await captureEnvironment()
const grid = tinyGrid(writeTinyDataset(temporaryDirectory()), { steps: 1, seeds: 3 })
const trials = await planTrials(expandGrids(parseGrids({ grids: [grid] }, 'test')))
const recordOf = (trial: PlannedTrial, reason = 'a test'): BenchRecord =>
  makeRecord(
    trial,
    { status: 'error', reason },
    { startedAt: new Date(0), wallSeconds: 1, environment },
  )
const [first, second, third] = trials.map((trial) => recordOf(trial)) as [
  BenchRecord,
  BenchRecord,
  BenchRecord,
]

let directory: string
let file: string
const open = (resume: boolean) => RecordStore.open(directory, { resume })
beforeEach(() => {
  directory = join(temporaryDirectory(), 'results')
  file = join(directory, 'records.jsonl')
})

describe('a store of records', () => {
  it('gives back what was appended', () => {
    const store = open(false)
    store.append(first)
    store.append(second)
    store.close()
    expect(readRecords(directory)).toEqual([first, second])
    expect(readdirSync(directory)).toEqual(['records.jsonl'])
  })

  it('refuses a second record of a trial', () => {
    const store = open(false)
    store.append(first)
    expect(() => store.append(recordOf(trials[0]!, 'another'))).toThrow('has a record already')
    store.close()
  })

  it('recovers from a line torn at any byte', () => {
    const line = formatRecord(second)
    for (const cut of [1, 2, Math.floor(line.length / 2), line.length - 2, line.length - 1]) {
      mkdirSync(directory, { recursive: true })
      writeFileSync(file, formatRecord(first) + line.slice(0, cut))
      const store = open(true)
      // All but the newline is a whole record.
      const whole = cut === line.length - 1
      expect(store.recovered).toBe(!whole)
      expect([...store.records.keys()]).toEqual(whole ? [first.id, second.id] : [first.id])
      store.append(third)
      store.close()
      const { records, tornLine } = parseRecords(readFileSync(file, 'utf8'))
      expect(tornLine).toBeUndefined()
      expect(records.map(({ id }) => id)).toEqual([...store.records.keys()])
    }
  })

  it('names a damaged line in the middle instead of dropping it', () => {
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, `${formatRecord(first)}{"half": \n${formatRecord(second)}`)
    expect(() => open(true)).toThrow('line 2')
    expect(readdirSync(directory)).toEqual(['records.jsonl'])
  })

  it('sets earlier records aside unless told to go on', () => {
    const store = open(false)
    store.append(first)
    store.close()
    const again = open(false)
    expect(again.records.size).toBe(0)
    again.append(second)
    again.close()
    expect(readRecords(again.setAside!)).toEqual([first])
    expect(readRecords(directory)).toEqual([second])
  })

  it('is for one sweep at a time, and not kept from the next by a dead one', () => {
    const store = open(false)
    expect(() => open(true)).toThrow(
      /another sweep \(process \d+ on .+\) writes to .*records\.jsonl/,
    )
    const shard = RecordStore.open(directory, { resume: true, shard: { index: 1, count: 2 } })
    shard.close()
    store.close()

    const { pid } = spawnSync(process.execPath, ['--version'])
    const lock = `${file}.lock`
    const dead = { ...JSON.parse(readFileSync(lockOfThisProcess(), 'utf8')), pid }
    writeFileSync(lock, JSON.stringify(dead))
    const next = open(true)
    next.close()
    expect(readdirSync(directory)).not.toContain('records.jsonl.lock')
  })

  it('reads all shards of a directory', () => {
    for (const [index, record] of [first, second].entries()) {
      const store = RecordStore.open(directory, {
        resume: true,
        shard: { index: index + 1, count: 2 },
      })
      store.append(record)
      store.close()
    }
    appendFileSync(join(directory, 'earlier-2026.jsonl'), formatRecord(third))
    expect(readRecords(directory)).toEqual([first, second])
  })

  /** What a live lock looks like, taken from one. */
  function lockOfThisProcess(): string {
    const other = join(temporaryDirectory(), 'other')
    RecordStore.open(other, { resume: false })
    return join(other, 'records.jsonl.lock')
  }
})

describe('merging', () => {
  it('takes what is said twice once', () => {
    const merged = mergeRecords([
      { path: 'a', records: [first, second] },
      { path: 'b', records: [second, third] },
    ])
    expect(merged).toEqual([first, second, third].toSorted((a, b) => (a.id < b.id ? -1 : 1)))
  })

  it('keeps a trial that was run again, and one that another machine ran', () => {
    const again = { ...first, startedAt: '2030-01-01T00:00:00.000Z', wallSeconds: 9 }
    const environment = { ...first.environment, cpuModel: 'another' }
    const elsewhere = { ...first, environment }
    const sources = [first, again, elsewhere].map((record, at) => ({
      path: `${at}`,
      records: [record],
    }))
    expect(mergeRecords(sources)).toEqual([first, elsewhere, again])
    expect(mergeRecords([...sources, ...sources])).toHaveLength(3)
  })

  it('refuses contradictions, naming both sources and the trial', () => {
    const other = recordOf(trials[0]!, 'something else')
    expect(() =>
      mergeRecords([
        { path: 'here', records: [first] },
        { path: 'there', records: [other] },
      ]),
    ).toThrow(new RegExp(`here and there contradict each other: trial ${first.id}`))
  })
})
