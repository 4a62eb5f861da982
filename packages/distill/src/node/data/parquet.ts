// Image data sets as the Hugging Face Hub has them: parquet files with a column of encoded images and one of labels. Class names come
// with the files, in metadata that the `datasets` library writes.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

import { DatasetError, type Columns, type Tell } from './dataset.js'
import { arrangeSplits, type FoundSplit, type Located } from './listing.js'
import { causeOf, describeDirectory, requireDirectory } from './files.js'
import { listSome } from './labels.js'
import { readColumn, readPackedImages, readTableFacts } from './parquet-reader.js'
import type { ColumnKind, PackedImages, TableFacts } from './parquet-table.js'
import { checkShards } from './shard-names.js'
import { divideByName, splitOf, splitOfPath, type Source, type SplitName } from './splits.js'
import { walkFiles, type File } from './walk.js'

const remedy =
  'give a directory of parquet files called after their split (train-00000-of-00001.parquet, or train/0000.parquet)'

/** Names of tables; pandas and others write the compression too. What is in the file decides. */
const extension = /\.(parquet|parq|pq)(\.(gz|gzip|snappy|zstd|brotli|br))?$/i

/** Columns by what image data sets call them, in the order they are tried, whatever their case. */
const imageColumns = ['image', 'img', 'images', 'picture', 'photo', 'pixel_values', 'jpg', 'png']
const labelColumns =
  'label labels fine_label class cls target targets y category class_id label_id class_name coarse_label'.split(
    ' ',
  )

export function locateParquet(directory: string, columns: Columns, tell: Tell): Located {
  requireDirectory(directory, remedy)
  const all = [...walkFiles(directory, remedy)]
  const tables = all.filter(({ name }) => extension.test(name))
  if (tables.length === 0) {
    const hasArrow = all.some(({ name }) => name.endsWith('.arrow'))
    throw new DatasetError(
      directory,
      `there is no parquet file in it; ${describeDirectory(directory)}`,
      hasArrow
        ? `convert it in Python: for split, data in datasets.load_from_disk(DIR).items(): data.to_parquet(split + ".parquet")`
        : remedy,
    )
  }
  const part = tables.find(({ relative }) => /(^|\/)partial-/.test(relative))
  if (part)
    tell(
      `${directory}: ${part.relative} is the beginning of a split, as the hub converts large data sets; the rest is not here`,
    )
  const splits = groupTables(directory, tables, tell)
  const files = Object.values(splits).flat()
  return { root: directory, files, list: (tell) => list(directory, splits, columns, tell) }
}

type Tables = Partial<Record<SplitName, readonly File[]>>

/** Returns the tables by split; a directory of several configurations is refused, as each is a data set of its own. */
function groupTables(directory: string, tables: readonly File[], tell: Tell): Tables {
  const divided = divideByName(tables, 'parquet file', { path: directory, remedy, tell })
  if (tables.every(({ relative }) => splitOfPath(relative) === undefined)) return divided
  const configurations = new Map<string, Partial<Record<SplitName, File[]>>>()
  for (const [split, files] of Object.entries(divided) as [SplitName, File[]][])
    for (const file of files) {
      const key = configurationOf(file.relative)
      const splits = configurations.get(key) ?? {}
      configurations.set(key, splits)
      ;(splits[split] ??= []).push(file)
    }
  const trained = [...configurations].filter(([, splits]) => splits.train)
  if (trained.length > 1) {
    const names = trained.map(([key]) => key || '(none)')
    throw new DatasetError(
      directory,
      `it has several configurations: ${listSome(names)}`,
      `give the directory of one, such as parquet:${join(directory, names.at(-1)!)}`,
    )
  }
  const merged: Partial<Record<SplitName, File[]>> = {}
  const [main] = trained[0] ?? []
  for (const [key, splits] of configurations)
    for (const [split, files] of Object.entries(splits) as [SplitName, File[]][])
      if (key === main || (merged[split] === undefined && !configurations.get(main ?? '')?.[split]))
        merged[split] = files
  return merged
}

/** Returns what comes before the word of the split: `default` of default/train/0000.parquet, `cifar` of cifar_train.parquet. */
function configurationOf(relative: string): string {
  const parts = relative.split('/')
  const at = parts.findLastIndex((part) => splitOf(part) !== undefined)
  const before = parts.slice(0, at).filter((part) => part !== 'data')
  const isFile = at === parts.length - 1
  const prefix = isFile ? /^(.*?)[-._ ]*(?:train|test|val|dev|eval)/i.exec(parts[at]!)?.[1] : ''
  return [...before, ...(prefix ? [prefix] : [])].join('/')
}

interface Table {
  readonly path: string
  readonly facts: TableFacts
  readonly image: string
  /** Absent in a test split without labels. */
  readonly label?: string
}

async function list(directory: string, splits: Tables, columns: Columns, tell: Tell) {
  const found: Partial<Record<SplitName, FoundSplit>> = {}
  const source = { path: directory, remedy, tell }
  const all: Table[] = []
  for (const [which, files] of Object.entries(splits)) {
    checkShards(files, source)
    const tables: Table[] = []
    for (const { path } of files)
      tables.push(await openTable(path.toString(), which as SplitName, columns))
    all.push(...tables)
    found[which as SplitName] = await readSplit(directory, tables)
  }
  tellColumns(all, columns, source)
  return arrangeSplits(found, source, classNamesOf(all))
}

/** Tells which column was chosen if several may be the labels. */
function tellColumns(
  tables: readonly Table[],
  { labelColumn }: Columns,
  { path, tell }: Source,
): void {
  const table = tables.find(({ label }) => label !== undefined)
  if (table === undefined || labelColumn !== undefined) return
  const names = table.facts.columns.map(({ name }) => name)
  const others = names.filter((name) => name !== table.label && isKnown(name))
  if (others.length > 0)
    tell(
      `${path}: labels are those of the column ${table.label}, not of ${listSome(others)} (--label-column)`,
    )
}

const isKnown = (name: string): boolean => labelColumns.includes(name.toLowerCase())

/** Returns the names of the classes, if tables have them. @throws DatasetError if two tables number them in different ways. */
function classNamesOf(tables: readonly Table[]): readonly string[] | undefined {
  const named = tables.flatMap(({ path, facts, label }) => {
    const names = facts.classNames[label ?? '']
    return names && names.length > 0 ? [{ path, names }] : []
  })
  const [first] = named
  const other = named.find(({ names }) => names.join('\0') !== first!.names.join('\0'))
  if (!other) return first?.names
  throw new DatasetError(
    other.path,
    `its classes are ${listSome(other.names)}, those of ${first!.path} ${listSome(first!.names)}`,
    'write all tables with the same classes in the same order',
  )
}

async function openTable(path: string, which: SplitName, columns: Columns): Promise<Table> {
  checkEnds(path)
  const facts = await readTableFacts(path)
  if (facts.rows === 0) throw new DatasetError(path, 'it has no rows', remedy)
  const image = chooseColumn(path, facts, 'image', columns.imageColumn, imageColumns, (kind) =>
    ['image', 'bytes'].includes(kind),
  )
  const kind = facts.columns.find(({ name }) => name === image)!.kind
  if (kind === 'list' || kind === 'text' || kind === 'other')
    throw new DatasetError(
      path,
      `its column ${image} has ${columnContents[kind]}, not one encoded image a row`,
      'give another column (--image-column), or embed the files of the images in the table',
    )
  const named = Object.keys(facts.classNames)
  // Test splits of competitions have no labels. A column that was asked for must be there.
  const isHidden =
    columns.labelColumn === undefined &&
    facts.columns.every(({ name }) => !isKnown(name)) &&
    !facts.columns.some(({ name }) => named.includes(name))
  if (which !== 'train' && isHidden) return { path, facts, image }
  const label = chooseColumn(path, facts, 'label', columns.labelColumn, labelColumns, (_, name) =>
    named.includes(name),
  )
  if (facts.columns.find(({ name }) => name === label)!.kind === 'image')
    throw new DatasetError(
      path,
      `its column ${label} has images, not labels; its columns are ${facts.columns.map(({ name }) => name).join(', ')}`,
      'give the column of class labels (--label-column)',
    )
  return { path, facts, image, label }
}

const columnContents = {
  list: 'a list in each row',
  text: 'text, perhaps paths',
  other: 'numbers',
} satisfies Partial<Record<ColumnKind, string>>

/** Chooses a column by its given name, else by common names, else the only one that fits. */
function chooseColumn(
  path: string,
  { columns }: TableFacts,
  what: 'image' | 'label',
  given: string | undefined,
  common: readonly string[],
  fits: (kind: ColumnKind, name: string) => boolean,
): string {
  const names = columns.map(({ name }) => name)
  if (given !== undefined && names.includes(given)) return given
  if (given === undefined) {
    for (const name of common) {
      const column = columns.find((column) => column.name.toLowerCase() === name)
      if (column) return column.name
    }
    const fitting = columns.filter(({ name, kind }) => fits(kind, name))
    if (fitting.length === 1) return fitting[0]!.name
  }
  throw new DatasetError(
    path,
    `it has no column ${given === undefined ? `of ${what}s that is known` : JSON.stringify(given)}; its columns are ${names.join(', ')}`,
    `name the column of ${what}s (--${what}-column)`,
  )
}

const MAGIC = 'PAR1'

/** Looks at both ends of a file, which tell more than the parser does. @throws DatasetError */
function checkEnds(path: string): void {
  const [head, tail] = readEnds(path)
  if (head.startsWith(MAGIC) && tail === MAGIC) return
  const [cause, advice] =
    head === ''
      ? ['it is empty (0 bytes)', 'download it again']
      : head.startsWith('version https://git-lfs')
        ? ['it is a pointer of Git LFS, not the file', 'fetch the file: git lfs pull']
        : head.startsWith('<')
          ? ['it is a web page, not a parquet file', 'download the file itself']
          : head.startsWith(MAGIC)
            ? ['it is truncated: it does not end in PAR1', 'download it again']
            : ['it is not a parquet file: it does not begin with PAR1', remedy]
  throw new DatasetError(path, cause!, advice!)
}

function readEnds(path: string): readonly [head: string, tail: string] {
  try {
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      const read = (begin: number, bytes: number) => {
        const part = Buffer.alloc(bytes)
        return part.toString('latin1', 0, readSync(file, part, 0, bytes, begin))
      }
      return [read(0, 64), read(Math.max(size - MAGIC.length, 0), MAGIC.length)]
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new DatasetError(path, causeOf(error), remedy)
  }
}

async function readSplit(directory: string, tables: readonly Table[]): Promise<FoundSplit> {
  const images: TableImage[] = []
  const values: unknown[] = []
  for (const table of tables) {
    const groups = new RowGroups(table)
    const { path, label, facts } = table
    const labels = label === undefined ? [] : await readColumn(path, label, facts.rows)
    for (let row = 0; row < facts.rows; row++) {
      values.push(labels[row])
      images.push(new TableImage(groups, row))
    }
  }
  const source = tables.length === 1 ? tables[0]!.path : directory
  return { source, images, labels: { values, describe: (i) => images[i]!.name } }
}

/** An image in a row of a table. */
class TableImage {
  readonly #groups: RowGroups
  readonly #row: number

  constructor(groups: RowGroups, row: number) {
    this.#groups = groups
    this.#row = row
  }

  get name(): string {
    return `${this.#groups.path}, row ${this.#row}`
  }

  read(): Promise<Uint8Array> {
    return this.#groups.read(this.#row)
  }
}

/** Enough for images in order, if those that are decoded at a time are in two groups. */
const GROUPS_HELD = 2

/** Reads the images of a table by groups of rows. In another order than theirs each image costs a group. */
class RowGroups {
  readonly path: string
  readonly #column: string
  readonly #groups: readonly number[]
  /** By first row; the group used last comes last. */
  readonly #held = new Map<number, Promise<PackedImages>>()

  constructor({ path, image, facts }: Table) {
    this.path = path
    this.#column = image
    this.#groups = facts.groups
  }

  async read(row: number): Promise<Uint8Array> {
    let begin = 0
    let end = 0
    for (const rows of this.#groups) {
      begin = end
      end += rows
      if (row < end) break
    }
    const held = this.#held.get(begin) ?? readPackedImages(this.path, this.#column, begin, end)
    this.#held.delete(begin)
    this.#held.set(begin, held)
    if (this.#held.size > GROUPS_HELD) this.#held.delete(this.#held.keys().next().value!)
    const { bytes, begins, pathOnly } = await held
    const image = bytes.slice(begins[row - begin], begins[row - begin + 1])
    if (image.length === 0)
      throw new DatasetError(
        `${this.path}, row ${row}`,
        pathOnly === undefined
          ? `its column ${this.#column} has no bytes`
          : `its column ${this.#column} has only a path (${pathOnly}), not the image`,
        'embed the files of the images in the table (datasets: embed_table_storage)',
      )
    return image
  }
}
