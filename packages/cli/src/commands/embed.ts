// `embed-kd embed`: a teacher and a data set become a file of embeddings, which is all that embed-kd and cached-kd need of them.
import { Command, Option } from 'commander'

import type { Augmentation } from '@embed-kd/distill/node'
import { noAugmentation } from '@embed-kd/distill/node'
import { openBackend } from '@embed-kd/distill/node'
import { makeCentroids, makeSamples, type Made } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import { formatBytes, formatDuration } from '@embed-kd/records/terminal'
import { ownMemory } from '@embed-kd/bench'
import { ProgressDisplay } from '@embed-kd/bench'
import { openEncoder } from '@embed-kd/distill/node'
import { count, shard, whole } from './options.js'
import { addDataOptions, augmentation, openDataset, type DataOptions } from './training-options.js'

interface EmbedOptions extends DataOptions {
  readonly teacher: string
  readonly out: string
  readonly kind: 'centroids' | 'samples'
  readonly backend: string
  readonly batch: number
  readonly seed: number
  readonly imageSize?: number
  readonly output?: string
  readonly pooling?: string
  readonly perClass: number | 'all'
  readonly normalise?: boolean
  readonly prototypes: number
  readonly augment?: Augmentation
  readonly views: number
  readonly float16?: boolean
  readonly shard?: { index: number; count: number }
  readonly json?: boolean
}

export const embedCommand = (): Command =>
  addDataOptions(
    new Command('embed')
      .requiredOption('--teacher <model>', 'directory, .onnx file, or namespace/name on the hub')
      .requiredOption('--out <file>', 'the safetensors file to write'),
  )
    .addOption(
      new Option('--kind <kind>', 'one vector for each class, or for each image')
        .choices(['centroids', 'samples'])
        .default('centroids'),
    )
    .option('--backend <name>', 'that runs the teacher; ONNX files bring their own', 'ort:cpu')
    .option('--batch <n>', 'images in one run of the teacher', count, 32)
    .option('--image-size <pixels>', 'that the teacher sees; default its own', count)
    .option('--output <name>', 'ONNX: the output to take')
    .option('--pooling <how>', 'ONNX: cls or mean, where the output is of tokens')
    .option('--per-class <n>', 'centroids: the first N images of each class, or all', perClass, 100)
    .option('--normalise', 'centroids: scale each embedding to length 1 before the mean')
    .option('--prototypes <k>', 'centroids: K of each class instead of the mean', count, 1)
    .option('--augment <how>', 'samples: flip, crop:PIXELS of padding, or both', augmentation)
    .option('--views <n>', 'samples: embeddings of each image, augmented differently', count, 1)
    .option('--float16', 'samples: half the bytes')
    .option('--shard <i/n>', 'samples: only part I of N, in a file of its own', shard)
    .option('--seed <n>', 'of augmentation and prototypes', whole, 0)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(embed)

const HELP = `
The file says of which teacher and data it is, and distill refuses it for others. Interrupted samples go on where they
stopped when the command is repeated. With --augment each row keeps the key of its augmentation, so that cached-kd trains
on the very pixels the teacher saw; epoch E then uses view E modulo --views.

Examples:
  embed-kd embed --teacher google/vit-base-patch16-224 --dataset images:photos --data-size 224 --out photos.safetensors
  embed-kd embed --teacher teachers/mine --dataset mnist --kind samples --augment flip,crop:2 --views 4 --float16 --out m.safetensors
  embed-kd embed --teacher encoder.onnx --output last_hidden_state --pooling cls --dataset cifar10:DIR --out c.safetensors
`

const perClass = (word: string): number | 'all' => (word === 'all' ? 'all' : count(word))

async function embed(options: EmbedOptions): Promise<void> {
  checkOptions(options)
  const display = new ProgressDisplay()
  display.begin('embed')
  const tell = (message: string) => display.line(message)
  const dataset = await openDataset(options, display)
  const backend = await openBackend(options.backend)
  const { batch, imageSize, output, pooling, seed } = options
  const encoder = await openEncoder(options.teacher, {
    backend,
    source: dataset,
    batch,
    tell,
    ...(imageSize === undefined ? {} : { imageSize }),
    ...(output === undefined ? {} : { output }),
    ...(pooling === undefined ? {} : { pooling }),
  })
  const common = {
    encoder,
    dataset,
    file: options.out,
    batch,
    seed,
    progress: (done: number, total: number) => display.update({ phase: 'embedding', done, total }),
  }
  let made: Made
  try {
    made =
      options.kind === 'centroids'
        ? await makeCentroids({
            ...common,
            perClass: options.perClass === 'all' ? undefined : options.perClass,
            normalise: options.normalise ?? false,
            prototypes: options.prototypes,
          })
        : await makeSamples({
            ...common,
            augmentation: options.augment ?? noAugmentation,
            views: options.views,
            half: options.float16 ?? false,
            shard: options.shard?.index ?? 1,
            shards: options.shard?.count ?? 1,
          })
  } finally {
    await encoder.dispose()
    await backend.dispose()
    display.end()
  }
  const { peakRssBytes } = ownMemory()
  const { file, bytes, images, seconds } = made
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ file, bytes, images, seconds, width: encoder.width, peakRssBytes })}\n`
      : `${file}: ${bytes} bytes (${formatBytes(bytes)}), ${images} images in ${formatDuration(seconds)}, ` +
          `embeddings of width ${encoder.width}, peak memory ${formatBytes(peakRssBytes)}\n`,
  )
}

/** @throws UserError where an option does not belong to the kind. */
function checkOptions({
  kind,
  views,
  augment,
  float16,
  shard,
  prototypes,
  normalise,
}: EmbedOptions): void {
  const wrong =
    kind === 'centroids'
      ? { '--augment': augment, '--views': views > 1, '--float16': float16, '--shard': shard }
      : { '--prototypes': prototypes > 1, '--normalise': normalise }
  const given = Object.entries(wrong).find(([, value]) => value)
  if (given)
    throw new UserError(
      `${given[0]} has no meaning for ${kind}`,
      kind === 'centroids'
        ? 'leave it out, or give --kind samples'
        : 'leave it out, or give --kind centroids',
    )
}
