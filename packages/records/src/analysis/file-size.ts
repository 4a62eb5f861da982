// The size of a teacher's file of embeddings, and the distance of its embeddings from the teacher's.
import type { BenchRecord } from '../schema.js'
import { formatBytes } from './format.js'
import type { Measure } from './measures.js'

export const embeddingBytes: Measure = {
  id: 'embeddingBytes',
  label: 'size of the file of embeddings',
  short: 'File',
  unit: 'bytes',
  better: 'lower',
  exact: true,
  of: ({ embeddings }) => embeddings?.bytes,
  format: formatBytes,
}

/** Returns the error of a file in words; undefined if the record does not tell, as for float32, which has none. */
export function storeErrorWords({ embeddings }: BenchRecord): string | undefined {
  const { relativeError, cosine } = embeddings ?? {}
  if (relativeError === undefined || cosine === undefined) return undefined
  return `${Number((100 * relativeError).toPrecision(2))} %, cosine ${cosine.toFixed(5)}`
}
