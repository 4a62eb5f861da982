// CIFAR-10 and CIFAR-100 (Krizhevsky 2009), in both versions of https://www.cs.toronto.edu/~kriz/cifar.html: the binary one, records
// of one or two label bytes and 3x32x32 pixel bytes, and the pickled Python one, which torchvision downloads.

import { dirname, join } from 'node:path'

import { messageOf } from '@embed-kd/core'
import { asNames, readCifarPickle } from './cifar-pickle.js'
import { DatasetError, type Dataset, type Tell } from './dataset.js'
import { describeDirectory, isFile, readBytes, requireDirectory } from './files.js'
import { createDataset, pixelArray, type PixelSplit } from './in-memory.js'
import { checkClasses } from './labels.js'
import { walkFiles } from './walk.js'
import { statSync } from 'node:fs'

interface CifarFormat {
  readonly classes: number
  /** CIFAR-100 has the label of the coarse class before that of the class. */
  readonly labelBytes: 1 | 2
  readonly trainFiles: readonly string[]
  readonly testFile: string
  /** Key of the labels in the Python version. */
  readonly labelKey: string
  /** File of the class names, in the binary and the Python version, and their key in the latter. */
  readonly names: { readonly binary: string; readonly python: string; readonly key: string }
  /** The official archive, and the directory it unpacks to. */
  readonly archive: string
}

const formats = {
  cifar10: {
    classes: 10,
    labelBytes: 1,
    trainFiles: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}`),
    testFile: 'test_batch',
    labelKey: 'labels',
    names: { binary: 'batches.meta.txt', python: 'batches.meta', key: 'label_names' },
    archive: 'cifar-10-binary.tar.gz, unpacked to cifar-10-batches-bin',
  },
  cifar100: {
    classes: 100,
    labelBytes: 2,
    trainFiles: ['train'],
    testFile: 'test',
    labelKey: 'fine_labels',
    names: { binary: 'fine_label_names.txt', python: 'meta', key: 'fine_label_names' },
    archive: 'cifar-100-binary.tar.gz, unpacked to cifar-100-binary',
  },
} satisfies Record<string, CifarFormat>

const imageBytes = 3 * 32 * 32
/** Levels of directories that are searched. */
const LEVELS = 3
/** Larger than any file of CIFAR, smaller than what does harm. */
const MAX_BYTES = 512 * 2 ** 20

/**
 * Reads the files of either version in a directory or below it; class names too if their file is there.
 * @throws DatasetError
 */
export function loadCifar(
  name: keyof typeof formats,
  given: string,
  tell: Tell = () => {},
): Dataset {
  const format: CifarFormat = formats[name]
  const remedy = `give the directory with the files of ${format.archive} (https://www.cs.toronto.edu/~kriz/cifar.html)`
  const { directory, extension } = findFiles(given, format, remedy)
  if (directory !== given) tell(`${given}: the data set is in ${directory}`)
  const path = (file: string) => join(directory, `${file}${extension}`)
  const read = (files: readonly string[]) =>
    joinBatches(files.map((file) => readBatch(path(file), format, remedy)))
  const isPython = extension === ''
  const classNames = isPython
    ? readPythonNames(join(directory, format.names.python), format, remedy)
    : readBinaryNames(join(directory, format.names.binary), format, remedy)
  const train = read(format.trainFiles)
  const test = read([format.testFile])
  checkClasses({
    classes: format.classes,
    ...(classNames && { classNames }),
    train: train.labels,
    test: test.labels,
    sources: { train: path(format.trainFiles[0]!), test: path(format.testFile) },
  })
  return createDataset({
    name,
    classes: format.classes,
    ...(classNames && { classNames }),
    channels: 3,
    height: 32,
    width: 32,
    train,
    test,
  })
}

/** Finds the directory of the files, and their extension: `.bin`, or none in the Python version. */
function findFiles(given: string, format: CifarFormat, remedy: string) {
  const wanted = [...format.trainFiles, format.testFile]
  if (isFile(given) && /\.(tar\.gz|tgz|tar)$/i.test(given)) throw packed(given)
  requireDirectory(given, remedy)
  const directories = new Map<string, string[]>()
  const archives: string[] = []
  for (const { path, name } of walkFiles(given, remedy, { maxDepth: LEVELS })) {
    const directory = dirname(path.toString())
    directories.set(directory, [...(directories.get(directory) ?? []), name])
    if (/cifar.*\.(tar\.gz|tgz|tar)$/i.test(name)) archives.push(path.toString())
  }
  for (const extension of ['.bin', ''])
    for (const [directory, names] of directories) {
      const present = wanted.filter((file) => names.includes(`${file}${extension}`))
      // Other data sets have a file called train or test, too; a part of CIFAR's files is enough to be named in an error.
      if (present.length * 2 <= wanted.length) continue
      const missing = wanted.find((file) => !present.includes(file))
      if (missing !== undefined)
        throw new DatasetError(
          join(directory, `${missing}${extension}`),
          `there is no such file or directory; ${describeDirectory(directory)}`,
          remedy,
        )
      return { directory, extension }
    }
  if (archives.length > 0) throw packed(archives[0]!)
  throw new DatasetError(
    given,
    `there is no ${wanted[0]}.bin in it, nor the Python version's ${wanted[0]}; ${describeDirectory(given)}`,
    remedy,
  )
}

const packed = (archive: string): DatasetError =>
  new DatasetError(
    archive,
    'the archive is not unpacked',
    `unpack it and give its directory: tar xf ${archive} -C ${dirname(archive)}`,
  )

interface Labelled {
  readonly images: Uint8Array
  readonly labels: ArrayLike<number>
}

function readBatch(path: string, format: CifarFormat, remedy: string): Labelled {
  const size = statSync(path).size
  if (size > MAX_BYTES)
    throw new DatasetError(path, `its ${size} bytes are too many for CIFAR`, remedy)
  const { bytes } = readBytes(path, remedy, () => MAX_BYTES)
  if (bytes.length === 0) throw new DatasetError(path, 'it is empty', remedy)
  const batch = path.endsWith('.bin')
    ? readRecords(bytes, path, format, remedy)
    : readPython(bytes, path, format, remedy)
  for (let i = 0; i < batch.labels.length; i++)
    if (!(batch.labels[i]! >= 0 && batch.labels[i]! < format.classes))
      throw new DatasetError(
        path,
        `the label of image ${i} is ${batch.labels[i]}, but there are ${format.classes} classes, 0 to ${format.classes - 1}`,
        'check that the file belongs to this data set and is not damaged',
      )
  return batch
}

function readRecords(
  bytes: Uint8Array,
  path: string,
  { labelBytes }: CifarFormat,
  remedy: string,
): Labelled {
  const recordBytes = labelBytes + imageBytes
  if (bytes.length % recordBytes !== 0)
    throw new DatasetError(
      path,
      `its ${bytes.length} bytes are not a whole number of ${recordBytes}-byte records: it is truncated or of another format`,
      remedy,
    )
  const count = bytes.length / recordBytes
  const images = new Uint8Array(count * imageBytes)
  const labels = new Uint8Array(count)
  for (let image = 0; image < count; image++) {
    const pixels = image * recordBytes + labelBytes
    labels[image] = bytes[pixels - 1]!
    images.set(bytes.subarray(pixels, pixels + imageBytes), image * imageBytes)
  }
  return { images, labels }
}

function readPython(
  bytes: Uint8Array,
  path: string,
  { labelKey }: CifarFormat,
  remedy: string,
): Labelled {
  const content = unpickle(bytes, path, remedy)
  const images = content.get('data')
  const labels = content.get(labelKey)
  const isWhole =
    images instanceof Uint8Array &&
    Array.isArray(labels) &&
    labels.every(Number.isInteger) &&
    images.length === labels.length * imageBytes
  if (!isWhole)
    throw new DatasetError(
      path,
      `it has no ${labelKey} and data of ${imageBytes} bytes for each; its keys are ${[...content.keys()].join(', ')}`,
      remedy,
    )
  return { images, labels: labels as number[] }
}

function unpickle(bytes: Uint8Array, path: string, remedy: string): Map<string, unknown> {
  try {
    return readCifarPickle(bytes)
  } catch (error) {
    throw new DatasetError(
      path,
      `it cannot be read as CIFAR's pickle (${messageOf(error)})`,
      remedy,
    )
  }
}

function joinBatches(batches: readonly Labelled[]): PixelSplit {
  const count = batches.reduce((sum, { labels }) => sum + labels.length, 0)
  const images = pixelArray(count * imageBytes)
  const labels = new Int32Array(count)
  let image = 0
  for (const batch of batches) {
    images.set(batch.images, image * imageBytes)
    labels.set(batch.labels, image)
    image += batch.labels.length
  }
  return { images, labels, count }
}

function readBinaryNames(path: string, format: CifarFormat, remedy: string): string[] | undefined {
  if (!isFile(path)) return undefined
  const text = new TextDecoder().decode(readBytes(path, remedy, () => MAX_BYTES).bytes)
  const names = text.split(/\r?\n/).filter((line) => line !== '')
  return checkNames(names, path, format, remedy)
}

function readPythonNames(path: string, format: CifarFormat, remedy: string): string[] | undefined {
  if (!isFile(path)) return undefined
  const content = unpickle(readBytes(path, remedy, () => MAX_BYTES).bytes, path, remedy)
  return checkNames(asNames(content.get(format.names.key)) ?? [], path, format, remedy)
}

function checkNames(
  names: string[],
  path: string,
  { classes }: CifarFormat,
  remedy: string,
): string[] {
  if (names.length === classes) return names
  throw new DatasetError(path, `it has ${names.length} names for ${classes} classes`, remedy)
}
