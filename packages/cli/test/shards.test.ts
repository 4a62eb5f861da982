// A sweep in shards, merged, against the same sweep unsharded: everything but times must be equal. EMBED_KD_SHARDED_TRIALS says
// how many trials it has (default 4; 48 take some minutes).
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, type BenchRecord } from '@embed-kd/records'
import { expect, it } from 'vitest'

import { runCli, temporaryDirectory } from './cli.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const trials = Number(process.env['EMBED_KD_SHARDED_TRIALS'] ?? 4)
const SECONDS_PER_TRIAL = 40
const SHARDS = 3

const recordsIn = (file: string): BenchRecord[] => parseRecords(readFileSync(file, 'utf8')).records
const byId = (a: BenchRecord, b: BenchRecord) => (a.id < b.id ? -1 : 1)

/** What the clock, the memory and the machine's state say. */
const measured = new Set(
  'startedAt wallSeconds seconds time memory roofline energy commandLine loadAverage cpuFrequencyHz warnings'.split(
    ' ',
  ),
)

/** All of a record that must be the same in every run: on ort:cpu that includes every loss, to the last bit. */
const reproducible = (record: BenchRecord): unknown =>
  JSON.parse(
    JSON.stringify(record, (key, value: unknown) => (measured.has(key) ? undefined : value)),
  )

it(
  `${trials} trials in ${SHARDS} shards, merged, are the sweep unsharded`,
  { timeout: trials * SECONDS_PER_TRIAL * 1000 },
  async () => {
    const directory = temporaryDirectory()
    const at = (name: string) => join(directory, name)
    const method = ['supervised', 'embed-kd', 'cached-kd', 'teacher-kd']
    const grid = tinyGrid(writeTinyDataset(at('data')), { method, epochs: 2 })
    const config = writeConfig(directory, { ...grid, seeds: trials / method.length })
    // The same cache: a teacher trained again would be another teacher.
    const bench = (out: string, ...more: string[]) =>
      runCli('bench', '--config', config, '--out', at(out), '--cache', at('cache'), ...more)

    expect(await bench('whole')).toMatchObject({ code: 0 })
    const shards = Array.from({ length: SHARDS }, (_, i) => `${i + 1}/${SHARDS}`)
    for (const shard of shards)
      expect(await bench('parts', '--shard', shard)).toMatchObject({ code: 0 })
    const merged = at('merged.jsonl')
    expect(await runCli('merge', at('parts'), '--out', merged)).toMatchObject({ code: 0 })

    const whole = recordsIn(at('whole/records.jsonl'))
    expect(whole).toHaveLength(trials)
    const [first, ...others] = recordsIn(merged)
    expect([first!, ...others].map(reproducible)).toEqual(whole.toSorted(byId).map(reproducible))

    const contradiction = at('contradiction.jsonl')
    writeFileSync(contradiction, `${JSON.stringify({ ...first, wallSeconds: 0 })}\n`)
    const refused = await runCli('merge', merged, contradiction, '--out', at('no.jsonl'))
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`contradict each other: trial ${first!.id}`),
    })
    expect(existsSync(at('no.jsonl'))).toBe(false)
  },
)
