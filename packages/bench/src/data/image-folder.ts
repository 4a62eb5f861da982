// Folders of image files, one folder a class: train/<class>/*, test/<class>/*. Every image becomes RGB, as with torchvision's
// ImageFolder; what a class is called is the name of its folder, and classes count in the order of their names.

import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { extname, join } from 'node:path'

import sharp from 'sharp'

import { createDataset, DatasetError } from './dataset.js'
import type { Dataset, Split } from './dataset.js'
import { isDirectory, isFile, listDirectory, requireDirectory } from './files.js'
import { planeResize } from './resize.js'
import type { Size } from './resize.js'

export interface ImageFolderOptions {
  /** Images are resized to this many pixels a side. Where absent, all must be of one size. */
  readonly imageSize?: number
  /** What a file does that cannot be decoded: end the loading (the default), or be left out, with a warning. */
  readonly corrupt?: 'fail' | 'skip'
  /** Told what was left out, one line each. */
  readonly warn?: (message: string) => void
}

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'])
const channels = 3
const layout = 'lay the images out as train/<class>/<image> and test/<class>/<image>'

/** @throws DatasetError */
export async function loadImageFolder(
  directory: string,
  options: ImageFolderOptions = {},
): Promise<Dataset> {
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

  const train = await decodeSplit(trainDirectory, classNames, options)
  const test = await decodeSplit(testDirectory, classNames, options, train)
  return createDataset({
    name: `images:${directory}`,
    classes: classNames.length,
    classNames,
    channels,
    height: train.height,
    width: train.width,
    train: train.split,
    test: test.split,
  })
}

const classesOf = (directory: string): string[] =>
  listDirectory(directory, layout).filter(
    (name) => !name.startsWith('.') && isDirectory(join(directory, name)),
  )

interface ImageFile {
  readonly path: string
  readonly label: number
}

interface Decoded extends Size {
  /** `[3, height, width]` */
  readonly pixels: Uint8Array
}

interface DecodedSplit extends Size {
  readonly split: Split
  /** An image of that size, to name when another differs. */
  readonly example: string
}

async function decodeSplit(
  directory: string,
  classNames: readonly string[],
  options: ImageFolderOptions,
  sized?: DecodedSplit,
): Promise<DecodedSplit> {
  const { imageSize, corrupt = 'fail', warn = () => {} } = options
  const files = listImages(directory, classNames, warn)

  const decode = async ({ path }: ImageFile): Promise<Decoded | undefined> => {
    try {
      return await decodeImage(path, imageSize)
    } catch (error) {
      const lines = new Set((error as Error).message.trim().split('\n'))
      const cause = `it cannot be decoded (${[...lines].join(', ')})`
      if (corrupt === 'fail')
        throw new DatasetError(path, cause, 'repair or remove it, or have corrupt files skipped')
      warn(`${path}: ${cause}; skipped`)
      return undefined
    }
  }

  // The first image that can be decoded says how large they are.
  let next = 0
  let first: Decoded | undefined
  while (first === undefined && next < files.length) first = await decode(files[next++]!)
  if (first === undefined)
    throw new DatasetError(directory, 'there is no image that can be decoded', layout)
  const start = next - 1
  const { height, width, example } = sized ?? {
    height: first.height,
    width: first.width,
    example: files[start]!.path,
  }

  const imageBytes = channels * height * width
  const images = new Uint8Array((files.length - start) * imageBytes)
  const decoded = new Uint8Array(files.length - start)
  const place = (index: number, image: Decoded): void => {
    if (image.height !== height || image.width !== width)
      throw new DatasetError(
        files[index]!.path,
        `it is ${image.height}x${image.width}, but ${example} is ${height}x${width}`,
        'give an image size to resize all images to',
      )
    images.set(image.pixels, (index - start) * imageBytes)
    decoded[index - start] = 1
  }
  place(start, first)
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++
      const image = await decode(files[index]!)
      if (image !== undefined) place(index, image)
    }
  }
  await Promise.all(Array.from({ length: 4 * availableParallelism() }, worker))

  // Close the gaps that skipped files left.
  const kept = Array.from(decoded.keys()).filter((i) => decoded[i] === 1)
  for (const [to, from] of kept.entries())
    if (to !== from) images.copyWithin(to * imageBytes, from * imageBytes, (from + 1) * imageBytes)
  const labels = Int32Array.from(kept, (i) => files[start + i]!.label)
  const split = {
    images: images.subarray(0, kept.length * imageBytes),
    labels,
    count: kept.length,
  }
  return { split, height, width, example }
}

/** Files by class, then by name; folders in class folders count too. */
function listImages(
  directory: string,
  classNames: readonly string[],
  warn: (message: string) => void,
): ImageFile[] {
  const files: ImageFile[] = []
  for (const [label, name] of classNames.entries()) {
    const classDirectory = join(directory, name)
    if (!isDirectory(classDirectory)) continue
    for (const file of listDirectory(classDirectory, layout, { recursive: true })) {
      const path = join(classDirectory, file)
      if (extensions.has(extname(file).toLowerCase())) files.push({ path, label })
      else if (isFile(path)) warn(`${path}: not an image by its name; ignored`)
    }
  }
  if (files.length === 0)
    throw new DatasetError(
      directory,
      `there is no image in it (a file that ends in ${[...extensions].join(', ')})`,
      layout,
    )
  return files
}

async function decodeImage(path: string, imageSize: number | undefined): Promise<Decoded> {
  // 'error': a truncated file is corrupt, an oddity that every viewer forgives is not.
  const { data, info } = await sharp(await readFile(path), { failOn: 'error' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const area = width * height
  if (imageSize === undefined || (imageSize === width && imageSize === height)) {
    const pixels = new Uint8Array(channels * area)
    for (let i = 0, at = 0; i < area; i++)
      for (let channel = 0; channel < channels; channel++) pixels[channel * area + i] = data[at++]!
    return { height, width, pixels }
  }
  const planes = new Float32Array(channels * area)
  for (let i = 0, at = 0; i < area; i++)
    for (let channel = 0; channel < channels; channel++) planes[channel * area + i] = data[at++]!
  const size = { height: imageSize, width: imageSize }
  const resize = planeResize(info, size)
  const resized = new Float32Array(channels * imageSize * imageSize)
  for (let channel = 0; channel < channels; channel++)
    resize(planes, channel * area, resized, channel * imageSize * imageSize)
  return { ...size, pixels: Uint8Array.from(resized, Math.round) }
}
