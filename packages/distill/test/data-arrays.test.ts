// IDX files and CIFAR as people have them: every layout, name, label and accident that is known.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { describe } from 'vitest'

import { check, folders, heldOut, validationServes, type Write } from './data-cases.js'

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
      make(write, directory) {
        set(write, plain)
        write('train-images-idx3-ubyte', gzipSync(pixels(6)))
        rmSync(join(directory, 't10k-images-idx3-ubyte'))
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
      name: 'files that were downloaded again',
      make: (write) => set(write, (split, what) => `${split}-${what} (1)`),
      opens: [6, 6, 3],
    },
    {
      name: 'files that are compressed twice',
      make(write) {
        set(write, plain)
        write('train-images-idx3-ubyte', gzipSync(gzipSync(pixels(6))))
      },
      fails: /train-images-idx3-ubyte: it is compressed twice; decompress it once/,
    },
    ...['kmnist-train-imgs.npz', 'mnist_train.csv'].map((name) => ({
      name,
      make: (write: Write) => write(name, ''),
      fails: /are not read; download the same data set as IDX files/,
    })),
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
