// The files of MNIST and Fashion-MNIST, downloaded once into the cache and checked by the digests that torchvision publishes.

import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import { DatasetError, type Tell } from './dataset.js'
import { download } from './download.js'
import { makeDirectory } from '../files/make-directory.js'

interface Source {
  /** Places that have the files, in the order they are tried. */
  readonly mirrors: readonly string[]
  /** MD5 (hex) by file name. They find damage, not malice. */
  readonly files: Readonly<Record<string, string>>
}

export const mnistSources = {
  mnist: {
    mirrors: ['https://ossci-datasets.s3.amazonaws.com/mnist'],
    files: {
      'train-images-idx3-ubyte.gz': 'f68b3c2dcbeaaa9fbdd348bbdeb94873',
      'train-labels-idx1-ubyte.gz': 'd53e105ee54ea40749a09fcbcd1e9432',
      't10k-images-idx3-ubyte.gz': '9fb629c4189551a2d022fa330f9573f3',
      't10k-labels-idx1-ubyte.gz': 'ec29112dd5afa0611ce80d1b7f02629c',
    },
  },
  'fashion-mnist': {
    mirrors: ['http://fashion-mnist.s3-website.eu-central-1.amazonaws.com'],
    files: {
      'train-images-idx3-ubyte.gz': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
      'train-labels-idx1-ubyte.gz': '25c81989df183df01b3e8a0aad5dffbe',
      't10k-images-idx3-ubyte.gz': 'bef4ecab320f06d8554ea6380940ec79',
      't10k-labels-idx1-ubyte.gz': 'bb300cfdad3c16e7a12a480ee83cd310',
    },
  },
} satisfies Record<string, Source>

/**
 * Returns the directory of a data set's files below `cache`; files that are not there yet are downloaded.
 * @throws DatasetError of the last mirror, if none has a file.
 */
export async function fetchIdxFiles(
  name: string,
  { mirrors, files }: Source,
  cache: string,
  remedy: string,
  tell: Tell,
): Promise<string> {
  const directory = join(cache, name)
  makeDirectory(directory)
  for (const [file, md5] of Object.entries(files)) {
    const path = join(directory, file)
    if (!existsSync(path)) await fetchFile(file, md5, path, { mirrors, remedy, tell })
  }
  return directory
}

async function fetchFile(
  file: string,
  md5: string,
  path: string,
  {
    mirrors,
    remedy,
    tell,
  }: { readonly mirrors: readonly string[]; readonly remedy: string; readonly tell: Tell },
): Promise<void> {
  let last: unknown
  for (const mirror of mirrors) {
    const source = `${mirror}/${file}`
    tell(`downloading ${source}`)
    try {
      await download(source, `${path}.partial`, md5, remedy)
      renameSync(`${path}.partial`, path)
      return
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error
      last = error
    }
  }
  throw last
}
