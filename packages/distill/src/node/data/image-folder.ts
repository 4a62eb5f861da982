// Folders of image files, one folder a class: train/<class>/*, test/<class>/*. A class is called as its folder, and classes count in
// the order of their names. Images in one folder without class folders have no labels.

import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { DatasetError, type Columns, type Tell } from './dataset.js'
import { arrangeSplits, type EncodedSplits, type FoundSplit, type Located } from './listing.js'
import { countByExtension, isArchive, requireDirectory } from './files.js'
import {
  entriesOf,
  extensions,
  findLayout,
  folderRemedy as remedy,
  isImage,
  requireUnpacked,
} from './folder-layout.js'
import { compareText, countOf, listSome, NO_LABEL } from './labels.js'
import { splitOf, type SplitName } from './splits.js'
import { inodesAbove, isText, walkFiles, type File } from './walk.js'

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
  requireUnpacked(directory, 0)
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

interface ClassFolder {
  /** Normalised, as macOS and Linux write accents differently. */
  readonly name: string
  readonly images: readonly File[]
  /** Counts of files whose extension is not read, as `12 .jfif`; empty if there are none. */
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
  const archives = entries.filter(({ name, kind }) => kind === 'file' && isArchive(name))
  if (archives.length > 0)
    tell(
      `${split}: ${countOf(archives.length, 'archive')} not unpacked and ignored: ${listSome(archives.map(({ name }) => name))}`,
    )
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

/** Images of competitions to be labelled are all in one folder, such as images/ or test/test/, which is no class. */
const isUnlabelled = (classes: readonly ClassFolder[], names: readonly string[]): boolean =>
  classes.length === 1 &&
  !names.includes(classes[0]!.name) &&
  (splitOf(classes[0]!.name) !== undefined ||
    /^(images?|unknown|unlabell?ed)$/i.test(classes[0]!.name))

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
        `there is no class of that name in the training split, which has ${listSome(names.map((name) => JSON.stringify(name)))}`,
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
