// WebDataset archives as people have them: every name, label and accident that is known.
import { gzipSync } from 'node:zlib'

import { beforeAll, describe } from 'vitest'

import { check, heldOut, images, validationServes } from './data-cases.js'
import { tarOf } from './tar-of.js'

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
      make: (write) => write('train.tar', tarOf({ ...members, 'c.png': images.png[0]! })),
      fails: /train\.tar, c\.png: its label is missing, not a class number/,
    },
    {
      name: 'labels called .cls.txt',
      make: (write) =>
        write(
          'train.tar',
          shard(0, 8, (i) => ['.cls.txt', `${i % 2}`]),
        ),
      opens: [6, 2, 2],
      tells: [heldOut],
    },
    {
      name: 'captions in place of labels',
      make: (write) =>
        write(
          'train.tar',
          shard(0, 4, (i) => ['.txt', `a photo of ${i}`]),
        ),
      fails: /no training image has a label: beside the images there are 4 \.txt; write each label/,
    },
    {
      name: 'labels under another name in JSON',
      make: (write) =>
        write(
          'train.tar',
          shard(0, 4, () => ['.json', '{"label_idx": 1}']),
        ),
      fails: /no training image has a label: its JSON has label_idx/,
    },
    {
      name: 'class folders in an archive',
      make: (write) => write('train.tar', tarOf({ 'cat/a.png': images.png[0]! })),
      fails: /there are images alone; .* unpack it and give images:DIR/,
    },
    {
      name: 'all labels behind all images',
      make(write) {
        const { 'a.png': a, 'b.png': b, ...labels } = members
        write('train.tar', tarOf({ 'a.png': a!, 'b.png': b!, ...labels }))
      },
      fails: /a\.png: its label is not next to it in the archive; .*--sort=name/,
    },
    {
      name: 'two images of a sample',
      make: (write) =>
        write('train.tar', tarOf({ 'a.left.png': images.png[0]!, 'a.right.png': images.png[1]! })),
      fails: /sample a has two images, a\.left\.png and a\.right\.png; write archives of one image/,
    },
    {
      name: 'an empty shard',
      make(write) {
        write('train-0.tar', tarOf(members))
        write('train-1.tar', '')
      },
      fails: /train-1\.tar: it is empty \(0 bytes\)/,
    },
    {
      name: 'a shard that is compressed in spite of its name',
      make: (write) => write('train.tar', gzipSync(tarOf(members))),
      fails: /train\.tar: it is compressed with gzip/,
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
