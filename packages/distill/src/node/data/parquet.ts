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

import { checkLabels, DatasetError } from './dataset.js'
import type { EncodedImage, EncodedSplits } from './decode.js'
import { listDirectory, requireDirectory } from './files.js'

const layout =
  'give a directory with train-*.parquet and test-*.parquet (or validation-*), or one that has them in data/'

/** Files of a split are named after it; where there is no test split, validation serves. */
const splitNames = { train: ['train'], test: ['test', 'validation', 'valid'] } as const

/** Columns by what the hub's image data sets call them. */
const imageColumns = ['image', 'img', 'images', 'picture']
const labelColumns = ['label', 'labels', 'fine_label', 'class']

/** @throws DatasetError */
export async function listParquet(directory: string): Promise<EncodedSplits> {
  requireDirectory(directory, layout)
  const paths = listDirectory(directory, layout, { recursive: true }).filter((path) =>
    path.endsWith('.parquet'),
  )
  const tables = {
    train: await openTables(directory, paths, 'train'),
    test: await openTables(directory, paths, 'test'),
  }
  const { metadata, label, path } = tables.train[0]!
  const names = classNamesOf(metadata, label)
  const train = { source: directory, files: await encodedImages(tables.train) }
  const test = { source: directory, files: await encodedImages(tables.test) }
  const labels = train.files.map((file) => file.label)
  const classes = names?.length ?? labels.reduce((most, label) => Math.max(most, label), 0) + 1
  checkLabels(labels, classes, path)
  checkLabels(
    test.files.map((file) => file.label),
    classes,
    tables.test[0]!.path,
  )
  return { classes, ...(names ? { classNames: names } : {}), train, test, remedy: layout }
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

/** The images of all tables: their labels now, their bytes when they are asked for. */
async function encodedImages(tables: readonly Table[]): Promise<EncodedImage[]> {
  const images: EncodedImage[] = []
  for (const table of tables) {
    const { path, image, label } = table
    const groups = new RowGroups(table)
    const rows = await readRows(table, label, 0, Number(table.metadata.num_rows))
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
          const encoded = imageSchema.safeParse((await groups.row(i))[image])
          if (!encoded.success) throw new Error(`its column ${image} has no bytes`)
          return encoded.data
        },
      })
    })
  }
  return images
}

/** One column of rows [begin, end). */
async function readRows(table: Table, column: string, begin: number, end: number): Promise<Row[]> {
  const { path, buffer, metadata } = table
  try {
    return await parquetReadObjects({
      file: buffer,
      metadata,
      columns: [column],
      rowStart: begin,
      rowEnd: end,
      utf8: false,
      compressors,
    })
  } catch (error) {
    throw new DatasetError(path, `it cannot be read (${(error as Error).message})`, layout)
  }
}

/** Enough for images in order, where those that are decoded at a time may be of two. */
const GROUPS_HELD = 2

/** The images of a table by row. A table is read by groups of rows; in another order than theirs each image costs a group. */
class RowGroups {
  readonly #table: Table
  /** By first row; the one used last comes last. */
  readonly #held = new Map<number, Promise<Row[]>>()

  constructor(table: Table) {
    this.#table = table
  }

  async row(index: number): Promise<Row> {
    let begin = 0
    let end = 0
    for (const { num_rows } of this.#table.metadata.row_groups) {
      begin = end
      end += Number(num_rows)
      if (index < end) break
    }
    const rows = this.#held.get(begin) ?? readRows(this.#table, this.#table.image, begin, end)
    this.#held.delete(begin)
    this.#held.set(begin, rows)
    if (this.#held.size > GROUPS_HELD) this.#held.delete(this.#held.keys().next().value!)
    return (await rows)[index - begin]!
  }
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
