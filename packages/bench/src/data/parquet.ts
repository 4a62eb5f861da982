// Image data sets as the Hugging Face Hub has them: parquet files with a column of encoded images and one of class numbers. The class
// names come with the files, in the metadata that the datasets library writes.

import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
} from 'hyparquet'
import { z } from 'zod'

import { checkLabels, createDataset, DatasetError, type Dataset } from './dataset.js'
import { decodedChannels, decodeImages, type DecodeOptions, type EncodedImage } from './decode.js'
import { listDirectory, requireDirectory } from './files.js'

const layout =
  'give a directory with train-*.parquet and test-*.parquet (or validation-*), or one that has them in data/'

/** Files of a split are named after it; where there is no test split, validation serves. */
const splitNames = { train: ['train'], test: ['test', 'validation', 'valid'] } as const

/** Columns by what the hub's image data sets call them. */
const imageColumns = ['image', 'img', 'images', 'picture']
const labelColumns = ['label', 'labels', 'fine_label', 'class']

/** @throws DatasetError */
export async function loadParquet(
  directory: string,
  options: DecodeOptions = {},
): Promise<Dataset> {
  requireDirectory(directory, layout)
  const paths = listDirectory(directory, layout, { recursive: true }).filter((path) =>
    path.endsWith('.parquet'),
  )
  const train = await openTables(directory, paths, 'train')
  const test = await openTables(directory, paths, 'test')
  const names = classNamesOf(train[0]!.metadata, train[0]!.label)
  const trainFiles = await encodedImages(train)
  const testFiles = await encodedImages(test)
  const classes = names?.length ?? Math.max(...trainFiles.map(({ label }) => label)) + 1
  checkLabels(
    trainFiles.map(({ label }) => label),
    classes,
    train[0]!.path,
  )
  checkLabels(
    testFiles.map(({ label }) => label),
    classes,
    test[0]!.path,
  )
  const decodedTrain = await decodeImages(directory, trainFiles, options, layout)
  const decodedTest = await decodeImages(directory, testFiles, options, layout, decodedTrain)
  return createDataset({
    name: `parquet:${directory}`,
    classes,
    ...(names ? { classNames: names } : {}),
    channels: decodedChannels,
    height: decodedTrain.height,
    width: decodedTrain.width,
    train: decodedTrain.split,
    test: decodedTest.split,
  })
}

interface Table {
  readonly path: string
  readonly buffer: AsyncBuffer
  readonly metadata: FileMetaData
  readonly image: string
  readonly label: string
}

const compressors: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
}

async function openTables(
  directory: string,
  paths: readonly string[],
  split: keyof typeof splitNames,
): Promise<Table[]> {
  const found = splitNames[split]
    .map((name) => paths.filter((path) => new RegExp(`(^|/)${name}[^/]*\\.parquet$`).test(path)))
    .find((files) => files.length > 0)
  if (!found)
    throw new DatasetError(
      directory,
      `there is no ${split} split in it (${splitNames[split][0]}-*.parquet)`,
      layout,
    )
  return Promise.all(
    found.map(async (name) => {
      const path = join(directory, name)
      try {
        const buffer = await asyncBufferFromFile(path)
        const metadata = await parquetMetadataAsync(buffer)
        const columns = metadata.schema.map((element) => element.name)
        const image = imageColumns.find((column) => columns.includes(column))
        const label = labelColumns.find((column) => columns.includes(column))
        if (!image || !label)
          throw new Error(
            `it has no column of ${image ? `labels (${labelColumns.join(', ')})` : `images (${imageColumns.join(', ')})`}; its columns are ${columns.slice(1).join(', ')}`,
          )
        return { path, buffer, metadata, image, label }
      } catch (error) {
        throw new DatasetError(path, (error as Error).message, layout)
      }
    }),
  )
}

/** Rows of a table, as far as they are needed: encoded bytes, or an object that has them. */
type Row = Record<string, unknown>

const imageSchema = z.union([
  z.instanceof(Uint8Array),
  z.object({ bytes: z.instanceof(Uint8Array) }).transform(({ bytes }) => bytes),
])

/** The images of all tables; encoded ones are small enough to be held while they are decoded. */
async function encodedImages(tables: readonly Table[]): Promise<EncodedImage[]> {
  const images: EncodedImage[] = []
  for (const { path, buffer, metadata, image, label } of tables) {
    let rows: Row[]
    try {
      const columns = [image, label]
      rows = await parquetReadObjects({ file: buffer, metadata, columns, utf8: false, compressors })
    } catch (error) {
      throw new DatasetError(path, `it cannot be read (${(error as Error).message})`, layout)
    }
    rows.forEach((row, i) => {
      const number = Number(row[label])
      if (!Number.isInteger(number) || number < 0)
        throw new DatasetError(
          path,
          `the ${label} of row ${i} is ${JSON.stringify(row[label], (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v))}, not a class number`,
          'leave out unlabelled splits',
        )
      images.push({
        name: `${path}, row ${i}`,
        label: number,
        async read() {
          const encoded = imageSchema.safeParse(row[image])
          if (!encoded.success) throw new Error(`its column ${image} has no bytes`)
          return encoded.data
        },
      })
    })
  }
  return images
}

const hubMetadata = z.object({
  info: z.object({
    features: z.record(z.string(), z.object({ names: z.array(z.string()).optional() })),
  }),
})

/** The names of a ClassLabel feature; undefined where the file has none. */
function classNamesOf({ key_value_metadata }: FileMetaData, label: string): string[] | undefined {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value
  if (text === undefined) return undefined
  try {
    return hubMetadata.parse(JSON.parse(text)).info.features[label]?.names
  } catch {
    return undefined
  }
}
