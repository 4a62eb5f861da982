// Reads the schema, the labels and the images of one parquet file. This runs in a worker (parquet-worker.ts), because a damaged file
// can make the parser loop for ever or allocate without end.

import { brotliDecompressSync, gunzipSync } from 'node:zlib'

import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet'
import { compressors as shared } from 'hyparquet-compressors'
import { z } from 'zod'

/** Kind of a column's values, as far as images and labels are concerned. */
export type ColumnKind = 'image' | 'bytes' | 'text' | 'list' | 'other'

export interface TableFacts {
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[]
  readonly rows: number
  /** Rows of each group; images are read by group. */
  readonly groups: readonly number[]
  /** Class names by column, from the metadata that the `datasets` library writes. */
  readonly classNames: Readonly<Record<string, readonly string[]>>
}

/** Encoded images, one after the other; those without bytes are empty. */
export interface PackedImages {
  readonly bytes: Uint8Array
  /** `[rows + 1]` */
  readonly begins: Float64Array
  /** Path of the first image that has a path and no bytes. */
  readonly pathOnly?: string
}

/** Most bytes that a page or a group of rows may take: more than people's tables need, less than a damaged header says. */
const MAX_BYTES = 2 ** 31

const bounded =
  (decompress: (bytes: Uint8Array, length: number) => Uint8Array) =>
  (bytes: Uint8Array, length: number): Uint8Array => {
    if (length > MAX_BYTES) throw new Error(`a page says that it takes ${length} bytes`)
    return decompress(bytes, length)
  }

const compressors: Compressors = Object.fromEntries(
  Object.entries({
    ...shared,
    GZIP: (bytes: Uint8Array, length: number) => gunzipSync(bytes, { maxOutputLength: length }),
    BROTLI: (bytes: Uint8Array, length: number) =>
      brotliDecompressSync(bytes, { maxOutputLength: length }),
  }).map(([codec, decompress]) => [codec, bounded(decompress)]),
)

/** A column is compressed in a way that is not read: another file helps, the same one again does not. */
export class UnsupportedCodecError extends Error {
  readonly remedy: string

  constructor(column: string, codec: string) {
    super(`column ${column} is compressed with ${codec}`)
    const known = Object.keys(compressors).join(', ')
    this.remedy = `write the file again without compression, or with one of ${known}`
  }
}

interface Table {
  readonly path: string
  readonly buffer: AsyncBuffer
  readonly metadata: FileMetaData
}

let opened: Table | undefined

async function open(path: string): Promise<Table> {
  if (opened?.path === path) return opened
  const buffer = await asyncBufferFromFile(path)
  return (opened = { path, buffer, metadata: await parquetMetadataAsync(buffer) })
}

export async function readFacts(path: string): Promise<TableFacts> {
  const { metadata } = await open(path)
  const rows = Number(metadata.num_rows)
  const groups = metadata.row_groups.map(({ num_rows }) => Number(num_rows))
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
  if (![rows, ...groups].every(isCount) || groups.reduce((sum, n) => sum + n, 0) !== rows)
    throw new Error(`its metadata say ${rows} rows, and groups of ${groups.slice(0, 5).join(', ')}`)
  for (const { columns } of metadata.row_groups)
    for (const { meta_data: column } of columns)
      if (column && column.codec !== 'UNCOMPRESSED' && !(column.codec in compressors))
        throw new UnsupportedCodecError(column.path_in_schema.join('.'), column.codec)
  return {
    columns: readColumns(metadata.schema),
    rows,
    groups,
    classNames: readClassNames(metadata),
  }
}

function readColumns(schema: readonly SchemaElement[]): TableFacts['columns'] {
  let at = 1
  /** Returns an element's children, and moves behind them. */
  const take = (): { element: SchemaElement; children: SchemaElement[] } => {
    const element = schema[at++]!
    const children: SchemaElement[] = []
    for (let i = 0; i < (element.num_children ?? 0) && at < schema.length; i++)
      children.push(take().element)
    return { element, children }
  }
  const columns: { name: string; kind: ColumnKind }[] = []
  while (at < schema.length) {
    const { element, children } = take()
    // Damaged metadata may lack a name.
    columns.push({ name: element.name ?? '', kind: kindOf(element, children) })
  }
  return columns
}

function kindOf(element: SchemaElement, children: readonly SchemaElement[]): ColumnKind {
  const isList = element.repetition_type === 'REPEATED' || element.converted_type === 'LIST'
  if (isList || children.some((child) => child.repetition_type === 'REPEATED')) return 'list'
  if (children.some(({ name }) => name === 'bytes')) return 'image'
  if (element.type === 'FIXED_LEN_BYTE_ARRAY') return 'bytes'
  if (element.type !== 'BYTE_ARRAY') return 'other'
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
  return isText ? 'text' : 'bytes'
}

const hubMetadata = z.object({
  info: z.object({ features: z.record(z.string(), z.unknown()) }),
})
/** A column of class labels; other columns are described in many ways. */
const classLabel = z.looseObject({ names: z.array(z.string()) })

function readClassNames({ key_value_metadata }: FileMetaData): Record<string, readonly string[]> {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value
  const names: Record<string, readonly string[]> = {}
  try {
    const { features } = hubMetadata.parse(JSON.parse(text ?? '')).info
    for (const [column, feature] of Object.entries(features)) {
      const label = classLabel.safeParse(feature)
      if (label.success) names[column] = label.data.names
    }
  } catch {
    // Without readable metadata there are no names.
  }
  return names
}

type Row = Record<string, unknown>

async function readRows(path: string, column: string, begin: number, end: number, utf8: boolean) {
  const { buffer, metadata } = await open(path)
  for (const { columns } of metadata.row_groups)
    for (const { meta_data } of columns)
      if (
        meta_data?.path_in_schema[0] === column &&
        Number(meta_data.total_uncompressed_size) > MAX_BYTES
      )
        throw new Error(
          `a group of rows says that it takes ${meta_data.total_uncompressed_size} bytes`,
        )
  const rows: Row[] = await parquetReadObjects({
    file: buffer,
    metadata,
    columns: [column],
    rowStart: begin,
    rowEnd: end,
    utf8,
    compressors,
  })
  if (rows.length !== end - begin)
    throw new Error(`it has ${rows.length} rows where it says ${end - begin}`)
  return rows
}

/** Returns a column's values; text is decoded. */
export async function readValues(path: string, column: string, rows: number): Promise<unknown[]> {
  return (await readRows(path, column, 0, rows, true)).map((row) => plainValue(row[column]))
}

/** Objects of the parser cannot all be posted to the parent thread. */
const plainValue = (value: unknown): unknown =>
  typeof value === 'object' &&
  value !== null &&
  !(value instanceof Uint8Array) &&
  !Array.isArray(value)
    ? String(value)
    : value

/** Returns the encoded images of rows [begin, end). */
export async function readImages(
  path: string,
  column: string,
  begin: number,
  end: number,
): Promise<PackedImages> {
  const rows = await readRows(path, column, begin, end, false)
  let pathOnly: string | undefined
  const images = rows.map((row) => {
    const value = row[column] as { bytes?: unknown; path?: unknown } | null | undefined
    const bytes = value instanceof Uint8Array ? value : value?.bytes
    if (bytes instanceof Uint8Array) return bytes
    if (value?.path !== null && value?.path !== undefined)
      pathOnly ??=
        value.path instanceof Uint8Array ? Buffer.from(value.path).toString() : String(value.path)
    return new Uint8Array()
  })
  const begins = new Float64Array(images.length + 1)
  for (const [i, image] of images.entries()) begins[i + 1] = begins[i]! + image.length
  const bytes = new Uint8Array(begins.at(-1)!)
  for (const [i, image] of images.entries()) bytes.set(image, begins[i]!)
  return { bytes, begins, ...(pathOnly === undefined ? {} : { pathOnly }) }
}
