// Folders of image files, one folder a class: train/<class>/*, test/<class>/*. A class is called as its folder, and classes count in
// the order of their names. Images in one folder without class folders have no labels.

import { readFile } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'

import { DatasetError, type Columns, type Tell } from './dataset.js'
import { arrangeSplits, type EncodedSplits, type FoundSplit, type Located } from './listing.js'
import { causeOf, countByExtension, describeDirectory, requireDirectory } from './files.js'
import { compareText, countOf, listSome, NO_LABEL } from './labels.js'
import { splitOf, type SplitName } from './splits.js'
import { inodesAbove, isText, listEntries, walkFiles, type Entry, type File } from './walk.js'

const extensions = new Set(
  '.jpg .jpeg .png .webp .gif .tif .tiff .avif .bmp .ppm .pgm .pbm .pnm'.split(' '),
)
const remedy =
  'lay the images out as train/<class>/<image> and test/<class>/<image>, or without labels in one folder'
const isImage = ({ name, kind }: Entry): boolean =>
  kind === 'file' && extensions.has(extname(name).toLowerCase())

/** Finds class folders in a directory: below folders of splits, or with a level more or less. */
export function locateImageFolder(directory: string, _columns: Columns, tell: Tell): Located {
  requireDirectory(directory, remedy)
  const flat = findFlat(directory)
  if (flat) return flat
  const { root, splits } = findLayout(directory, tell)
  const found = Object.entries(splits).map(([which, path]) => ({
    which: which as SplitName,
    path,
    classes: readClasses(path, tell),
  }))
  const files = found.flatMap(({ which, classes }) =>
    classes.flatMap(({ name, images }) =>
      images.map(({ relative, bytes, time }) => ({
        relative: `${which}/${name}/${relative}`,
        bytes,
        time,
      })),
    ),
  )
  return { root, files, list: (tell) => Promise.resolve(arrangeFolders(root, found, tell)) }
}

/** Finds images in a directory that has no folders: a training split without labels. */
function findFlat(directory: string): Located | undefined {
  const entries = entriesOf(directory)
  const images = entries.filter(isImage)
  if (images.length === 0 || entries.some(({ kind }) => kind === 'directory')) return undefined
  const files = [...walkFiles(directory, remedy, { maxDepth: 0 })].filter(isImage)
  const list = (tell: Tell): Promise<EncodedSplits> => {
    tell(
      `${directory}: there are no class folders, so its ${countOf(files.length, 'image')} have no labels`,
    )
    const encoded = files.map(({ path }) => ({
      name: path.toString(),
      label: NO_LABEL,
      read: () => readFile(path),
    }))
    return Promise.resolve({
      classes: 0,
      train: { source: directory, files: encoded },
      test: { source: directory, files: [] },
      remedy,
    })
  }
  return { root: directory, files, list }
}

interface Layout {
  readonly root: string
  /** Directory of each split that has class folders. */
  readonly splits: Partial<Record<SplitName, string>>
}

const entriesOf = (directory: string): Entry[] => {
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

function findLayout(directory: string, tell: Tell): Layout {
  const above = findAbove(directory, tell)
  if (above) return above
  let root = directory
  for (let level = 0; ; level++) {
    const entries = entriesOf(root)
    const folders = entries.filter(({ kind }) => kind === 'directory')
    const splits = findSplits(root, folders, tell)
    if (Object.keys(splits).length > 0) {
      if (level > 0) tell(`${directory}: the data set is in ${root}`)
      return { root, splits }
    }
    const inner = entries.some(isImage) || level === LEVELS ? undefined : chooseInner(root, folders)
    if (!inner) return flatLayout(root, folders, tell)
    root = join(root, inner.name)
  }
}

/** Chooses the folder that has the data set in it: the only folder, or the only one of several that has splits of images. */
function chooseInner(root: string, folders: readonly Entry[]): Entry | undefined {
  if (folders.length === 1) return hasFolders(folders[0]!) ? folders[0] : undefined
  const sets = folders.filter(({ path }) => {
    const { train } = findSplits(path.toString(), foldersOf(path.toString()), () => {})
    return train !== undefined && hasImages(train)
  })
  if (sets.length < 2) return sets[0]
  const names = sets.map(({ name }) => name)
  throw new DatasetError(
    root,
    `it has several data sets: ${listSome(names)}`,
    `give one of them, such as images:${join(root, names[0]!)}`,
  )
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
    splits[split] = unwrap(join(root, withClasses[0]!.name), split)
  }
  return splits
}

/** Some archives repeat the folder of a split, or put its images in one: seg_train/seg_train/<class>, train/images/<class>. */
function unwrap(path: string, split: SplitName): string {
  const folders = foldersOf(path)
  const [only] = folders
  const isWrapped =
    folders.length === 1 &&
    (splitOf(only!.name) === split || /^images?$/i.test(only!.name)) &&
    hasFolders(only!)
  return isWrapped ? unwrap(join(path, only!.name), split) : path
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
        `if it is a class, ${remedy}`,
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

const nothingFound = (root: string): DatasetError =>
  new DatasetError(
    root,
    `there are no class folders in it; ${describeDirectory(root)}`,
    findHint(root, 2) ?? remedy,
  )

interface ClassFolder {
  /** Normalised, as macOS and Linux write accents differently. */
  readonly name: string
  readonly images: readonly File[]
  /** What has no extension that is read, by count: `12 .jfif`; empty if there is nothing. */
  readonly ignored: string
}

function readClasses(split: string, tell: Tell): ClassFolder[] {
  const entries = entriesOf(split)
  const above = inodesAbove(split)
  const folders = entries.filter(
    ({ kind, inode }) => kind === 'directory' && !above.includes(inode),
  )
  const loose = entries.filter(isImage).length
  if (loose > 0) tell(`${split}: ${countOf(loose, 'image')} in no class folder ignored`)
  const unnamed = folders.find((folder) => !isText(folder))
  if (unnamed)
    throw new DatasetError(
      `${split}/${unnamed.name}`,
      'the name of this class is not UTF-8',
      'rename the folder',
    )
  const ignored: File[] = []
  const classes = folders.map((folder) => {
    const files = [...walkFiles(folder.path, remedy, { above })]
    const unread = files.filter((file) => !isImage(file))
    for (const file of unread) ignored.push(file)
    return {
      name: folder.name.normalize('NFC'),
      images: files.filter(isImage),
      ignored: countFiles(unread),
    }
  })
  if (ignored.length > 0)
    tell(
      `${split}: ${countOf(ignored.length, 'file')} in class folders ignored: ${countFiles(ignored)}`,
    )
  // A folder called as an image is a left-over of some program, unless there are images in it.
  return classes.filter(
    ({ name, images }) => images.length > 0 || !extensions.has(extname(name).toLowerCase()),
  )
}

function countFiles(files: readonly File[]): string {
  const links = files.filter(({ kind }) => kind === 'other').length
  const named = countByExtension(
    files.filter(({ kind }) => kind === 'file').map(({ name }) => name),
  )
  return [named, links > 0 ? countOf(links, 'broken link') : ''].filter(Boolean).join(', ')
}

/** Images of competitions to be labelled are all in one folder, which is no class. */
const isUnlabelled = (classes: readonly ClassFolder[], names: readonly string[]): boolean =>
  classes.length === 1 &&
  !names.includes(classes[0]!.name) &&
  /^(images?|unknown|unlabell?ed)$/i.test(classes[0]!.name)

interface FoundFolders {
  readonly which: SplitName
  readonly path: string
  readonly classes: readonly ClassFolder[]
}

function arrangeFolders(root: string, found: readonly FoundFolders[], tell: Tell) {
  const trainClasses = found.find(({ which }) => which === 'train')?.classes ?? []
  const names = [...new Set(trainClasses.map(({ name }) => name))].sort(compareText)
  const splits: Partial<Record<SplitName, FoundSplit>> = {}
  for (const { which, path, classes } of found) {
    const isUsed =
      trainClasses.length > 0 &&
      (which !== 'validation' || !found.some((other) => other.which === 'test'))
    if (isUnlabelled(classes, names)) {
      tell(
        `${path}: its only folder is ${classes[0]!.name}/, not a class, so the split is not used`,
      )
      continue
    }
    const unknown = classes.find(({ name }) => isUsed && !names.includes(name))
    if (unknown)
      throw new DatasetError(
        join(path, unknown.name),
        `there is no class of that name in the training split, which has ${listSome(names)}`,
        'give both splits the same classes',
      )
    const labels: string[] = []
    const images = classes.flatMap(({ name, images }) =>
      images.map(({ path: file }) => {
        labels.push(name)
        return { name: file.toString(), read: () => readFile(file) }
      }),
    )
    if (images.length === 0)
      throw new DatasetError(
        path,
        `there is no image in it (a file that ends in ${[...extensions].join(', ')}); ` +
          `its class folders have ${classes.map(({ ignored }) => ignored).find(Boolean) ?? 'no files'}`,
        remedy,
      )
    splits[which] = {
      source: path,
      images,
      labels: { values: labels, describe: (position) => images[position]!.name },
    }
  }
  const explain = (label: number) => {
    const ignored = trainClasses.find(({ name }) => name === names[label])?.ignored
    return ignored ? ` (ignored: ${ignored})` : ''
  }
  return arrangeSplits(splits, { path: root, remedy, tell }, names, explain)
}
