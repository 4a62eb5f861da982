// Folders of images as people have them: every layout of splits and classes, and every name and label that is known.
import { execFileSync } from 'node:child_process'

import { describe } from 'vitest'

import { check, folders, heldOut, images, validationServes, type Write } from './data-cases.js'

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
      name: 'one class alone',
      make: (write) => folders(write, both, { classes: ['cat'] }),
      fails: /train: there is only one class, "cat"; give images of at least two classes/,
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
    {
      name: 'columns',
      make: (write) => folders(write, both),
      options: { labelColumn: 'label' },
      fails: /--label-column does not apply to it, only to parquet:DIR/,
    },
  ])
})
