// Finds the folders that hold the classes of an image folder: below folders of splits, a level too high or too low, in the layouts of
// archives. What is in the class folders is read by image-folder.ts.

import { basename, dirname, extname, join, relative, resolve } from 'node:path'

import { DatasetError, type Tell } from './dataset.js'
import { causeOf, describeDirectory } from './files.js'
import { listSome } from './labels.js'
import { splitOf, type SplitName } from './splits.js'
import { inodesAbove, listEntries, walkFiles, type Entry } from './walk.js'

/** Extensions of files that are read as images. */
export const extensions: ReadonlySet<string> = new Set(
  '.jpg .jpeg .png .webp .gif .tif .tiff .avif .bmp .ppm .pgm .pbm .pnm'.split(' '),
)
export const folderRemedy =
  'lay the images out as train/<class>/<image> and test/<class>/<image>, or without labels in one folder'
const remedy = folderRemedy

export const isImage = ({ name, kind }: Entry): boolean =>
  kind === 'file' && extensions.has(extname(name).toLowerCase())

export interface Layout {
  readonly root: string
  /** Directory of each split that has class folders. */
  readonly splits: Partial<Record<SplitName, string>>
}

export const entriesOf = (directory: string): Entry[] => {
  try {
    return listEntries(directory)
  } catch (error) {
    throw new DatasetError(directory, causeOf(error), remedy)
  }
}
const foldersOf = (directory: string): Entry[] =>
  entriesOf(directory).filter(({ kind }) => kind === 'directory')
const hasFolders = ({ path }: Entry): boolean => foldersOf(path.toString()).length > 0

/** Levels below the given directory that are searched, as archives often unpack to a folder in a folder. */
const LEVELS = 4

/** @throws DatasetError saying what is there instead. */
export function findLayout(directory: string, tell: Tell): Layout {
  const above = findAbove(directory, tell)
  if (above) return above
  let root = directory
  for (let level = 0; ; level++) {
    const entries = entriesOf(root)
    const folders = entries.filter(({ kind }) => kind === 'directory')
    const splits = findSplits(root, folders, tell)
    if (Object.keys(splits).length > 0) {
      if (level > 0) tell(`${directory}: the data set is in ${root}`)
      tellUnused(root, folders, tell)
      return { root, splits }
    }
    const inner =
      entries.some(isImage) || level >= LEVELS ? undefined : chooseInner(root, folders, tell)
    if (inner === undefined) return flatLayout(root, folders, tell)
    root = inner
  }
}

/** Folders that are called after no split are told, if they have images. */
function tellUnused(root: string, folders: readonly Entry[], tell: Tell): void {
  const above = inodesAbove(root)
  const unused = folders.filter(
    ({ name, path, inode }) =>
      splitOf(name) === undefined && !above.includes(inode) && hasImages(path.toString()),
  )
  if (unused.length > 0) tell(`${root}: ${listFolders(unused)} called after no split, and not used`)
}

const listFolders = (folders: readonly Entry[]): string =>
  listSome(folders.map(({ name }) => `${name}/`))

/**
 * Chooses the folder that has the data set in it: the only folder; of several the only one that has splits of images, perhaps in a
 * folder of its own; or that of the images.
 */
function chooseInner(root: string, folders: readonly Entry[], tell: Tell): string | undefined {
  const [first] = folders
  if (folders.length === 1) return hasFolders(first!) ? join(root, first!.name) : undefined
  const sets = folders
    .map(({ path }) => findSet(path.toString()))
    .filter((set) => set !== undefined)
  if (sets.length > 1)
    throw new DatasetError(
      root,
      `it has several data sets: ${listSome(sets.map((set) => relative(root, set)))}`,
      `give one of them, such as images:${sets[0]!}`,
    )
  return sets[0] ?? imagesAmong(root, folders, tell)
}

/** Returns the folder that has a training split with images: a folder itself, or the only one in the only one in it. */
function findSet(path: string): string | undefined {
  const folders = foldersOf(path)
  const { train } = findSplits(path, folders, () => {})
  if (train !== undefined) return hasImages(train) ? path : undefined
  return folders.length === 1 ? findSet(join(path, folders[0]!.name)) : undefined
}

/**
 * Returns the folder of the images if there are several, such as images/ beside annotations/.
 * @throws DatasetError if there are no class folders in it, as in data sets for detection.
 */
function imagesAmong(root: string, folders: readonly Entry[], tell: Tell): string | undefined {
  const images = folders.find(({ name }) => /^(images|imgs|jpegimages)$/i.test(name))
  const others = folders.filter((folder) => folder !== images)
  if (!images || others.length === 0) return undefined
  if (!hasFolders(images))
    throw new DatasetError(
      root,
      `its folder ${images.name}/ is no class, as there is ${listFolders(others)} beside it, and it has no class folders`,
      findHint(root, 2) ?? remedy,
    )
  tell(`${root}: the images are in ${images.name}/; ${listFolders(others)} not used`)
  return join(root, images.name)
}

function hasImages(directory: string): boolean {
  for (const file of walkFiles(directory, remedy)) if (isImage(file)) return true
  return false
}

/** If the given directory is the training split and its neighbours are other splits, the directory above is meant. */
function findAbove(directory: string, tell: Tell): Layout | undefined {
  const path = resolve(directory)
  if (splitOf(basename(path)) !== 'train') return undefined
  if (findSplits(path, foldersOf(path), () => {}).train !== undefined) return undefined
  const root = dirname(path)
  const splits = findSplits(root, foldersOf(root), () => {})
  if (splits.train !== path || Object.keys(splits).length === 1) return undefined
  tell(`${directory}: this is the training split; other splits are taken from beside it`)
  return { root, splits }
}

function findSplits(root: string, folders: readonly Entry[], tell: Tell): Layout['splits'] {
  const named = new Map<SplitName, Entry[]>()
  for (const folder of folders) {
    const split = splitOf(folder.name)
    if (split) named.set(split, [...(named.get(split) ?? []), folder])
  }
  const splits: Layout['splits'] = {}
  for (const [split, candidates] of named) {
    const withClasses = candidates.filter(hasFolders)
    if (withClasses.length === 0) {
      // A folder called test that holds images may as well be a class; only beside a training split it is none.
      if (named.get('train')?.some(hasFolders))
        for (const { path } of candidates)
          tell(`${path}: it has no class folders, so it is not used as the ${split} split`)
      continue
    }
    if (withClasses.length > 1)
      throw new DatasetError(
        root,
        `${listSome(withClasses.map(({ name }) => `${name}/`))} could all be the ${split} split`,
        'keep one of them, or rename the others',
      )
    splits[split] = unwrap(join(root, withClasses[0]!.name), split, tell)
  }
  return splits
}

/** Some archives repeat the folder of a split, or put its images in one: seg_train/seg_train/<class>, train/images/<class>. */
function unwrap(path: string, split: SplitName, tell: Tell): string {
  const folders = foldersOf(path)
  const [only] = folders
  const isWrapped =
    folders.length === 1 &&
    (splitOf(only!.name) === split || /^images?$/i.test(only!.name)) &&
    hasFolders(only!)
  const inner = isWrapped ? join(path, only!.name) : imagesAmong(path, folders, tell)
  return inner === undefined ? path : unwrap(inner, split, tell)
}

/** Without folders of splits, the folders are classes of a training split. */
function flatLayout(root: string, folders: readonly Entry[], tell: Tell): Layout {
  const named = folders.map(({ name }) => splitOf(name)).filter((split) => split !== undefined)
  // One class may well be called train (the vehicle); folders called after several splits are no classes.
  if (named.length === folders.length || new Set(named).size > 1) throw nothingFound(root)
  if (folders.length === 1 && !hasFolders(folders[0]!) && findHint(root, 0))
    throw nothingFound(root)
  const inside = folders.map(({ path }) => foldersOf(path.toString()).map(({ name }) => name))
  for (const [i, names] of inside.entries())
    if (names.length > 0 && names.every((name) => splitOf(name) !== undefined))
      throw new DatasetError(
        root,
        `its folder ${folders[i]!.name}/ has splits in it (${listSome(names)})`,
        `give images:${join(root, folders[i]!.name)}; or if it is a class, ${remedy}`,
      )
  const [first = []] = inside
  // Domains, folds, or splits of unknown names.
  if (folders.length > 1 && first.length > 1 && inside.every((names) => sameNames(names, first)))
    tell(
      `${root}: its folders ${listSome(folders.map(({ name }) => name))} are the classes, though all have the same folders in them (${listSome(first)})`,
    )
  return { root, splits: { train: root } }
}

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i])

const otherFormats: readonly (readonly [RegExp, string])[] = [
  [/\.parquet$/i, 'parquet:DIR reads tables of images'],
  [/\.tar$/i, 'webdataset:DIR reads tar files of images'],
  [/ubyte(\.gz)?$/i, 'idx:DIR reads IDX files'],
  [/\.arrow$/i, 'save the data set with to_parquet, and give it as parquet:DIR'],
  [/\.(zip|tar\.gz|tgz|7z|rar)$/i, 'unpack the archive first'],
  [
    /\.(csv|tsv|jsonl?|xlsx)$/i,
    'labels in tables are not read: move each image to a folder called as its class, train/<class>/<image>',
  ],
]

function findHint(root: string, maxDepth: number): string | undefined {
  const names = [...walkFiles(root, remedy, { maxDepth })].map(({ name }) => name)
  return otherFormats.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1]
}

function nothingFound(root: string): DatasetError {
  requireUnpacked(root, 2)
  return new DatasetError(
    root,
    `there are no class folders in it; ${describeDirectory(root)}`,
    findHint(root, 2) ?? remedy,
  )
}

/** Some programs unpack archives of Windows into files called train\\cat\\1.jpg. @throws DatasetError */
export function requireUnpacked(root: string, maxDepth: number): void {
  for (const { name } of walkFiles(root, remedy, { maxDepth }))
    if (name.includes('\\'))
      throw new DatasetError(
        root,
        `there are backslashes in the names of its files, such as ${name}, where folders are expected`,
        'unpack the archive with a program that reads archives of Windows, such as 7z x ARCHIVE',
      )
}
