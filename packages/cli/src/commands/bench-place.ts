// The place of a sweep's records and report: a directory, or an object store, to which each record goes when it is made.
import { join, resolve } from 'node:path'

import { recordsFile, type Shard } from '@embed-kd/bench'
import { UserError } from '@embed-kd/core'
import { isObjectAddress, StoredDirectory } from '@embed-kd/distill/node'

export interface SweepPlace {
  /** Directory on this machine. */
  readonly directory: string
  /** Name by which the records are found. */
  readonly records: string
  /** Called when a record was written. */
  readonly onRecord?: () => Promise<void>
  /** Puts the report in its place, and returns its name there; undefined if it has none. */
  publish(name: string): Promise<string | undefined>
}

/** @throws UserError if a store has records of the sweep, and they are not to be kept. */
export async function openPlace(
  out: string,
  { shard, resume }: { readonly shard: Shard | undefined; readonly resume: boolean },
): Promise<SweepPlace> {
  const records = recordsFile(shard)
  if (!isObjectAddress(out)) {
    const directory = resolve(out)
    const nameOf = (name: string) => join(directory, name)
    return {
      directory,
      records: nameOf(records),
      publish: (name) => Promise.resolve(nameOf(name)),
    }
  }
  const place = new StoredDirectory(out)
  if (resume) await place.fetch(records)
  else if (await place.has(records))
    throw new UserError(
      `${place.addressOf(records)} has records already`,
      'give --resume to go on with them, or another --out',
    )
  return {
    directory: place.directory,
    records: place.addressOf(records),
    onRecord: () => place.send(records),
    async publish(name) {
      // The report of one shard is not that of the sweep.
      if (shard) return undefined
      await place.send(name)
      return place.addressOf(name)
    },
  }
}
