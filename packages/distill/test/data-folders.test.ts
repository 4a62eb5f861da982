// Folders of images as people have them: every layout, name, label and accident that is known.
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { describe } from 'vitest'

import { check, folders, heldOut, images, validationServes, type Write } from './data-cases.js'

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
      fails:
        /test\/fox: there is no class of that name in the training split, which has "cat", "dog"/,
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
      name: 'images beside annotations, as one class folder of several',
      make(write) {
        folders(write, ['CUB/images'])
        write('CUB/attributes/a.txt', '')
      },
      opens: [6, 2, 2],
      tells: [/the images are in images\/; attributes\/ not used/, heldOut],
    },
    {
      name: 'images for detection beside their masks',
      make(write) {
        for (const place of ['images/1.png', 'masks/trimaps/1.png']) write(place, images.png[0]!)
      },
      fails: /its folder images\/ is no class, as there is masks\/ beside it/,
    },
    {
      name: 'splits of detection',
      make(write) {
        for (const split of both) {
          write(`${split}/images/1.png`, images.png[0]!)
          write(`${split}/labels/1.txt`, '')
        }
      },
      fails: /its folder images\/ is no class, as there is labels\/ beside it/,
    },
    {
      name: 'the folders of ImageNet',
      make(write) {
        folders(write, ['Data/CLS-LOC/train'], { extension: 'JPEG' })
        write('Data/CLS-LOC/val/1.JPEG', images.jpg[0]!)
        write('Annotations/CLS-LOC/train/cat/1.xml', '')
        write('ImageSets/CLS-LOC/val.txt', '')
      },
      opens: [6, 2, 2],
      tells: [/val: it has no class folders/, /the data set is in .*CLS-LOC$/, heldOut],
    },
    {
      name: 'folders called after no split beside those that are',
      make: (write) => folders(write, ['train', 'validate', 'query']),
      opens: [6, 2, 2],
      tells: [/query\/, validate\/ called after no split, and not used/, heldOut],
    },
    {
      name: 'a test split in itself that has no classes',
      make(write) {
        folders(write, ['asl_train/asl_train'])
        write('asl_test/asl_test/A_test.png', images.png[0]!)
      },
      opens: [6, 2, 2],
      tells: [/its only folder is asl_test\/, not a class/, heldOut],
    },
    ...['train\\cat\\1.png', 'train/cat\\1.png'].map((name) => ({
      name: `a file called ${name}`,
      make: (write: Write) => write(name, images.png[0]!),
      fails: /backslashes in the names of its files, such as .*cat\\1\.png/,
    })),
    {
      name: 'a class that is still in an archive',
      make(write) {
        folders(write, both)
        write('train/bird.zip', 'PK')
      },
      opens: [8, 8, 2],
      tells: [/train: 1 archive not unpacked and ignored: bird\.zip/],
    },
    {
      name: 'a pattern of names',
      make: () => '/*/train',
      fails: /no such file or directory; give the directory of the files, without a pattern/,
    },
    {
      name: 'an archive in place of a directory',
      make(write) {
        write('a.zip', 'PK')
        return '/a.zip'
      },
      fails: /a\.zip: this is a file, not a directory; unpack the archive/,
    },
    ...Object.entries({
      '\0\0\0\x18ftypheic': 'it is HEIC',
      '\0\0\0\x18ftypmp42': 'it is a video',
      '%PDF-1.4': 'it is a PDF',
      '{"message":"not found"}': 'it is JSON',
      '<?xml version="1.0"?>': 'it is XML',
      [`${'\0'.repeat(70)}`]: 'it begins with zeros',
      nothing: 'it begins like no image that is read',
    }).map(([content, cause]) => ({
      name: `${JSON.stringify(content.slice(0, 12))} in place of an image`,
      make(write: Write) {
        folders(write, both)
        write('train/cat/z.png', content)
      },
      fails: new RegExp(`z\\.png: it cannot be decoded \\(${cause}`),
    })),
    {
      name: 'columns',
      make: (write) => folders(write, both),
      options: { labelColumn: 'label' },
      fails: /--label-column does not apply to it, only to parquet:DIR/,
    },
  ])
})
