// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one or two label bytes and 3x32x32 pixel bytes.
// https://www.cs.toronto.edu/~kriz/cifar.html describes it. The pickled Python version is not read.

import { join } from 'node:path'

import { checkLabels, createDataset, DatasetError, pixelArray } from './dataset.js'
import type { Dataset, Split } from './dataset.js'
import { isFile, readBytes, requireDirectory } from './files.js'

interface CifarFormat {
  readonly classes: number
  /** CIFAR-100 has the label of the coarse class before that of the class. */
  readonly labelBytes: 1 | 2
  readonly trainFiles: readonly string[]
  readonly testFile: string
  readonly classNameFile: string
  /** What the official archive unpacks to. */
  readonly archive: string
}

const formats = {
  cifar10: {
    classes: 10,
    labelBytes: 1,
    trainFiles: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
    testFile: 'test_batch.bin',
    classNameFile: 'batches.meta.txt',
    archive: 'cifar-10-binary.tar.gz, unpacked to cifar-10-batches-bin',
  },
  cifar100: {
    classes: 100,
    labelBytes: 2,
    trainFiles: ['train.bin'],
    testFile: 'test.bin',
    classNameFile: 'fine_label_names.txt',
    archive: 'cifar-100-binary.tar.gz, unpacked to cifar-100-binary',
  },
} satisfies Record<string, CifarFormat>

const imageBytes = 3 * 32 * 32

/**
 * Reads the binary files of `directory`; class names too where their file is there.
 * @throws DatasetError
 */
export function loadCifar(name: 'cifar10' | 'cifar100', directory: string): Dataset {
  const format = formats[name]
  const remedy = `give the directory with the files of ${format.archive} (https://www.cs.toronto.edu/~kriz/cifar.html)`
  requireDirectory(directory, remedy)
  const trainFiles = format.trainFiles.map((file) => join(directory, file))
  const classNames = readClassNames(join(directory, format.classNameFile), format, remedy)
  return createDataset({
    name,
    classes: format.classes,
    ...(classNames && { classNames }),
    channels: 3,
    height: 32,
    width: 32,
    train: readSplit(trainFiles, format, remedy),
    test: readSplit([join(directory, format.testFile)], format, remedy),
  })
}

function readSplit(
  paths: readonly string[],
  format: CifarFormat,
  remedy: string,
): Split & { images: Uint8Array } {
  const recordBytes = format.labelBytes + imageBytes
  const files = paths.map((path) => ({ path, bytes: readBytes(path, remedy) }))
  for (const { path, bytes } of files) {
    if (bytes.length === 0) throw new DatasetError(path, 'it is empty', remedy)
    if (bytes.length % recordBytes !== 0)
      throw new DatasetError(
        path,
        `its ${bytes.length} bytes are not a whole number of ${recordBytes}-byte records: it is truncated or of another format`,
        remedy,
      )
  }
  const count = files.reduce((sum, { bytes }) => sum + bytes.length / recordBytes, 0)
  const images = pixelArray(count * imageBytes)
  const labels = new Int32Array(count)
  let image = 0
  for (const { path, bytes } of files) {
    const first = image
    for (let at = 0; at < bytes.length; at += recordBytes, image++) {
      const pixels = at + format.labelBytes
      labels[image] = bytes[pixels - 1]!
      images.set(bytes.subarray(pixels, at + recordBytes), image * imageBytes)
    }
    checkLabels(labels.subarray(first, image), format.classes, path)
  }
  return { images, labels, count }
}

function readClassNames(path: string, format: CifarFormat, remedy: string): string[] | undefined {
  if (!isFile(path)) return undefined
  const text = new TextDecoder().decode(readBytes(path, remedy))
  const names = text.split(/\r?\n/).filter((line) => line !== '')
  if (names.length !== format.classes)
    throw new DatasetError(
      path,
      `it has ${names.length} names for ${format.classes} classes`,
      remedy,
    )
  return names
}
