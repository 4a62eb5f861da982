// What a file of embeddings holds, checked against the data set that it is for.
import type { Augmentation } from '../../images/augment.js'
import type { Dataset } from '../data/dataset.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { digestFiles } from '../teachers/checkpoint.js'
import { loadCentroids } from './load-centroids.js'
import { embeddingFiles, SampleStore } from './samples.js'

export interface EmbeddingFacts {
  readonly kind: 'centroids' | 'samples'
  /** Width of an embedding. */
  readonly width: number
  /** Augmentation of the embedded images, if there is one embedding for each image. */
  readonly augmentation?: Augmentation
  /** SHA-256 of the file, or of its shards. */
  readonly digest: string
}

/** Describes a file of embeddings. @throws UserError if the file is damaged, or is of other data. */
export async function describeEmbeddings(path: string, dataset: Dataset): Promise<EmbeddingFacts> {
  const files = embeddingFiles(path)
  const digest = await digestFiles(files)
  if (!holdsSamples(files[0]!)) {
    const { width } = loadCentroids(path, dataset)
    return { kind: 'centroids', width, digest }
  }
  const store = SampleStore.open(path)
  try {
    store.requireDataset(dataset)
    const { width, metadata } = store
    return { kind: 'samples', width, augmentation: metadata.augmentation, digest }
  } finally {
    store.close()
  }
}

/** Whether a file has an embedding for each image, by its metadata or by the name of its tensor. */
function holdsSamples(file: string): boolean {
  const { metadata, entries } = readHeader(file)
  return (metadata['kind'] ?? (entries.has('embeddings') ? 'samples' : 'centroids')) === 'samples'
}

/** Whether a safetensors file can be one of embeddings rather than the weights of a model. */
export function looksLikeEmbeddings(file: string): boolean {
  const { metadata, entries } = readHeader(file)
  if ('kind' in metadata && 'format' in metadata) return true
  if (entries.has('embeddings') || entries.has('centroids')) return true
  const axes = [...entries.values()].map(({ shape }) => shape.length)
  return axes.length > 0 && (axes.every((count) => count === 1) || axes.join() === '2')
}

function readHeader(file: string): Pick<SafetensorsReader, 'metadata' | 'entries'> {
  const reader = new SafetensorsReader(file)
  reader.close()
  return reader
}
