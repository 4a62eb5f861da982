// Data sets as people have them: every layout, name, label and accident that is known, in every format. A case either opens with so
// many images and classes, and says aloud what it chose, or fails with an error that names the culprit.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { loadDataset, type DatasetOptions } from '../src/node/data/registry.js'
import { tarOf } from './tar-of.js'

let root = ''
const images: { png: Buffer[]; jpg: Buffer[] } = { png: [], jpg: [] }
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'embed-kd-cases-'))
  for (let i = 0; i < 12; i++) {
    const background = { r: 20 * i, g: 255 - 20 * i, b: 9 }
    const image = sharp({ create: { width: 4, height: 4, channels: 3, background } })
    images.png.push(await image.png().toBuffer())
    images.jpg.push(await image.jpeg().toBuffer())
  }
})
afterAll(() => rmSync(root, { recursive: true }))

/** Writes files below the directory of a case. */
type Write = (path: string, content: Uint8Array | string) => void

interface Case {
  readonly name: string
  /** Makes the data; returns what follows the directory in the specification, if anything does. */
  make(write: Write, directory: string): string | void
  readonly options?: DatasetOptions
  /** Training images, test images and classes. */
  readonly opens?: readonly [train: number, test: number, classes: number]
  readonly classNames?: readonly string[]
  /** Patterns of lines that are told; without them nothing may be told. */
  readonly tells?: readonly RegExp[]
  readonly fails?: RegExp
}

let made = 0

function check(format: string, cases: readonly Case[]): void {
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const directory = join(root, `${made++}`)
    mkdirSync(directory)
    const below = one.make((path, content) => {
      const file = join(directory, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
    }, directory)
    const told: string[] = []
    const opening = loadDataset(`${format}:${directory}${below ?? ''}`, {
      cache: join(root, 'cache'),
      warn: (line) => told.push(line),
      ...one.options,
    })
    if (one.fails) {
      await expect(opening).rejects.toThrow(one.fails)
      await expect(opening).rejects.toMatchObject({ name: 'DatasetError' })
      return
    }
    const { train, test, classes, classNames } = await opening
    expect([train.count, test.count, classes]).toEqual(one.opens)
    expect(new Set(train.labels)).toEqual(new Set(classes === 0 ? [-1] : train.labels))
    if (classes > 0) expect(new Set(train.labels).size).toBe(classes)
    if (one.classNames) expect(classNames).toEqual(one.classNames)
    expect(told).toEqual((one.tells ?? []).map((line) => expect.stringMatching(line)))
  })
}

/** Writes four images a class, or `each`. */
function folders(
  write: Write,
  splits: readonly string[],
  { classes = ['cat', 'dog'], each = 4, extension = 'png' } = {},
): void {
  const kind = extension.toLowerCase().startsWith('j') ? images.jpg : images.png
  for (const split of splits)
    for (const [label, name] of classes.entries())
      for (let i = 0; i < each; i++)
        write(join(split, name, `${i}.${extension}`), kind[(label * each + i) % kind.length]!)
}

const validationServes = /there is no test split; the validation split is used as one/
const heldOut =
  /there is no test split; \d+ of the \d+ training images .* are held out as test images/

describe('images', () => {
  const both = ['train', 'test']
  check('images', [
    ...[
      ['train', 'test'],
      ['Train', 'Test'],
      ['TRAINING', 'TESTING'],
      ['training_set', 'test_set'],
      ['my-train', 'my-eval'],
      ['trainingSet/trainingSet', 'testSet'],
      ['trainset', 'evalset'],
      ['split=train', 'split=test'],
      ['train2017', 'evaluation'],
    ].map((splits) => ({
      name: `splits ${splits.join(' and ')}`,
      make: (write: Write) => folders(write, splits),
      opens: [8, 8, 2] as const,
    })),
    ...['val', 'valid', 'validation', 'dev', 'Val', 'val2017'].map((split) => ({
      name: `${split} as test split`,
      make: (write: Write) => folders(write, ['train', split]),
      opens: [8, 8, 2] as const,
      tells: [validationServes],
    })),
    {
      name: 'three splits',
      make: (write) => folders(write, ['train', 'val', 'test']),
      opens: [8, 8, 2],
      tells: [/the validation split is not used/],
    },
    {
      name: 'only a training split',
      make: (write) => folders(write, ['train'], { each: 10 }),
      opens: [16, 4, 2],
      tells: [heldOut],
    },
    {
      name: 'class folders without splits',
      make: (write) => folders(write, ['.'], { each: 10 }),
      opens: [16, 4, 2],
      tells: [heldOut],
    },
    {
      name: 'a class that is called train',
      make: (write) => folders(write, ['.'], { classes: ['bus', 'train'], each: 10 }),
      opens: [16, 4, 2],
      tells: [heldOut],
    },
    {
      name: 'only a test split',
      make: (write) => folders(write, ['test']),
      fails: /there is no training split in it, only a test split/,
    },
    {
      name: 'a level too high',
      make: (write) => folders(write, ['archive/data/train', 'archive/data/test']),
      opens: [8, 8, 2],
      tells: [/the data set is in .*archive\/data$/],
    },
    {
      name: 'a level too low',
      make(write) {
        folders(write, both)
        return '/train'
      },
      opens: [8, 8, 2],
      tells: [/this is the training split; other splits are taken from beside it/],
    },
    {
      name: 'folders of splits in themselves',
      make: (write) => folders(write, ['seg_train/seg_train', 'seg_test/seg_test']),
      opens: [8, 8, 2],
    },
    {
      name: 'images and annotations side by side',
      make(write) {
        folders(write, ['images/train', 'images/test'])
        write('annotations/train/a.xml', 'x')
        write('annotations/test/a.xml', 'x')
      },
      opens: [8, 8, 2],
      tells: [/the data set is in .*images$/],
    },
    {
      name: 'several data sets',
      make: (write) => folders(write, ['a/train', 'a/test', 'b/train', 'b/test']),
      fails: /it has several data sets: a, b; give one of them, such as images:.*\/a$/,
    },
    {
      name: 'splits below classes',
      make: (write) => folders(write, ['cat', 'dog'], { classes: both }),
      fails: /its folder cat\/ has splits in it \(test, train\)/,
    },
    {
      name: 'folders of domains',
      make: (write) => folders(write, ['art', 'photo'], { each: 5 }),
      opens: [16, 4, 2],
      tells: [/its folders art, photo are the classes, though all .* \(cat, dog\)/, heldOut],
    },
    {
      name: 'classes that differ in case',
      make: (write) => folders(write, both, { classes: ['Cat', 'cat', 'dog'] }),
      opens: [12, 12, 3],
      tells: [/the classes "Cat" and "cat" differ in case or spaces alone/],
    },
    {
      name: 'two training splits',
      make: (write) => folders(write, ['train', 'train_aug', 'test']),
      fails: /train\/, train_aug\/ could all be the train split/,
    },
    {
      name: 'images without class folders, and a table of labels',
      make(write) {
        write('train/1.png', images.png[0]!)
        write('test/1.png', images.png[0]!)
        write('train.csv', 'id,label')
      },
      fails:
        /no class folders in it; it has test\/, train\/, train\.csv; labels in tables are not read/,
    },
    {
      name: 'metadata.jsonl beside the images',
      make(write) {
        write('train/1.png', images.png[0]!)
        write('train/metadata.jsonl', '{}')
      },
      fails: /labels in tables are not read/,
    },
    {
      name: 'one folder of images and a table',
      make(write) {
        write('images/1.png', images.png[0]!)
        write('labels.csv', 'id,label')
      },
      fails: /labels in tables are not read/,
    },
    {
      name: 'a test split without classes',
      make(write) {
        folders(write, ['train', 'val'])
        write('test/1.png', images.png[0]!)
      },
      opens: [8, 8, 2],
      tells: [/test: it has no class folders, so it is not used/, validationServes],
    },
    {
      name: 'a test split of one folder that is no class',
      make(write) {
        folders(write, ['train', 'val'])
        write('test/images/1.png', images.png[0]!)
      },
      opens: [8, 8, 2],
      tells: [/test: its only folder is images\/, not a class/, validationServes],
    },
    ...['JPG', 'JpEg', 'JPEG'].map((extension) => ({
      name: `extension ${extension}`,
      make: (write: Write) => folders(write, both, { extension }),
      opens: [8, 8, 2] as const,
    })),
    {
      name: 'BMP and PNM',
      make(write) {
        folders(write, both)
        write(
          'train/cat/a.ppm',
          Buffer.concat([Buffer.from('P6\n# x\n4 4 255\n'), Buffer.alloc(48)]),
        )
        write('train/cat/b.pgm', `P2\n4 4\n15\n${'7 '.repeat(16)}`)
        write('train/dog/a.pbm', 'P1\n4 4\n0110 0110 0110 0110')
        write('train/dog/b.BMP', bmp(4, 4))
      },
      opens: [12, 8, 2],
    },
    {
      name: 'class names with spaces, accents and dots, composed or not',
      make(write) {
        folders(write, ['train'], { classes: ['b b', 'caf\u00E9', 'v1.0'] })
        folders(write, ['test'], { classes: ['b b', 'cafe\u0301', 'v1.0'] })
      },
      opens: [12, 12, 3],
      classNames: ['b b', 'caf\u00E9', 'v1.0'],
    },
    {
      name: 'a class name that is not UTF-8',
      make(write, directory) {
        folders(write, both)
        execFileSync(
          'bash',
          ['-c', `mkdir train/$'caf\\xe9' && cp train/cat/* train/$'caf\\xe9'`],
          {
            cwd: directory,
          },
        )
      },
      fails: /train\/caf\\xE9: the name of this class is not UTF-8; rename the folder/,
    },
    {
      name: 'a file name that is not UTF-8',
      make(write, directory) {
        folders(write, both)
        execFileSync('bash', ['-c', `cp train/cat/0.png train/cat/$'caf\\xe9.png'`], {
          cwd: directory,
        })
      },
      opens: [9, 8, 2],
    },
    {
      name: 'one class alone',
      make: (write) => folders(write, both, { classes: ['cat'] }),
      fails: /train: there is only one class, "cat"; give images of at least two classes/,
    },
    {
      name: 'a class without images',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/fox'))
      },
      fails: /train: 1 of 3 classes has no training images: "fox"; add/,
    },
    {
      name: 'a class with files of unread types only',
      make(write) {
        folders(write, both)
        for (const name of ['1.jfif', '2.jfif', '3.heic']) write(`train/fox/${name}`, 'x')
      },
      fails: /1 of 3 classes has no training images: "fox" \(ignored: 2 \.jfif, 1 \.heic\)/,
    },
    {
      name: 'a class of broken links',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/fox'))
        symlinkSync('/nowhere/1.png', join(directory, 'train/fox/1.png'))
      },
      fails: /no training images: "fox" \(ignored: 1 broken link\)/,
    },
    {
      name: 'a class of the test split alone',
      make(write) {
        folders(write, both)
        folders(write, ['test'], { classes: ['fox'] })
      },
      fails: /test\/fox: there is no class of that name in the training split, which has cat, dog/,
    },
    {
      name: 'junk at every depth',
      make(write) {
        folders(write, both)
        for (const path of [
          '.DS_Store',
          '__MACOSX/train/cat/._0.png',
          'train/.hidden/x.png',
          'train/__MACOSX/cat/._0.png',
          'train/@eaDir/x.png',
          'train/cat/._0.png',
          'train/cat/Thumbs.db',
          'train/cat/desktop.ini',
          'train/cat/__MACOSX/0.png',
          'train/cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg',
          'train/cat/.ipynb_checkpoints/0-checkpoint.png',
          'test/dog/sub/.ipynb_checkpoints/0.png',
        ])
          write(path, 'junk')
      },
      opens: [8, 8, 2],
    },
    {
      name: 'directories that are called as images',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/cat/x.jpg'))
        mkdirSync(join(directory, 'train/y.jpg'))
      },
      opens: [8, 8, 2],
    },
    {
      name: 'links that lead back',
      make(write, directory) {
        folders(write, both)
        symlinkSync('..', join(directory, 'train/cat/up'))
        symlinkSync('.', join(directory, 'train/here'))
        symlinkSync('../..', join(directory, 'test/dog/root'))
        symlinkSync('.', join(directory, 'self'))
      },
      opens: [8, 8, 2],
    },
    {
      name: 'links that lead to each other',
      make(write, directory) {
        folders(write, both)
        symlinkSync('b.png', join(directory, 'train/cat/a.png'))
        symlinkSync('a.png', join(directory, 'train/cat/b.png'))
      },
      opens: [8, 8, 2],
      tells: [/2 files in class folders ignored: 2 broken links/],
    },
    {
      name: 'linked files and class folders',
      make(write, directory) {
        folders(write, ['all'])
        for (const split of ['set/train', 'set/test']) {
          mkdirSync(join(directory, split, 'dog'), { recursive: true })
          symlinkSync(join(directory, 'all/cat'), join(directory, split, 'cat'))
          symlinkSync(join(directory, 'all/dog/0.png'), join(directory, split, 'dog/0.png'))
        }
        return '/set'
      },
      opens: [5, 5, 2],
    },
    {
      name: 'an empty image',
      make(write) {
        folders(write, both)
        write('train/cat/z.png', '')
      },
      fails: /train\/cat\/z\.png: it cannot be decoded \(it is empty\)/,
    },
    {
      name: 'a Git LFS pointer in place of an image',
      make(write) {
        folders(write, both)
        write(
          'train/cat/z.png',
          'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
        )
      },
      fails: /z\.png: it cannot be decoded \(it is a pointer of Git LFS/,
    },
    {
      name: 'a web page in place of an image',
      make(write) {
        folders(write, both)
        write('train/cat/z.png', '\n<!DOCTYPE html><html>404</html>')
      },
      fails: /z\.png: it cannot be decoded \(it is a web page/,
    },
    {
      name: 'corrupt images that are skipped',
      make(write) {
        folders(write, both, { extension: 'jpg' })
        for (let i = 0; i < 12; i++) write(`train/cat/z${i}.jpg`, images.jpg[0]!.subarray(0, 200))
      },
      options: { corrupt: 'skip' },
      opens: [8, 8, 2],
      tells: [...Array<RegExp>(10).fill(/; skipped$/), /^12 of 20 images cannot be decoded/],
    },
    {
      name: 'a class whose images are all skipped',
      make(write) {
        folders(write, both)
        write('train/fox/0.png', 'no image')
      },
      options: { corrupt: 'skip' },
      fails: /1 of 3 classes has no training images: "fox"/,
    },
    {
      name: 'an image that is too large',
      make(write) {
        folders(write, both)
        write('train/cat/large.pgm', 'P5 16000 16000 255\n')
      },
      fails: /its 16000x16000 pixels are more than 100 megapixels\); .*--max-megapixels/,
    },
    {
      name: 'an image that is too large, with the limit raised',
      make(write) {
        folders(write, both)
        write('train/cat/large.pgm', 'P5 16000 16000 255\n')
      },
      options: { maxMegapixels: 300 },
      fails: /PNM is truncated/,
    },
    {
      name: 'a drawing that is called an image',
      make(write) {
        folders(write, both)
        write('train/cat/x.png', '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>')
      },
      fails: /it is a drawing \(SVG\)/,
    },
    {
      name: 'tables instead of folders',
      make: (write) => write('train-00000-of-00001.parquet', 'PAR1'),
      fails: /it has train-00000-of-00001\.parquet; parquet:DIR reads/,
    },
    {
      name: 'tar files instead of folders',
      make: (write) => write('train-0000.tar', ''),
      fails: /it has train-0000\.tar; webdataset:DIR reads/,
    },
    { name: 'nothing', make: () => {}, fails: /no class folders in it; it is empty/ },
    {
      name: 'images without class folders',
      make: (write) => {
        for (const file of ['b.png', 'a.png', 'c.png']) write(file, images.png[0]!)
        write('notes.txt', '')
      },
      opens: [3, 0, 0],
      tells: [/: there are no class folders, so its 3 images have no labels/],
    },
    {
      name: 'a missing directory',
      make: () => '/x',
      fails: /x: there is no such file or directory/,
    },
    {
      name: 'columns',
      make: (write) => folders(write, both),
      options: { labelColumn: 'label' },
      fails: /--label-column does not apply to it, only to parquet:DIR/,
    },
  ])
})

/** A white BMP of 24 bits a pixel. */
function bmp(width: number, height: number): Buffer {
  const row = 4 * Math.ceil((3 * width) / 4)
  const bytes = Buffer.alloc(54 + row * height, 255)
  bytes.write('BM')
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
    [26, 1 | (24 << 16)],
    [30, 0],
  ] as const)
    bytes.writeUInt32LE(value, at)
  return bytes
}

function idx(shape: readonly number[], elements: ArrayLike<number>, type = 8): Buffer {
  const size = { 8: 1, 9: 1, 0xb: 2, 0xc: 4, 0xd: 4, 0xe: 8 }[type]!
  const bytes = Buffer.alloc(4 + 4 * shape.length + size * elements.length)
  bytes.writeUInt32BE((type << 8) | shape.length)
  shape.forEach((axis, i) => bytes.writeUInt32BE(axis, 4 + 4 * i))
  Array.from(elements).forEach((value, i) => {
    const at = 4 + 4 * shape.length + size * i
    if (type === 0xc) bytes.writeInt32BE(value, at)
    else if (type === 0xb) bytes.writeInt16BE(value, at)
    else if (type === 0xd) bytes.writeFloatBE(value, at)
    else if (type === 0xe) bytes.writeDoubleBE(value, at)
    else bytes[at] = value
  })
  return bytes
}

describe('idx', () => {
  const pixels = (count: number) =>
    idx(
      [count, 2, 2],
      Array.from({ length: 4 * count }, (_, i) => i % 256),
    )
  const numbers = (count: number, first = 0) =>
    Array.from({ length: count }, (_, i) => first + (i % 3))
  const set = (
    write: Write,
    names: (split: string, what: string) => string,
    { splits = ['train', 't10k'], first = 0, type = 8 } = {},
  ) => {
    for (const split of splits) {
      write(names(split, 'images-idx3-ubyte'), pixels(6))
      write(names(split, 'labels-idx1-ubyte'), idx([6], numbers(6, first), type))
    }
  }
  const plain = (split: string, what: string) => `${split}-${what}`
  check('idx', [
    { name: 'official names', make: (write) => set(write, plain), opens: [6, 6, 3] },
    ...[
      ['dots', (split: string, what: string) => `${split}-${what.replace('-', '.')}`],
      ["torchvision's root", (split: string, what: string) => `MNIST/raw/${split}-${what}`],
      [
        'another of its roots',
        (split: string, what: string) => `FashionMNIST/raw/${split}-${what}`,
      ],
      ['raw alone', (split: string, what: string) => `raw/${split}-${what}`],
      [
        'no type in the name',
        (split: string, what: string) => `${split}-${what.replace('-ubyte', '')}`,
      ],
      ["Kaggle's folders", (split: string, what: string) => `${split}-${what}/${split}-${what}`],
      ['upper case', (split: string, what: string) => `${split}-${what}`.toUpperCase()],
    ].map(([name, names]) => ({
      name: name as string,
      make: (write: Write) => set(write, names as (split: string, what: string) => string),
      opens: [6, 6, 3] as const,
    })),
    {
      name: 'test- names',
      make: (write) => set(write, plain, { splits: ['train', 'test'] }),
      opens: [6, 6, 3],
    },
    {
      name: 'a validation split',
      make: (write) => set(write, plain, { splits: ['train', 'val'] }),
      opens: [6, 6, 3],
      tells: [validationServes],
    },
    {
      name: 'only a training split',
      make: (write) => set(write, plain, { splits: ['train'] }),
      opens: [3, 3, 3],
      tells: [heldOut],
    },
    {
      name: 'several of EMNIST, one chosen by its beginning',
      make(write) {
        for (const part of ['digits', 'letters'])
          set(write, (split, what) => `gzip/emnist-${part}-${split}-${what}`, {
            splits: ['train', 'test'],
          })
        return '/gzip/emnist-digits'
      },
      opens: [6, 6, 3],
      tells: [/EMNIST has rows and columns of its images exchanged/],
    },
    {
      name: 'several of EMNIST',
      make(write) {
        for (const part of ['digits', 'letters'])
          set(write, (split, what) => `emnist-${part}-${split}-${what}`)
      },
      fails:
        /it has several data sets: emnist-digits, emnist-letters; give one of them, such as idx:/,
    },
    ...[9, 0xb, 0xc, 0xd, 0xe].map((type) => ({
      name: `labels of type 0x${type.toString(16)}`,
      make: (write: Write) => set(write, plain, { type }),
      opens: [6, 6, 3] as const,
    })),
    {
      name: 'several columns of labels',
      make(write) {
        set(write, plain)
        write(
          'train-labels-idx1-ubyte',
          idx(
            [6, 2],
            numbers(6).flatMap((label) => [label, 9]),
            0xc,
          ),
        )
      },
      opens: [6, 6, 3],
      tells: [/the first of its 2 columns is the label/],
    },
    {
      name: 'one-hot labels',
      make: (write) => {
        write(plain('train', 'images-idx3-ubyte'), pixels(2))
        write(plain('train', 'labels-idx1-ubyte'), idx([2, 2], [0, 1, 1, 0]))
      },
      fails: /its labels are 2 rows of 2 values, of which one is 1 \(one-hot\)/,
    },
    {
      name: 'files called .gz that are not compressed, and the other way round',
      make(write) {
        set(write, plain)
        write('train-images-idx3-ubyte', gzipSync(pixels(6)))
        rmSync(join(root, `${made - 1}`, 't10k-images-idx3-ubyte'))
        write('t10k-images-idx3-ubyte.gz', pixels(6))
      },
      opens: [6, 6, 3],
      tells: [/t10k-images-idx3-ubyte\.gz: it is not compressed in spite of its name/],
    },
    {
      name: 'an archive that inflates to more than it says',
      make(write) {
        set(write, plain)
        write(
          'train-images-idx3-ubyte',
          gzipSync(Buffer.concat([pixels(6), Buffer.alloc(50_000_000)])),
        )
      },
      fails: /it inflates to more than the 41 bytes of its header/,
    },
    {
      name: 'labels from 1',
      make: (write) => set(write, plain, { first: 1 }),
      fails: /1 of 4 classes has no training images: 0; its labels are 1, 2, 3, .*; subtract 1/,
    },
    {
      name: 'a gap in the labels',
      make(write) {
        set(write, plain)
        write('train-labels-idx1-ubyte', idx([6], [0, 1, 3, 0, 1, 3]))
      },
      fails: /1 of 4 classes has no training images: 2/,
    },
    {
      name: 'one class alone',
      make(write) {
        set(write, plain)
        write('train-labels-idx1-ubyte', idx([6], [0, 0, 0, 0, 0, 0]))
        write('t10k-labels-idx1-ubyte', idx([6], [0, 0, 0, 0, 0, 0]))
      },
      fails: /there is only one class, 0/,
    },
    {
      name: 'a negative label',
      make(write) {
        set(write, plain, { type: 0xc })
        write('train-labels-idx1-ubyte', idx([6], [0, 1, 2, -1, 1, 2], 0xc))
      },
      fails: /image 3: its label is -1, not a class number/,
    },
    {
      name: 'a label between two classes',
      make: (write) => {
        set(write, plain)
        write('train-labels-idx1-ubyte', idx([6], [0, 1, 2, 0.5, 1, 2], 0xd))
      },
      fails: /image 3: its label is 0\.5, not a class number/,
    },
    {
      name: 'images without labels',
      make: (write) => write('train-images-idx3-ubyte', pixels(2)),
      fails:
        /train-labels-idx1-ubyte: there is no such file beside train-images-idx3-ubyte; it has/,
    },
    {
      name: 'something else',
      make: (write) => folders(write, ['train', 'test']),
      fails: /there are no IDX files in it .*; it has test\/, train\//,
    },
    {
      name: 'a size for the images',
      make: (write) => set(write, plain),
      options: { imageSize: 8 },
      fails: /--data-size does not apply to it/,
    },
  ])
})

describe('cifar10', () => {
  const batches = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`)
  const batch = (labels: readonly number[]) =>
    Buffer.concat(
      labels.map((label) => Buffer.concat([Buffer.of(label), Buffer.alloc(3072, label)])),
    )
  const pickled = (labels: readonly number[], isFortran = false) => {
    const pixels = Buffer.alloc(3072 * labels.length, 7)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(pixels.length)
    const text = (words: string) => Buffer.from(words, 'latin1')
    return Buffer.concat([
      text('\x80\x02}q\x01(U\x06labelsq\x02]q\x03('),
      ...labels.map((label) => Buffer.of(0x4b, label)),
      text('eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06'),
      text('K\x00\x85U\x01b\x87R(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R'),
      text(
        `(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb${isFortran ? '\x88' : '\x89'}T`,
      ),
      length,
      pixels,
      text('tbu.'),
    ])
  }
  const set = (write: Write, directory: string, training = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) => {
    batches.forEach((name, i) =>
      write(join(directory, name), batch(training.slice(2 * i, 2 * i + 2))),
    )
    write(join(directory, 'test_batch.bin'), batch([3]))
  }
  check('cifar10', [
    { name: 'the files', make: (write) => set(write, '.'), opens: [10, 1, 10] },
    {
      name: 'the directory above',
      make: (write) => set(write, 'data/cifar-10-batches-bin'),
      opens: [10, 1, 10],
      tells: [/the data set is in .*cifar-10-batches-bin/],
    },
    {
      name: 'an archive',
      make: (write) => write('cifar-10-python.tar.gz', gzipSync(Buffer.alloc(9))),
      fails: /cifar-10-python\.tar\.gz: the archive is not unpacked; .* tar xf /,
    },
    {
      name: 'an archive as the directory',
      make(write) {
        write('cifar-10-binary.tar.gz', gzipSync(Buffer.alloc(9)))
        return '/cifar-10-binary.tar.gz'
      },
      fails: /the archive is not unpacked; .* tar xf /,
    },
    {
      name: 'a class without images',
      make: (write) => set(write, '.', [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]),
      fails: /1 of 10 classes has no training images: 9/,
    },
    {
      name: 'a missing batch',
      make(write, directory) {
        set(write, '.')
        rmSync(join(directory, 'data_batch_3.bin'))
      },
      fails: /data_batch_3\.bin: there is no such file or directory; it has data_batch_1\.bin/,
    },
    {
      name: 'a pickle that calls something',
      make: (write) => {
        for (const name of [...batches, 'test_batch.bin'])
          write(name.replace('.bin', ''), Buffer.from('\x80\x02cos\nsystem\nU\x02idR.', 'latin1'))
      },
      fails: /it calls os\.system, which CIFAR's pickles do not; nothing was executed/,
    },
    {
      name: 'pickles',
      make: (write) => {
        batches.forEach((name, i) => write(name.replace('.bin', ''), pickled([2 * i, 2 * i + 1])))
        write('test_batch', pickled([4]))
      },
      opens: [10, 1, 10],
    },
    {
      name: 'pickles whose pixels are in another order',
      make: (write) => {
        for (const name of [...batches, 'test_batch.bin'])
          write(name.replace('.bin', ''), pickled([1, 2], true))
      },
      fails: /its array of shape \[2, 3072\] in Fortran order is not bytes of/,
    },
  ])
})

type Column = { name: string; data: unknown[]; schema: object[] }

const parquet = (columns: readonly Column[], options: object = {}): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: columns.map(({ name, data }) => ({ name, data: data as never })),
      schema: [
        { name: 'root', num_children: columns.length },
        ...columns.flatMap(({ schema }) => schema),
      ] as never,
      ...options,
    }),
  )

const imageColumn = (name: string, count: number, has: 'bytes' | 'path' = 'bytes'): Column => ({
  name,
  data: Array.from({ length: count }, (_, i) => ({
    bytes: has === 'bytes' ? new Uint8Array(images.png[i % 12]!) : null,
    path: `${i}.png`,
  })),
  schema: [
    { name, num_children: 2, repetition_type: 'OPTIONAL' },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  ],
})

const bytesColumn = (name: string, count: number): Column => ({
  name,
  data: Array.from({ length: count }, (_, i) => new Uint8Array(images.png[i % 12]!)),
  schema: [{ name, type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' }],
})

const typeOf = {
  string: 'BYTE_ARRAY',
  bigint: 'INT64',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
} as const

function labelColumn(name: string, data: unknown[]): Column {
  const kind = typeof data.find((value) => value !== null) as keyof typeof typeOf
  const text = kind === 'string' ? { converted_type: 'UTF8' } : {}
  return {
    name,
    data,
    schema: [{ name, type: typeOf[kind], repetition_type: 'OPTIONAL', ...text }],
  }
}

/** Writes bytes as one LZ4 block of literals. */
function lz4(bytes: Uint8Array): Uint8Array {
  const more = bytes.length - 15
  if (more < 0) return Buffer.concat([Buffer.of(bytes.length << 4), bytes])
  const lengths = [...Array<number>(Math.floor(more / 255)).fill(255), more % 255]
  return Buffer.concat([Buffer.of(0xf0, ...lengths), bytes])
}

/** Writes bytes as one zstd frame of a single raw block. */
function zstd(bytes: Uint8Array): Uint8Array {
  const header = Buffer.from('28b52ffda000000000000000', 'hex')
  header.writeUInt32LE(bytes.length, 5)
  header.writeUIntLE((bytes.length << 3) | 1, 9, 3)
  return Buffer.concat([header, bytes])
}

/** Compression of parquet pages. Nothing can read LZO here. */
const codecs: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  UNCOMPRESSED: (bytes) => bytes,
  GZIP: (bytes) => gzipSync(bytes),
  BROTLI: (bytes) => brotliCompressSync(bytes),
  LZ4_RAW: lz4,
  ZSTD: zstd,
  LZO: (bytes) => bytes,
}

describe('parquet', () => {
  const table = (labels: unknown[] = [0n, 1n, 0n, 1n], image = 'image', label = 'label') =>
    parquet([imageColumn(image, labels.length), labelColumn(label, labels)])
  /** Four images of two classes, with the names that the `datasets` library writes. */
  const named = (names: readonly string[], features: object = {}) => {
    const info = { info: { features: { label: { names }, ...features } } }
    const kvMetadata = [{ key: 'huggingface', value: JSON.stringify(info) }]
    const labels = labelColumn('label', [0n, 1n, 0n, 1n])
    return parquet([imageColumn('image', 4), labels], { kvMetadata })
  }
  const one = (name: string) => (write: Write) => {
    write(`data/train-00000-of-00001${name}.parquet`, table())
    write(`data/test-00000-of-00001${name}.parquet`, table())
  }
  check('parquet', [
    { name: "the hub's names", make: one(''), opens: [4, 4, 2] },
    { name: "the hub's names of old", make: one('-7b1a2c3d4e5f'), opens: [4, 4, 2] },
    ...[
      ['default/train/0000', 'default/test/0000'],
      ['default/partial-train/0000', 'default/partial-test/0000'],
      ['cifar_train', 'cifar_test'],
      ['train', 'eval'],
      ['training/part-0', 'testing/part-0'],
      ['Train', 'Test'],
      ['split=train/0', 'split=test/0'],
    ].map((names) => ({
      name: names.join(' and '),
      make: (write: Write) => names.forEach((name) => write(`${name}.parquet`, table())),
      opens: [4, 4, 2] as const,
    })),
    {
      name: 'a validation split',
      make(write) {
        write('data/train-00000-of-00001.parquet', table())
        write('data/val-00000-of-00001.parquet', table())
      },
      opens: [4, 4, 2],
      tells: [validationServes],
    },
    ...Object.entries(codecs).map(([codec, compress]) => ({
      name: `tables compressed with ${codec}`,
      make(write: Write) {
        const labels = labelColumn('label', [0n, 1n, 0n, 1n])
        const options = { codec, compressors: { [codec]: compress } }
        for (const split of ['train', 'test'])
          write(`${split}.parquet`, parquet([imageColumn('image', 4), labels], options))
      },
      ...(codec === 'LZO'
        ? { fails: /column image\.bytes is compressed with LZO\); write the file again without/ }
        : { opens: [4, 4, 2] as const }),
    })),
    ...['train', 'data', '0000'].map((name) => ({
      name: `one table called ${name}`,
      make: (write: Write) => write(`${name}.parquet`, table()),
      opens: [2, 2, 2] as const,
      tells: [heldOut],
    })),
    {
      name: 'several configurations',
      make(write) {
        for (const name of ['full/train', 'full/test', 'small/train', 'small/test'])
          write(`${name}/0000.parquet`, table())
      },
      fails:
        /it has several configurations: full, small; give the directory of one, such as parquet:.*\/small$/,
    },
    {
      name: 'a test split without labels',
      make(write) {
        write('train.parquet', table())
        write('validation.parquet', table())
        write('test.parquet', table([-1n, -1n]))
      },
      opens: [4, 4, 2],
      tells: [/the test split has no labels, and is not used/, validationServes],
    },
    ...[
      ['img', 'fine_label'],
      ['Image', 'Label'],
      ['pixel_values', 'target'],
      ['images', 'labels'],
      ['picture', 'class'],
      ['photo', 'y'],
      ['jpg', 'cls'],
    ].map(([image, label]) => ({
      name: `columns ${image} and ${label}`,
      make: (write: Write) => {
        for (const split of ['train', 'test'])
          write(`${split}.parquet`, table(undefined, image, label))
      },
      opens: [4, 4, 2] as const,
    })),
    {
      name: 'columns that are named',
      make: (write) => {
        for (const split of ['train', 'test'])
          write(`${split}.parquet`, table(undefined, 'scan', 'verdict'))
      },
      options: { imageColumn: 'scan', labelColumn: 'verdict' },
      opens: [4, 4, 2],
    },
    {
      name: 'labels of an unknown name',
      make: (write) => write('train.parquet', table(undefined, 'image', 'verdict')),
      fails:
        /it has no column of labels that is known; its columns are image, verdict; .*--label-column/,
    },
    {
      name: 'a column of bytes',
      make: (write) => {
        for (const split of ['train', 'test'])
          write(
            `${split}.parquet`,
            parquet([bytesColumn('content', 4), labelColumn('label', [0n, 1n, 0n, 1n])]),
          )
      },
      opens: [4, 4, 2],
    },
    {
      name: 'labels as text',
      make: (write) => {
        write('train.parquet', table(['dog', 'cat', 'dog', 'caf\u00E9']))
        write('test.parquet', table(['dog', 'cat']))
      },
      opens: [4, 2, 3],
      classNames: ['caf\u00E9', 'cat', 'dog'],
    },
    {
      name: 'labels as true and false',
      make: (write) => {
        for (const split of ['train', 'test']) write(`${split}.parquet`, table([true, false]))
      },
      opens: [2, 2, 2],
      classNames: ['false', 'true'],
    },
    {
      name: 'labels as floats',
      make: (write) => {
        for (const split of ['train', 'test']) write(`${split}.parquet`, table([0, 1, 2]))
      },
      opens: [3, 3, 3],
    },
    ...[
      [[0n, 1n, null, 1n], /train\.parquet, row 2: its label is null, not a class number/],
      [['a', 'b', '', 'a'], /row 2: its label is "", not the name of a class/],
      [['a', 'b', null, 'a'], /row 2: its label is null, not the name of a class/],
      [[0, 1, 0.5, 1], /row 2: its label is 0\.5, not a class number/],
      [[0n, 1n, -1n, 1n], /row 2: its label is -1, not a class number/],
      [[0n, 2n, 0n, 2n], /1 of 3 classes has no training images: 1/],
      [[1n, 2n, 1n, 2n], /1 of 3 classes has no training images: 0; .*; subtract 1/],
      [[0n, 0n, 0n, 0n], /there is only one class, 0/],
    ].map(([labels, fails]) => ({
      name: `labels ${String(labels)}`,
      make: (write: Write) => {
        write('train.parquet', table(labels as unknown[]))
        write('test.parquet', table(labels as unknown[]))
      },
      fails: fails as RegExp,
    })),
    {
      name: 'a text label of the test split alone',
      make: (write) => {
        write('train.parquet', table(['a', 'b']))
        write('test.parquet', table(['a', 'c']))
      },
      fails: /test\.parquet, row 1: its label is "c", and no training image has that label/,
    },
    {
      name: 'names of classes of which one has no images',
      make: (write) => {
        for (const split of ['train', 'test']) write(`${split}.parquet`, named(['a', 'b', 'c']))
      },
      fails: /1 of 3 classes has no training images: "c"/,
    },
    {
      name: 'names of classes in another order in each split',
      make: (write) => {
        write('train.parquet', named(['cat', 'dog']))
        write('test.parquet', named(['dog', 'cat']))
      },
      fails: /train\.parquet: its classes are cat, dog, those of .*test\.parquet dog, cat/,
    },
    {
      name: 'names of classes beside a column of lists',
      make: (write) =>
        write('train.parquet', named(['cat', 'dog'], { tags: [{ dtype: 'string' }] })),
      opens: [2, 2, 2],
      classNames: ['cat', 'dog'],
      tells: [heldOut],
    },
    {
      name: 'some of the shards',
      make: (write) => write('train-00001-of-00003.parquet', table()),
      opens: [2, 2, 2],
      tells: [/1 of 3 shards called train-… are there; missing: 0, 2/, heldOut],
    },
    {
      name: 'shards of two exports',
      make: (write) => {
        for (const shard of ['00000-of-00001', '00000-of-00002', '00001-of-00002'])
          write(`train-${shard}.parquet`, table())
      },
      fails: /train-00000-of-00002\.parquet: its name is that of a shard of 2, but .* of 1 called/,
    },
    {
      name: 'a label that is an image',
      make: (write) =>
        write('train.parquet', parquet([imageColumn('image', 2), imageColumn('label', 2)])),
      fails:
        /its column label has images, not labels; its columns are image, label; .*--label-column/,
    },
    {
      name: 'paths instead of images',
      make: (write) => {
        for (const split of ['train', 'test'])
          write(
            `${split}.parquet`,
            parquet([imageColumn('image', 2, 'path'), labelColumn('label', [0n, 1n])]),
          )
      },
      options: { corrupt: 'skip' },
      fails: /row 0: its column image has only a path \(0\.png\), not the image/,
    },
    {
      name: 'text instead of images',
      make: (write) =>
        write(
          'train.parquet',
          parquet([labelColumn('image', ['a.png']), labelColumn('label', [0n])]),
        ),
      fails: /its column image has text, perhaps paths, not one encoded image a row/,
    },
    ...(
      [
        ['', /train\.parquet: it is empty \(0 bytes\)/],
        [
          'version https://git-lfs.github.com/spec/v1\noid',
          /it is a pointer of Git LFS.*git lfs pull/,
        ],
        ['<!DOCTYPE html>', /it is a web page/],
        ['PAR1 and no more', /it is truncated: it does not end in PAR1/],
        ['something', /it is not a parquet file/],
        ['PAR1\0\0\0\0\xff\xff\xff\x7fPAR1', /it cannot be read \(.*\); download the file again/],
      ] as const
    ).map(([content, fails]) => ({
      name: `the file ${JSON.stringify(content)}`,
      make: (write: Write) => write('train.parquet', content),
      fails,
    })),
    {
      name: 'a data set that was saved to disk',
      make(write) {
        write('dataset_dict.json', '{}')
        write('train/data-00000-of-00001.arrow', 'x')
      },
      fails:
        /there is no parquet file in it; it has dataset_dict\.json, train\/; convert it in Python/,
    },
  ])
})

describe('webdataset', () => {
  const shard = (first: number, count: number, label: (i: number) => [string, string]) =>
    tarOf(
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          [`./${first + i}.png`, images.png[(first + i) % 12]!],
          [`./${first + i}${label(first + i)[0]}`, Buffer.from(label(first + i)[1])],
        ]).flat() as [string, Uint8Array][],
      ),
    )
  const numbers = (i: number): [string, string] => ['.cls', `${i % 2}`]
  let members: Record<string, Uint8Array> = {}
  beforeAll(() => {
    members = {
      'a.png': images.png[0]!,
      'a.cls': Buffer.from('0'),
      'b.png': images.png[1]!,
      'b.cls': Buffer.from('1'),
    }
  })
  check('webdataset', [
    {
      name: 'shards of two splits',
      make(write) {
        write('train-000000.tar', shard(0, 4, numbers))
        write('train-000001.tar', shard(4, 2, numbers))
        write('test-000000.tar', shard(6, 2, numbers))
      },
      opens: [6, 2, 2],
    },
    {
      name: 'folders of splits, and class names beside them',
      make(write) {
        write('train/0.tar', shard(0, 4, numbers))
        write('test/0.tar', shard(4, 2, numbers))
        write('classnames.txt', 'cat\ndog\n')
      },
      opens: [4, 2, 2],
      classNames: ['cat', 'dog'],
    },
    {
      name: 'labels in JSON, other files, and no test split',
      make(write) {
        write(
          '0000.tar',
          shard(0, 8, (i) => ['.json', JSON.stringify({ label: i % 2, id: i })]),
        )
        write('README.md', '')
      },
      opens: [6, 2, 2],
      tells: [heldOut],
    },
    {
      name: 'names of classes as labels',
      make(write) {
        write(
          'train.tar',
          shard(0, 4, (i) => ['.cls', i % 2 ? 'dog\n' : 'cat\n']),
        )
        write(
          'val.tar',
          shard(0, 2, (i) => ['.cls', i % 2 ? 'dog' : 'cat']),
        )
      },
      opens: [4, 2, 2],
      classNames: ['cat', 'dog'],
      tells: [validationServes],
    },
    {
      name: 'other members and junk',
      make(write) {
        const more = { 'a.caption': Buffer.from('x'), '__MACOSX/._a.png': Buffer.from('x') }
        write('train.tar', tarOf({ ...members, ...more }))
        write('test.tar', tarOf({ ...members, ...more }))
      },
      opens: [2, 2, 2],
      tells: [/1 file in archives ignored: 1 \.caption/, /1 file in archives ignored: 1 \.caption/],
    },
    {
      name: 'a label without an image, and shards of no split',
      make(write) {
        write('train.tar', tarOf({ 'x.cls': Buffer.from('1'), ...members }))
        write('test.tar', tarOf(members))
        write('extra.tar', tarOf(members))
      },
      opens: [2, 2, 2],
      tells: [
        /1 tar file called after no split ignored/,
        /1 sample in archives ignored: a label without an image/,
      ],
    },
    {
      name: 'training shards of no split',
      make(write) {
        write('birds-00000-of-00003.tar', tarOf(members))
        write('birds-val.tar', tarOf(members))
      },
      opens: [2, 2, 2],
      tells: [
        /1 tar file called after no split taken as training split/,
        /1 of 3 shards called birds-… are there; missing: 1, 2/,
        validationServes,
      ],
    },
    {
      name: 'test samples without labels',
      make(write) {
        write('train.tar', tarOf(members))
        write('test.tar', tarOf({ 'a.png': images.png[0]!, 'a.cls': Buffer.from('-1') }))
        write('val.tar', tarOf(members))
      },
      opens: [2, 2, 2],
      tells: [/the test split has no labels, and is not used/, validationServes],
    },
    {
      name: 'an archive that was appended to another',
      make: (write) => write('train.tar', Buffer.concat([tarOf(members), tarOf(members)])),
      fails: /train\.tar: more data follows its end: was another archive appended\?/,
    },
    {
      name: 'an image without a label',
      make: (write) => write('train.tar', tarOf({ 'a.png': images.png[0]!, 'b.txt': Buffer.of() })),
      fails: /train\.tar, a\.png: its label is missing, not a class number/,
    },
    {
      name: 'no image',
      make: (write) => write('train.tar', tarOf({ 'a.mp4': Buffer.of(1) })),
      fails: /train\.tar: there is no image in it; it has 1 \.mp4/,
    },
    {
      name: 'a truncated shard',
      make: (write) => write('train.tar', shard(0, 4, numbers).subarray(0, 900)),
      fails: /train\.tar: it is truncated/,
    },
    {
      name: 'no tar',
      make: (write) => write('train.tar', Buffer.alloc(2048, 7)),
      fails: /train\.tar: it is damaged, or not a tar archive/,
    },
    {
      name: 'compressed shards',
      make: (write) => write('train.tar.gz', 'x'),
      fails: /there is no tar file in it; it has train\.tar\.gz; .*gunzip/,
    },
  ])
})
