// The images of the studio: the part of MNIST that packages/distill carries, or a folder of the reader's own. Nothing leaves the page.
import { UserError } from '@embed-kd/core'

import testImagesUrl from '../../../packages/distill/data/mnist-small/t10k-images-idx3-ubyte.gz?url'
import testLabelsUrl from '../../../packages/distill/data/mnist-small/t10k-labels-idx1-ubyte.gz?url'
import trainImagesUrl from '../../../packages/distill/data/mnist-small/train-images-idx3-ubyte.gz?url'
import trainLabelsUrl from '../../../packages/distill/data/mnist-small/train-labels-idx1-ubyte.gz?url'
import centroidsUrl from './assets/mnist-centroids.safetensors?url'
import type { Dataset, ImageSet } from './messages.js'

const SIDE = 28

/** Digest of all of MNIST, by which records of other programs know it. */
const MNIST_DIGEST = '6fa22901747b6dfc02d88591e000551e7d97764def3326321c44eb42a95d868c'

/** Loads the images and the centroids that come with the studio. @throws UserError if they are not served. */
export async function loadMnist(): Promise<{ dataset: Dataset; embeddings: Blob }> {
  const load = async (url: string) => inflate(await fetchFile(url))
  const [trainImages, trainLabels, testImages, testLabels, embeddings] = await Promise.all([
    load(trainImagesUrl),
    load(trainLabelsUrl),
    load(testImagesUrl),
    load(testLabelsUrl),
    fetchFile(centroidsUrl),
  ])
  const train = parseIdx(trainImages, trainLabels)
  return { dataset: mnistDataset(train, parseIdx(testImages, testLabels)), embeddings }
}

async function fetchFile(url: string): Promise<Blob> {
  const response = await fetch(url).catch(() => undefined)
  if (response?.ok) return response.blob()
  throw new UserError(`${url} could not be loaded`, 'reload the page, or choose a folder of images')
}

/** Inflates a gzip file, unless the server did on the way. */
async function inflate(file: Blob): Promise<Uint8Array> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer())
  const packed = first === 0x1f && second === 0x8b
  const stream = packed ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream()
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Bytes before the elements of an IDX file with one axis, and with three. */
const LABEL_HEADER = 8
const IMAGE_HEADER = 16

/** Takes the pixels and labels out of two inflated IDX files. */
export const parseIdx = (images: Uint8Array, labels: Uint8Array): ImageSet => ({
  images: images.slice(IMAGE_HEADER),
  labels: Int32Array.from(labels.subarray(LABEL_HEADER)),
})

/** Names what the images of MNIST have in common. */
export function mnistDataset(train: ImageSet, test: ImageSet): Dataset {
  return {
    name: 'mnist',
    digest: MNIST_DIGEST,
    channels: 1,
    size: SIDE,
    classNames: Array.from({ length: 10 }, (_, digit) => `${digit}`),
    train,
    test,
  }
}

/** Side to which images of a folder are resized. */
export const FOLDER_SIZE = 32

const TRAINING = /^train(ing)?$/i
const TESTING = /^(test(ing)?|val(id(ation)?)?|dev|eval(uation)?)$/i
const IMAGE = /\.(jpe?g|png|webp|gif|bmp|avif)$/i

interface Found {
  readonly file: File
  readonly split: 'train' | 'test'
  readonly className: string
}

const LAYOUT =
  'choose a folder of class folders with images, or one with train/<class>/ and test/<class>/'

/** In a folder without splits, one in this many images of a class is a test image. */
const TEST_EVERY = 5

/**
 * Reads a folder `train/<class>/…` and `test/<class>/…`, or `<class>/…`, of which every fifth image of a class is a test image. Images
 * are resized to squares, and come in the order of class and file names.
 * @param report called with the number of images read, and of all.
 * @throws UserError if a split or the classes are missing, the splits have different classes, or an image cannot be decoded.
 */
export async function readFolder(
  files: readonly File[],
  report: (read: number, all: number) => void = () => undefined,
): Promise<Dataset> {
  if (files.length === 0) throw new UserError('the folder is empty', LAYOUT)
  const found = findImages(files)
  const classesOf = (split: Found['split']) =>
    [...new Set(found.filter((each) => each.split === split).map((each) => each.className))].sort()
  const [classNames, tested] = [classesOf('train'), classesOf('test')]
  const name = files[0]!.webkitRelativePath.split('/')[0] || 'folder'
  if (classNames.length === 0) throw withoutClasses(name, files)
  if (classNames.length === 1)
    throw new UserError(
      `${name} has one class to learn, ${classNames[0]}, but a student learns to tell classes apart`,
      'add a folder for a second class',
    )
  if (tested.length === 0)
    throw new UserError(
      'the folder has no test images',
      'add test/<class>/, or five images of each class to a folder without splits',
    )
  const unknown = tested.filter((name) => !classNames.includes(name))
  if (unknown.length > 0)
    throw new UserError(
      `test/ has classes that train/ lacks: ${unknown.join(', ')}`,
      'give both the same classes',
    )
  let read = 0
  const load = async (split: Found['split']): Promise<ImageSet> => {
    const items = found.filter((each) => each.split === split)
    const each = 3 * FOLDER_SIZE ** 2
    const images = new Uint8Array(items.length * each)
    for (const [i, { file }] of items.entries()) {
      images.set(await decode(file, FOLDER_SIZE), i * each)
      report(++read, found.length)
    }
    const labels = Int32Array.from(items, ({ className }) => classNames.indexOf(className))
    return { images, labels }
  }
  const [train, test] = [await load('train'), await load('test')]
  return { name, channels: 3, size: FOLDER_SIZE, classNames, train, test }
}

/** Finds the images of each split and class, in the order of their names. */
function findImages(files: readonly File[]): readonly Found[] {
  const images = files.filter(isImage)
  const split = images.flatMap(imageOfSplit)
  if (split.length > 0 || images.some(isInSplit)) return split.sort(byName)
  const found = images.flatMap((file): Found[] => {
    const [className, ...rest] = partsOf(file)
    return rest.length === 1 ? [{ file, split: 'train', className: className! }] : []
  })
  const places = new Map<string, number>()
  return found.sort(byName).map((image) => {
    const place = (places.get(image.className) ?? 0) + 1
    places.set(image.className, place)
    return place % TEST_EVERY === 0 ? { ...image, split: 'test' } : image
  })
}

/** Returns the names below the folder that was chosen, whose own name says nothing. */
const partsOf = ({ webkitRelativePath }: File): string[] => webkitRelativePath.split('/').slice(1)

const isImage = ({ name, webkitRelativePath }: File): boolean =>
  IMAGE.test(name) && !webkitRelativePath.split('/').some((part) => part.startsWith('.'))

const isSplit = (part: string): boolean => TRAINING.test(part) || TESTING.test(part)
const isInSplit = (file: File): boolean => partsOf(file).slice(0, -1).some(isSplit)

function imageOfSplit(file: File): Found[] {
  const parts = partsOf(file)
  const at = parts.findIndex(isSplit)
  const className = parts[at + 1]
  if (at < 0 || className === undefined || at + 2 !== parts.length - 1) return []
  return [{ file, split: TRAINING.test(parts[at]!) ? 'train' : 'test', className }]
}

/** Returns the error of a folder without classes: it has images, or none. */
function withoutClasses(name: string, files: readonly File[]): UserError {
  const images = files.filter(isImage).length
  return images === 0
    ? new UserError(`none of the files in ${name} (${files.length}) is an image`, LAYOUT)
    : new UserError(
        `the images in ${name} (${images}) are not in folders of their classes`,
        'move each image to a folder called as its class; embed-kd distill learns without classes',
      )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const byName = (a: Found, b: Found): number =>
  compare(a.className, b.className) || compare(a.file.name, b.file.name)

/** Decodes an image to planes of red, green and blue, `[3, size, size]`. @throws UserError naming a file that cannot be decoded. */
export async function decode(file: File, size: number): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file, {
    resizeWidth: size,
    resizeHeight: size,
    resizeQuality: 'high',
  }).catch(() => {
    throw new UserError(
      `${file.webkitRelativePath || file.name} cannot be decoded by this browser`,
      'remove the file, or save it as PNG or JPEG',
    )
  })
  const canvas = new OffscreenCanvas(size, size)
  const context = canvas.getContext('2d')!
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  return planesOf(context.getImageData(0, 0, size, size))
}

/** Returns the planes of red, green and blue of interleaved pixels. */
function planesOf({ data, width, height }: ImageData): Uint8Array {
  const area = width * height
  return Uint8Array.from(
    { length: 3 * area },
    (_, i) => data[4 * (i % area) + Math.floor(i / area)]!,
  )
}
