// Folders of image files, one folder a class: train/<class>/*, test/<class>/*. Every image becomes RGB, as with torchvision's
// ImageFolder; what a class is called is the name of its folder, and classes count in the order of their names.

import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { DatasetError } from './dataset.js'
import type { EncodedImage, EncodedSplit, EncodedSplits } from './decode.js'
import { isDirectory, isFile, listDirectory, requireDirectory } from './files.js'

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'])
const layout = 'lay the images out as train/<class>/<image> and test/<class>/<image>'

/** @throws DatasetError */
export async function listImageFolder(
  directory: string,
  warn: (message: string) => void,
): Promise<EncodedSplits> {
  requireDirectory(directory, layout)
  const trainDirectory = join(directory, 'train')
  const testDirectory = join(directory, 'test')
  requireDirectory(trainDirectory, layout)
  requireDirectory(testDirectory, layout)

  const classNames = classesOf(trainDirectory)
  if (classNames.length === 0)
    throw new DatasetError(trainDirectory, 'it has no folder, so there is no class', layout)
  const unknown = classesOf(testDirectory).find((name) => !classNames.includes(name))
  if (unknown !== undefined)
    throw new DatasetError(
      join(testDirectory, unknown),
      `there is no class of that name in ${trainDirectory}`,
      'give both splits the same classes',
    )
  return {
    classes: classNames.length,
    classNames,
    train: listImages(trainDirectory, classNames, warn),
    test: listImages(testDirectory, classNames, warn),
    remedy: layout,
  }
}

const classesOf = (directory: string): string[] =>
  listDirectory(directory, layout).filter(
    (name) => !name.startsWith('.') && isDirectory(join(directory, name)),
  )

/** Files by class, then by name; folders in class folders count too. */
function listImages(
  directory: string,
  classNames: readonly string[],
  warn: (message: string) => void,
): EncodedSplit {
  const files: EncodedImage[] = []
  for (const [label, name] of classNames.entries()) {
    const classDirectory = join(directory, name)
    if (!isDirectory(classDirectory)) continue
    for (const file of listDirectory(classDirectory, layout, { recursive: true })) {
      const path = join(classDirectory, file)
      if (extensions.has(extname(file).toLowerCase()))
        files.push({ name: path, label, read: () => readFile(path) })
      else if (isFile(path)) warn(`${path}: not an image by its name; ignored`)
    }
  }
  if (files.length === 0)
    throw new DatasetError(
      directory,
      `there is no image in it (a file that ends in ${[...extensions].join(', ')})`,
      layout,
    )
  return { source: directory, files }
}
