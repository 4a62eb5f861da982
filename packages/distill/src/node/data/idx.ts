// The IDX format of MNIST and the data sets made in its likeness: two zero bytes, an element type, the number of axes, each axis
// as a big-endian 32-bit number, then the elements. http://yann.lecun.com/exdb/mnist/ describes it.

import { DatasetError, type Dataset, type Tell } from './dataset.js'
import { readBytes } from './files.js'
import { findIdx, type IdxFiles } from './idx-files.js'
import { createDataset, selectImages, type PixelSplit } from './in-memory.js'
import { checkClasses, readLabels } from './labels.js'
import { chooseSplits, holdOutTest } from './splits.js'

interface IdxOptions {
  readonly name: string
  /** What to do if files are missing or damaged. */
  readonly remedy: string
  /** Without names, there are as many classes as the largest training label says. */
  readonly classNames?: readonly string[]
  readonly tell?: Tell
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']

/**
 * Reads the image and label files of a directory, or of the directories that archives and torchvision put them in.
 * @throws DatasetError
 */
export function loadIdx(
  directory: string,
  { name, remedy, classNames, tell = () => {} }: IdxOptions,
): Dataset {
  const source = { path: directory, remedy, tell }
  const { files, prefix } = findIdx(directory, source)
  if (/emnist/i.test(prefix))
    tell(
      `${directory}: EMNIST has rows and columns of its images exchanged; they are kept so, as by torchvision`,
    )
  // This data set alone counts its labels from 1, and says so.
  const firstLabel = /emnist-letters/i.test(prefix) ? 1 : 0
  const chosen = chooseSplits(files, source)
  const train = readSplit(chosen.train, remedy, tell, firstLabel)
  const test = chosen.test && readSplit(chosen.test, remedy, tell, firstLabel)
  if (test && (test.height !== train.height || test.width !== train.width))
    throw new DatasetError(
      test.files.images,
      `images are ${test.height}x${test.width}, those of ${train.files.images} ${train.height}x${train.width}`,
      remedy,
    )
  const named = readLabels(
    [train, ...(test ? [test] : [])].map(({ labels, files }) => ({
      values: labels,
      describe: (i: number) => `${files.labels}, image ${i}`,
    })),
    classNames ?? (firstLabel === 1 ? letters : undefined),
  )
  const [trainLabels, testLabels = new Int32Array()] = named.labels as [Int32Array, Int32Array?]
  checkClasses({
    classes: named.classes,
    ...(named.classNames ? { classNames: named.classNames } : {}),
    train: trainLabels,
    test: testLabels,
    sources: { train: train.files.labels, test: (test ?? train).files.labels },
  })
  const split = ({ pixels: images, count }: IdxSplit, labels: Int32Array): PixelSplit => ({
    images,
    labels,
    count,
  })
  const whole = split(train, trainLabels)
  const parts = test ? undefined : holdOutTest(trainLabels, source)
  return createDataset({
    name,
    classes: named.classes,
    ...(named.classNames ? { classNames: named.classNames } : {}),
    channels: 1,
    height: train.height,
    width: train.width,
    train: parts ? selectImages(whole, parts.train) : whole,
    test: parts ? selectImages(whole, parts.test) : split(test!, testLabels),
  })
}

interface IdxSplit {
  readonly files: IdxFiles
  readonly pixels: Uint8Array
  readonly labels: readonly number[]
  readonly count: number
  readonly height: number
  readonly width: number
}

function readSplit(files: IdxFiles, remedy: string, tell: Tell, firstLabel: number): IdxSplit {
  const images = readIdx(files.images, 'images', remedy, tell)
  const labels = readIdx(files.labels, 'labels', remedy, tell)
  const [count, height, width] = images.shape as [number, number, number]
  const pixels = images.elements
  if (!(pixels instanceof Uint8Array))
    throw new DatasetError(files.images, 'its pixels are not unsigned bytes', remedy)
  if (pixels.length === 0)
    throw new DatasetError(files.images, `it has no pixels (${images.shape.join('x')})`, remedy)
  if (labels.shape[0] !== count)
    throw new DatasetError(
      files.labels,
      `it has ${labels.shape[0]} labels for the ${count} images of ${files.images}`,
      remedy,
    )
  // QMNIST has further columns, about the writer of a digit.
  const columns = labels.shape[1] ?? 1
  if (columns > 1 && isOneHot(labels.elements, columns))
    throw new DatasetError(
      files.labels,
      `its labels are ${count} rows of ${columns} values, of which one is 1 (one-hot), not class numbers`,
      'write the position of the 1 as the label',
    )
  if (columns > 1) tell(`${files.labels}: the first of its ${columns} columns is the label`)
  const values = Array.from({ length: count }, (_, i) => labels.elements[i * columns]! - firstLabel)
  return { files, pixels, labels: values, count, height, width }
}

/** Whether every row has a single 1 and zeros. */
function isOneHot(values: Uint8Array | Float64Array, columns: number): boolean {
  const ones = new Uint32Array(values.length / columns)
  for (const [i, value] of values.entries())
    if (value === 1) ones[Math.floor(i / columns)]!++
    else if (value !== 0) return false
  return ones.every((count) => count === 1)
}

interface ElementType {
  readonly bytes: number
  read(view: DataView, at: number): number
}

/** Element types by their byte in the header. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  0x08: { bytes: 1, read: (view, at) => view.getUint8(at) },
  0x09: { bytes: 1, read: (view, at) => view.getInt8(at) },
  0x0b: { bytes: 2, read: (view, at) => view.getInt16(at) },
  0x0c: { bytes: 4, read: (view, at) => view.getInt32(at) },
  0x0d: { bytes: 4, read: (view, at) => view.getFloat32(at) },
  0x0e: { bytes: 8, read: (view, at) => view.getFloat64(at) },
}

const UNSIGNED_BYTE = 0x08
const ranks = { images: [3], labels: [1, 2] } as const

interface Header {
  readonly type: number
  readonly shape: readonly number[]
  readonly headerBytes: number
  /** Bytes that follow the header. */
  readonly contentBytes: number
}

function readHeader(
  bytes: Uint8Array,
  path: string,
  what: keyof typeof ranks,
  remedy: string,
): Header {
  const fail = (cause: string, advice = remedy): never => {
    throw new DatasetError(path, cause, advice)
  }
  if (bytes.length === 0) fail('it is empty (0 bytes)')
  if (bytes[0] === 0x3c) fail('it is a web page, not an IDX file', 'download the file itself')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4)
    fail(`it is truncated: an IDX file starts with 4 bytes, this one has ${bytes.length}`)
  const magic = view.getUint32(0)
  const type = (magic >> 8) & 0xff
  const rank = magic & 0xff
  if (magic >>> 16 === 0x1f8b) fail('it is compressed twice', 'decompress it once: gunzip')
  const isKnown =
    magic >>> 16 === 0 && elementTypes[type] && (ranks[what] as readonly number[]).includes(rank)
  if (!isKnown) {
    const expected = `0x${(0x800 | ranks[what][0]).toString(16).padStart(8, '0')}`
    fail(
      `it starts with 0x${magic.toString(16).padStart(8, '0')}, where an IDX file of ${what} starts with ${expected}`,
    )
  }
  const headerBytes = 4 + 4 * rank
  if (bytes.length < headerBytes)
    fail(`it is truncated: its IDX header has ${headerBytes} bytes, the file ${bytes.length}`)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const contentBytes = shape.reduce((size, axis) => size * axis, elementTypes[type]!.bytes)
  return { type, shape, headerBytes, contentBytes }
}

/** Reads and checks an IDX file; elements of one byte are a view of the file. */
function readIdx(path: string, what: keyof typeof ranks, remedy: string, tell: Tell) {
  const headerOf = (bytes: Uint8Array) => readHeader(bytes, path, what, remedy)
  const { bytes, isInflated } = readBytes(path, remedy, (head) => {
    const { headerBytes, contentBytes } = headerOf(head)
    // One more, so that a file with more than it says is told apart from a whole one.
    return headerBytes + contentBytes + 1
  })
  if (!isInflated && path.endsWith('.gz'))
    tell(`${path}: it is not compressed in spite of its name, and was read as it is`)
  const { type, shape, headerBytes, contentBytes } = headerOf(bytes)
  const content = bytes.subarray(headerBytes)
  if (content.length !== contentBytes)
    throw new DatasetError(
      path,
      `${content.length < contentBytes ? 'it is truncated: it' : 'it'} says ${shape.join('x')}, which is ${contentBytes} bytes, but ${content.length} follow`,
      remedy,
    )
  if (type === UNSIGNED_BYTE) return { shape, elements: content }
  const { bytes: size, read } = elementTypes[type]!
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const elements = Float64Array.from({ length: content.length / size }, (_, i) =>
    read(view, i * size),
  )
  return { shape, elements }
}
