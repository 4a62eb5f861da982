// The IDX format of MNIST and the data sets made in its likeness: two zero bytes, an element type, the number of axes, each axis
// as a big-endian 32-bit number, then the elements. http://yann.lecun.com/exdb/mnist/ describes it.

import { join } from 'node:path'

import { checkLabels, createDataset, DatasetError } from './dataset.js'
import type { Dataset, Split } from './dataset.js'
import { isFile, readBytes, requireDirectory } from './files.js'

const unsignedByte = 0x08

interface IdxOptions {
  readonly name: string
  /** What to do where files are missing or damaged. */
  readonly remedy: string
  /** Where they are missing, there are as many classes as the largest training label says. */
  readonly classNames?: readonly string[]
}

/**
 * Reads the four official files of `directory`, each as it is or with `.gz`: one grey channel.
 * @throws DatasetError
 */
export function loadIdx(directory: string, { name, remedy, classNames }: IdxOptions): Dataset {
  requireDirectory(directory, remedy)
  const train = readSplit(directory, 'train', remedy)
  const test = readSplit(directory, 't10k', remedy)
  const { height, width } = train
  if (test.height !== height || test.width !== width)
    throw new DatasetError(
      test.imageFile,
      `images are ${test.height}x${test.width}, those of ${train.imageFile} ${height}x${width}`,
      remedy,
    )
  const classes =
    classNames?.length ??
    train.split.labels.reduce((largest, label) => Math.max(largest, label)) + 1
  checkLabels(train.split.labels, classes, train.labelFile)
  checkLabels(test.split.labels, classes, test.labelFile)
  return createDataset({
    name,
    classes,
    ...(classNames && { classNames }),
    channels: 1,
    height,
    width,
    train: train.split,
    test: test.split,
  })
}

interface IdxSplit {
  readonly split: Split & { images: Uint8Array }
  readonly height: number
  readonly width: number
  readonly imageFile: string
  readonly labelFile: string
}

function readSplit(directory: string, prefix: 'train' | 't10k', remedy: string): IdxSplit {
  const imageFile = findFile(directory, `${prefix}-images-idx3-ubyte`, remedy)
  const labelFile = findFile(directory, `${prefix}-labels-idx1-ubyte`, remedy)
  const images = readIdx(imageFile, 3, remedy)
  const labels = readIdx(labelFile, 1, remedy)
  const [count, height, width] = images.shape as [number, number, number]
  if (images.elements.length === 0)
    throw new DatasetError(imageFile, `it has no pixels (${images.shape.join('x')})`, remedy)
  if (labels.shape[0] !== count)
    throw new DatasetError(
      labelFile,
      `it has ${labels.shape[0]} labels for the ${count} images of ${imageFile}`,
      remedy,
    )
  const split = { images: images.elements, labels: Int32Array.from(labels.elements), count }
  return { split, height, width, imageFile, labelFile }
}

function findFile(directory: string, name: string, remedy: string): string {
  const plain = join(directory, name)
  if (isFile(plain)) return plain
  if (isFile(`${plain}.gz`)) return `${plain}.gz`
  throw new DatasetError(plain, 'there is no such file, nor one with .gz', remedy)
}

/** Checks an IDX file of unsigned bytes with `rank` axes; `elements` is a view of the file. */
function readIdx(
  path: string,
  rank: number,
  remedy: string,
): { shape: number[]; elements: Uint8Array } {
  const bytes = readBytes(path, remedy)
  const headerBytes = 4 + 4 * rank
  if (bytes.length < headerBytes)
    throw new DatasetError(
      path,
      `it is truncated: an IDX header has ${headerBytes} bytes, the file ${bytes.length}`,
      remedy,
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = view.getUint32(0)
  const expectedMagic = (unsignedByte << 8) | rank
  if (magic !== expectedMagic)
    throw new DatasetError(
      path,
      `it starts with ${hex(magic)}, where an IDX file of ${rank === 1 ? 'labels' : 'images'} starts with ${hex(expectedMagic)}`,
      remedy,
    )
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const elements = bytes.subarray(headerBytes)
  const expected = shape.reduce((size, axis) => size * axis, 1)
  if (elements.length !== expected)
    throw new DatasetError(
      path,
      `${elements.length < expected ? 'it is truncated: it' : 'it'} says ${shape.join('x')}, which is ${expected} bytes, but ${elements.length} follow`,
      remedy,
    )
  return { shape, elements }
}

const hex = (word: number): string => `0x${word.toString(16).padStart(8, '0')}`
