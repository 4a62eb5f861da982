// The check that files of embeddings of several teachers were made of the same data, by what their metadata say: the data set's
// digest, and the names of the classes in order. Files that do not say are not compared; each file is checked against the data
// set that a student is trained on besides.
import { UserError } from '@embed-kd/core'

import { requireSameOrder } from '../../training/agreement.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { embeddingFiles } from './shards.js'

interface Origin {
  readonly path: string
  readonly dataset: string
  readonly digest: string
  readonly classNames: readonly string[]
}

/** @throws UserError naming two files that are of different data, or have the classes in different orders. */
export function requireSameOrigin(paths: readonly string[]): void {
  if (paths.length < 2) return
  const origins = paths.map(readOrigin)
  const [first, ...others] = origins.filter(({ digest }) => digest !== '')
  for (const other of others)
    if (other.digest !== first!.digest)
      throw new UserError(
        `${describe(first!)}, but ${describe(other)}`,
        'give files that embed-kd embed made of the same data set',
      )
  requireSameOrder(
    origins
      .filter(({ classNames }) => classNames.length > 0)
      .map(({ path, classNames }) => ({ name: path, classNames })),
  )
}

const describe = ({ path, dataset, digest }: Origin): string =>
  `${path} has embeddings of ${dataset} (digest ${digest.slice(0, 12)})`

function readOrigin(path: string): Origin {
  const reader = new SafetensorsReader(embeddingFiles(path)[0]!)
  reader.close()
  const { dataset = 'unknown data', dataset_digest = '', class_names } = reader.metadata
  return { path, dataset, digest: dataset_digest, classNames: parseNames(class_names) }
}

/** Returns the names of the classes; none if the file says nothing that can be read. */
function parseNames(text: string | undefined): readonly string[] {
  try {
    const names: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(names) ? names.map(String) : []
  } catch {
    return []
  }
}
