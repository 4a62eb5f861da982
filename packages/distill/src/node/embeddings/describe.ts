// What a file of embeddings holds, checked against the data set that it is for.
import { rowsTensor, type Store } from '../../embeddings/store.js'
import type { RowContent } from '../../embeddings/embeddings.js'
import type { Augmentation } from '../../images/augment.js'
import type { Dataset } from '../data/dataset.js'
import { teacherSize, type TeacherSize } from '../../embeddings/teacher-size.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { loadCentroids } from './load-centroids.js'
import { SampleStore } from './samples.js'
import { digestStore, embeddingFiles } from './shards.js'

export interface EmbeddingFacts {
  readonly kind: 'centroids' | 'samples'
  /** Width of an embedding. */
  readonly width: number
  /** How numbers are stored, if there is one embedding for each image and the file says so. */
  readonly store?: Store
  /** What the rows are, if there is one for each image and the file says so. */
  readonly content?: RowContent
  /** Augmentation of the embedded images, if there is one embedding for each image. */
  readonly augmentation?: Augmentation
  /** Vectors of each class, if there are centroids. */
  readonly prototypes?: number
  /** Images of each class that a centroid is the mean of, if the file tells. */
  readonly perClass?: number
  /** Whether the centroids are means of embeddings of this data set. */
  readonly ofThisData?: boolean
  /** Size of the teacher, as far as the file tells. */
  readonly teacher: TeacherSize
  /** SHA-256 of the file, or of its shards. */
  readonly digest: string
}

/** Describes a file of embeddings. @throws UserError if the file is damaged, or is of other data. */
export async function describeEmbeddings(path: string, dataset: Dataset): Promise<EmbeddingFacts> {
  const digest = await digestStore(path)
  const { metadata } = readHeader(embeddingFiles(path)[0]!)
  const teacher = teacherSize(metadata)
  if (!holdsSamples(path)) {
    const { width, prototypes } = loadCentroids(path, dataset)
    const ofThisData = metadata['dataset_digest'] === dataset.digest
    const images = Number(metadata['per_class'])
    const perClass = Number.isSafeInteger(images) && images > 0 ? { perClass: images } : {}
    return { kind: 'centroids', width, prototypes, ...perClass, ofThisData, teacher, digest }
  }
  const store = SampleStore.open(path)
  try {
    store.requireDataset(dataset)
    const { augmentation, store: how } = store.metadata
    const { content } = store
    const said = { ...(how ? { store: how } : {}), ...(content ? { content } : {}) }
    return { kind: 'samples', width: store.width, augmentation, teacher, digest, ...said }
  } finally {
    store.close()
  }
}

/** Whether a file, or its shards, have an embedding for each image, by metadata or by the name of a tensor. */
export function holdsSamples(path: string): boolean {
  const { metadata, entries } = readHeader(embeddingFiles(path)[0]!)
  return (metadata['kind'] ?? (rowsTensor(entries) ? 'samples' : 'centroids')) === 'samples'
}

/** Whether a safetensors file can be one of embeddings rather than the weights of a model. */
export function looksLikeEmbeddings(file: string): boolean {
  const { metadata, entries } = readHeader(file)
  if ('kind' in metadata && 'format' in metadata) return true
  if (rowsTensor(entries) || entries.has('centroids')) return true
  const axes = [...entries.values()].map(({ shape }) => shape.length)
  return axes.length > 0 && (axes.every((count) => count === 1) || axes.join() === '2')
}

function readHeader(file: string): Pick<SafetensorsReader, 'metadata' | 'entries'> {
  const reader = new SafetensorsReader(file)
  reader.close()
  return reader
}
