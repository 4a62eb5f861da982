// `embed-kd embed`: a teacher and a data set become a file of embeddings, all that embed-kd and cached-kd need of a teacher.
import { ownMemory } from '@embed-kd/bench'
import { anchorControls, parseStore, storeWords } from '@embed-kd/distill'
import {
  embed,
  embeddingKinds,
  encoderKinds,
  type Embedded,
  type EmbeddingKind,
  type EmbedOptions,
} from '@embed-kd/distill/node'
import { formatBytes, formatDuration } from '@embed-kd/records/terminal'
import { Command, Option } from 'commander'

import { addEncoderOptions, count, shard, whole } from './options.js'
import { dataWords } from './data-options.js'
import { usage } from './axis-options.js'
import { addDataOptions, augmentation, openDataset } from './training-options.js'
import { ProgressDisplay } from '../progress.js'

export const embedCommand = (): Command =>
  addEncoderOptions(
    addDataOptions(
      new Command('embed')
        .requiredOption('--teacher <model>', `teacher that sees the images: ${encoderKinds}`)
        .requiredOption('--out <file>', 'safetensors file to write, or s3://BUCKET/FILE'),
    )
      .addOption(
        new Option(
          '--kind <kind>',
          'one vector for each class, one for each image, or the class scores of each image',
        )
          .choices(embeddingKinds)
          .default('centroids'),
      )
      .option(
        '--backend <name>',
        'backend:device that runs the teacher; ONNX files bring their own runtime',
        'ort:cpu',
      )
      .option('--batch <n>', 'images in one run of the teacher', count, 32),
    "side to which images are resized for the teacher (default: the teacher's own)",
  )
    .option(
      '--per-class <n>',
      'centroids: number of images of each class, the first ones, or all',
      perClass,
      100,
    )
    .option('--normalise', 'centroids: scale each embedding to length 1 before the mean')
    .option('--prototypes <k>', 'centroids: vectors of each class instead of the mean', count, 1)
    .addOption(
      new Option(
        '--anchors <control>',
        "centroids: write a control in place of the teacher's: those of other classes, random orthogonal vectors, or unit vectors",
      ).choices(anchorControls),
    )
    .option(
      '--augment <how>',
      'samples: flip, crop:PIXELS of padding, or both with a comma (default: none)',
      augmentation,
    )
    .option('--views <n>', 'samples: embeddings of each image, augmented differently', count, 1)
    .option('--store <how>', `how numbers are stored: ${storeWords}`, usage(parseStore), 'float32')
    .option('--shard <i/n>', 'samples: make only part I of N, in a file of its own', shard)
    .option('--seed <n>', 'seed of augmentation, prototypes and controls', whole, 0)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(run)

const HELP = `
The file names its teacher and data, and distill refuses it for other data. If making samples is interrupted, repeat the
command to go on. With --augment each row keeps the key of its augmentation, so that cached-kd trains on the very pixels
the teacher saw; epoch E then uses view E modulo --views.

An object in a store (s3://) appears when it is complete. A shard that is there already, of the same teacher, data and
settings, is not made again. Endpoint, region and credentials are those of the AWS variables and files; the client is a
package of its own: npm install @aws-sdk/client-s3

Examples:
  embed-kd embed --teacher google/vit-base-patch16-224 --dataset images:photos --data-size 224 --out photos.safetensors
  embed-kd embed --teacher runs/teacher --dataset mnist --kind samples --augment flip,crop:2 --views 4 --store int8 --out m.safetensors
  embed-kd embed --teacher facebook/dinov2-small --dataset webdataset:s3://data/photos --data-size 224 --kind samples --shard 3/8 --out s3://runs/photos.safetensors
  embed-kd embed --teacher encoder.onnx --output last_hidden_state --pooling cls --dataset cifar10:DIR --out c.safetensors
`

const perClass = (word: string): number | 'all' => (word === 'all' ? 'all' : count(word))

async function run(
  options: EmbedOptions & { readonly dataset: string; readonly json?: boolean },
): Promise<void> {
  const display = new ProgressDisplay()
  const dataset = await openDataset(options, display)
  display.begin('embed')
  const made = await embed({
    ...options,
    dataset,
    tell: (message) => display.line(message),
    report: (progress) => display.update(progress),
  }).finally(() => display.end())
  const { peakRssBytes } = ownMemory()
  const { file, bytes, images, seconds, width, error } = made
  const { store } = options
  const result = { file, bytes, images, seconds, width, store, error, peakRssBytes }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(result)}\n`
      : `${describe(result, options, dataset.classes).join('\n')}\n`,
  )
}

/** Option of `distill` that chooses a method for a file of each kind. */
const nextMethod: Readonly<Record<EmbeddingKind, string>> = {
  centroids: '',
  samples: '--method cached-kd ',
  scores: '--method cached-logit-kd ',
}

/** Returns the lines that a finished embedding prints. */
function describe(
  { file, bytes, images, seconds, width, error, peakRssBytes }: Embedded & { peakRssBytes: number },
  options: EmbedOptions & { readonly dataset: string },
  classes: number,
): string[] {
  const { kind, perClass, shard } = options
  const isCentroids = kind === 'centroids'
  const each = perClass === 'all' ? 'all' : `at most ${perClass}`
  const what = isCentroids
    ? `centroids of ${classes} classes from ${images} training images (${each} of each class)`
    : `${kind === 'scores' ? 'class scores' : 'embeddings'} of ${images} training images`
  const method = nextMethod[kind ?? 'centroids']
  if (images === 0)
    return [`${file}: complete already, made with the same teacher, data and settings`]
  return [
    `${file}: ${what}, width ${width}, ${formatBytes(bytes)}`,
    ...(error
      ? [
          `${options.store}: mean relative error ${Number((100 * error.relative).toPrecision(3))} %, mean cosine ${error.cosine.toFixed(5)}`,
        ]
      : []),
    `${formatDuration(seconds)}, peak memory ${formatBytes(peakRssBytes)}`,
    ...(shard
      ? []
      : [
          `next: embed-kd distill ${method}--embeddings ${file} ${dataWords(options)} --out runs/student`,
        ]),
  ]
}
