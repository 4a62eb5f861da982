// Parquet files as people have them: every layout, name, column, label and accident that is known.
import { brotliCompressSync, gzipSync } from 'node:zlib'

import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'

import { readLabels } from '../src/node/data/labels.js'
import { check, heldOut, images, validationServes, type Write } from './data-cases.js'

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
      name: 'the beginning of a split',
      make: (write) =>
        ['train', 'test'].forEach((split) =>
          write(`default/partial-${split}/0000.parquet`, table()),
        ),
      opens: [4, 4, 2],
      tells: [/default\/partial-\w+\/0000\.parquet is the beginning of a split/],
    },
    ...['pq', 'parquet.gzip', 'parquet.snappy'].map((extension) => ({
      name: `tables called .${extension}`,
      make: (write: Write) =>
        ['train', 'test'].forEach((split) => write(`${split}.${extension}`, table())),
      opens: [4, 4, 2] as const,
    })),
    {
      name: 'two columns of labels',
      make: (write) =>
        ['train', 'test'].forEach((split) =>
          write(
            `${split}.parquet`,
            parquet([
              imageColumn('img', 4),
              labelColumn('coarse_label', [0n, 0n, 0n, 0n]),
              labelColumn('fine_label', [0n, 1n, 0n, 1n]),
            ]),
          ),
        ),
      opens: [4, 4, 2],
      tells: [/labels are those of the column fine_label, not of coarse_label \(--label-column\)/],
    },
    {
      name: 'a test split without a column of labels',
      make(write) {
        write('train.parquet', table([0n, 1n, 0n, 1n, 0n, 1n]))
        write('test.parquet', parquet([imageColumn('image', 2)]))
      },
      opens: [4, 2, 2],
      tells: [/the test split has no labels, and is not used/, heldOut],
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
      [[0, 1, NaN, 1], /row 2: its label is NaN, not a class number/],
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

  it('says what a list of labels is', () => {
    const lists = { values: [[0n, 1n]], describe: () => 'row 0' }
    expect(() => readLabels([lists])).toThrow('row 0: its label is a list of 2 (0, 1), not a class')
  })
})
