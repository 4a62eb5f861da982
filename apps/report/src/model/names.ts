// Names of records in addresses. A trial that was run again, or on another machine, has the id of the first run.
import type { BenchRecord } from '@embed-kd/records'

export interface RecordNames {
  /** The record's id, with the time of its start if other records have the id too. */
  readonly of: (record: BenchRecord) => string
  /** Returns the record of a name; an id that several records share stands for the first of them. */
  readonly find: (name: string) => BenchRecord | undefined
}

export function nameRecords(records: readonly BenchRecord[]): RecordNames {
  const first = new Map<string, BenchRecord>()
  const shared = new Set<string>()
  for (const record of records) {
    if (first.has(record.id)) shared.add(record.id)
    else first.set(record.id, record)
  }
  const names = new Map<BenchRecord, string>()
  const byName = new Map<string, BenchRecord>()
  for (const record of records) {
    const { id, startedAt } = record
    if (!shared.has(id)) continue
    const plain = `${id}@${startedAt}`
    let name = plain
    for (let again = 2; byName.has(name); again++) name = `${plain}.${again}`
    names.set(record, name)
    byName.set(name, record)
  }
  return {
    of: (record) => names.get(record) ?? record.id,
    find: (name) => byName.get(name) ?? first.get(name),
  }
}
