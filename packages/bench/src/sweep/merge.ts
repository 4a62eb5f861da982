// Merges the records of several files. A trial that was run again, or on another machine, keeps all of its records: they are
// repeats. The same run told in two ways is a contradiction.
import { isDeepStrictEqual } from 'node:util'

import { UserError } from '@embed-kd/core'
import { machineName, type BenchRecord } from '@embed-kd/records'

export interface RecordSource {
  readonly path: string
  readonly records: readonly BenchRecord[]
}

/**
 * Merges records by trial and start; a run that several sources have is kept once.
 * @throws UserError if two sources tell the same run differently.
 */
export function mergeRecords(sources: readonly RecordSource[]): BenchRecord[] {
  const runs = new Map<string, { record: BenchRecord; path: string }>()
  for (const { path, records } of sources)
    for (const record of records) {
      const key = [record.id, record.startedAt, machineName(record)].join('\n')
      const known = runs.get(key)
      if (known && !isDeepStrictEqual(known.record, record))
        throw new UserError(
          `${known.path} and ${path} contradict each other: trial ${record.id}, started at ${record.startedAt}, ` +
            `is ${known.record.status} in one and ${record.status} in the other, or differs in a measurement`,
          'remove one of the two records, or leave out one source',
        )
      runs.set(key, known ?? { record, path })
    }
  const inOrder = (a: BenchRecord, b: BenchRecord) =>
    compare(a.id, b.id) || compare(a.startedAt, b.startedAt)
  return Array.from(runs.values(), ({ record }) => record).sort(inOrder)
}

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b)
