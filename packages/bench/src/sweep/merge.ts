// Merges the records of several files. Two records of one trial must be equal.
import { isDeepStrictEqual } from 'node:util'

import type { BenchRecord } from '@embed-kd/records'

import { UserError } from '@embed-kd/core'

export interface RecordSource {
  readonly path: string
  readonly records: readonly BenchRecord[]
}

/** Merges records, one for each trial. @throws UserError if two sources have different records of one trial. */
export function mergeRecords(sources: readonly RecordSource[]): BenchRecord[] {
  const merged = new Map<string, { record: BenchRecord; path: string }>()
  for (const { path, records } of sources)
    for (const record of records) {
      const known = merged.get(record.id)
      if (known && !isDeepStrictEqual(known.record, record))
        throw new UserError(
          `${known.path} and ${path} contradict each other: trial ${record.id} was measured ` +
            `at ${known.record.startedAt} (${known.record.status}) and at ${record.startedAt} (${record.status})`,
          'remove one of the two records, or leave out one source',
        )
      merged.set(record.id, known ?? { record, path })
    }
  return [...merged.values()].map(({ record }) => record)
}
