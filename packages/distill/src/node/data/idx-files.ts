// Finds the image and label files of an IDX data set by their names, in the layouts of MNIST's page, torchvision, Kaggle and EMNIST.

import { basename, dirname, join } from 'node:path'

import { DatasetError } from './dataset.js'
import { describeDirectory, isDirectory, requireDirectory } from './files.js'
import { listSome } from './labels.js'
import { splitOf, type Source, type SplitName } from './splits.js'
import { walkFiles } from './walk.js'

export interface IdxFiles {
  readonly images: string
  readonly labels: string
}

/** `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte (1).gz`, `emnist-letters-test-images-idx3-ubyte` … */
const namePattern =
  /^(?<prefix>.*?)[-_.]?(?<split>train(?:ing)?|t10k|test(?:ing)?|val(?:id(?:ation)?)?)[-_.]?(?<what>images|labels?)[-_.]?idx\d?(?:[-_.](?:ubyte|int|byte|short|float|double))?(?: ?\(\d+\))?(?:\.gz)?$/i

/** Levels of directories that are searched. */
const LEVELS = 3

type Found = Partial<Record<SplitName, { images?: string; labels?: string }>>

/**
 * Finds the files of one data set. A last part of the path that is no directory is taken as the beginning of the files' names.
 * @throws DatasetError saying what is there instead.
 */
export function findIdx(
  given: string,
  { remedy }: Source,
): { files: Partial<Record<SplitName, IdxFiles>>; prefix: string } {
  const isPrefix = !isDirectory(given) && isDirectory(dirname(given))
  const directory = isPrefix ? dirname(given) : given
  if (!isPrefix) requireDirectory(directory, remedy)
  const sets = new Map<string, Found>()
  for (const { relative, path, name } of walkFiles(directory, remedy, { maxDepth: LEVELS })) {
    const { prefix, split, what } = namePattern.exec(name)?.groups ?? {}
    if (prefix === undefined) continue
    // Kaggle's archives put each file in a folder of its own name.
    const folder = dirname(relative)
    const where = namePattern.test(basename(folder)) ? dirname(folder) : folder
    const key = join(where, prefix)
    const found = sets.get(key) ?? {}
    sets.set(key, found)
    const files = (found[splitOf(split!)!] ??= {})
    files[what!.toLowerCase().startsWith('image') ? 'images' : 'labels'] ??= path.toString()
  }
  const keys = [...sets.keys()].filter((key) => !isPrefix || key.startsWith(basename(given)))
  if (keys.length === 0) {
    const cause = isPrefix
      ? 'there is no such directory, and no IDX files whose names begin like this'
      : `there are no IDX files in it (train-images-idx3-ubyte …); ${describeDirectory(directory)}`
    throw new DatasetError(given, cause, (!isPrefix && otherFormat(directory)) || remedy)
  }
  if (keys.length > 1 && !keys.includes(basename(given)))
    throw new DatasetError(
      given,
      `it has several data sets: ${listSome(keys, 8)}`,
      `give one of them, such as idx:${join(directory, keys[0]!)}`,
    )
  const key = keys.includes(basename(given)) ? basename(given) : keys[0]!
  const files: Partial<Record<SplitName, IdxFiles>> = {}
  for (const [split, { images, labels }] of Object.entries(sets.get(key)!)) {
    if (images === undefined || labels === undefined)
      throw partnerMissing({ images, labels }, remedy)
    files[split as SplitName] = { images, labels }
  }
  return { files, prefix: key }
}

/** Forms in which data sets like MNIST are published beside IDX files. */
const otherFormats: readonly (readonly [RegExp, string])[] = [
  [
    /\.npz$/i,
    'NumPy archives (.npz) are not read; download the same data set as IDX files (…-idx3-ubyte.gz)',
  ],
  [
    /\.(csv|arff|mat)$/i,
    'tables of pixels are not read; download the same data set as IDX files (…-idx3-ubyte.gz)',
  ],
  [/\.pt$/i, 'files of PyTorch (.pt) are not read; give the folder raw beside them'],
  [/\.(zip|tar\.gz|tgz|7z)$/i, 'unpack the archive first'],
]

function otherFormat(directory: string): string | undefined {
  const names = [...walkFiles(directory, '', { maxDepth: LEVELS })].map(({ name }) => name)
  return otherFormats.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1]
}

function partnerMissing(
  { images, labels }: { readonly images: string | undefined; readonly labels: string | undefined },
  remedy: string,
): DatasetError {
  const found = (images ?? labels)!
  const partner =
    images === undefined
      ? basename(found).replace(/labels?(.)idx1/i, 'images$1idx3')
      : basename(found).replace(/images(.)idx3/i, 'labels$1idx1')
  const directory = dirname(found)
  return new DatasetError(
    join(directory, partner),
    `there is no such file beside ${basename(found)}; ${describeDirectory(directory)}`,
    remedy,
  )
}
