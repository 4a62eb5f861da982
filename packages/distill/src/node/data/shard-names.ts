// Names of shards, such as train-00000-of-00002.parquet, that say how many files a split has: part of a download shall not pass for all of it.

import { DatasetError } from './dataset.js'
import { listSome } from './labels.js'
import type { Source } from './splits.js'
import type { File } from './walk.js'

const numbered = /(?<=[-_.])(?<index>\d+)-of-(?<count>\d+)(?![0-9a-z]).*$/i

/**
 * Tells how many shards of a split are there, if some are missing.
 * @throws DatasetError if there are shards of two sets, whose images would count twice.
 */
export function checkShards(
  files: readonly Pick<File, 'relative'>[],
  { path, tell }: Source,
): void {
  const sets = new Map<string, { readonly indices: Set<number>; readonly count: number }>()
  for (const { relative } of files) {
    const { index, count } = numbered.exec(relative)?.groups ?? {}
    if (index === undefined) continue
    const name = relative.replace(numbered, '')
    const set = sets.get(name) ?? { indices: new Set(), count: Number(count) }
    sets.set(name, set)
    if (set.count !== Number(count) || set.indices.has(Number(index)))
      throw new DatasetError(
        `${path}/${relative}`,
        `its name is that of a shard of ${Number(count)}, but there are shards of ${set.count} called ${name}… too`,
        'remove those of the former download or export',
      )
    set.indices.add(Number(index))
  }
  for (const [name, { indices, count }] of sets)
    if (indices.size < count) {
      const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !indices.has(i))
      tell(
        `${path}: ${indices.size} of ${count} shards called ${name}… are there; missing: ${listSome(missing.map(String))}`,
      )
    }
}
