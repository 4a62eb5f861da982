// `embed-kd evaluate`: judges the embeddings of a student or a teacher by neighbours, a linear probe, anchors, a teacher and corruptions.
import {
  type Accuracies,
  corruptionNames,
  encoderKinds,
  evaluate,
  findCorruption,
  severities,
  type EvaluateOptions,
  type Evaluation,
} from '@embed-kd/distill/node'
import { formatShare, formatTable } from '@embed-kd/records/terminal'
import { Command, InvalidArgumentError } from 'commander'

import { usage } from './axis-options.js'
import { addDataOptions, openDataset } from './data-options.js'
import { addEncoderOptions, count, list, whole } from './options.js'
import { ProgressDisplay } from '../progress.js'

export const evaluateCommand = (): Command =>
  addEncoderOptions(
    addDataOptions(
      new Command('evaluate').requiredOption(
        '--model <model>',
        `student or teacher that is judged: ${encoderKinds}; or a file of sample embeddings`,
      ),
    )
      .option(
        '--anchors <file>',
        'safetensors file with a vector for each class, such as text embeddings of the names: judges zero-shot accuracy',
      )
      .option('--teacher <model>', 'teacher to compare with: anything that --model can be')
      .option(
        '--k <counts>',
        'numbers of neighbours of k-NN and of recall, with commas between them (default: 1,5,20)',
        (words: string) => list(words).map(count),
      )
      .option(
        '--corruptions <names>',
        `corruptions of the test images, with commas between them: ${corruptionNames.join(', ')}, or all (default: none)`,
        usage((words: string) =>
          words === 'all' ? corruptionNames : list(words).map(findCorruption),
        ),
      )
      .option(
        '--severities <levels>',
        'severities of the corruptions from 1 to 5, with commas between them (default: 1,2,3,4,5)',
        (words: string) => list(words).map(severity),
      )
      .option(
        '--train-images <n>',
        'number of training images to take, of each class alike (default: all)',
        count,
      )
      .option(
        '--test-images <n>',
        'number of test images to take, of each class alike (default: all)',
        count,
      )
      .option(
        '--backend <name>',
        'backend:device that runs the model and compares embeddings; ONNX files bring their own runtime',
        'ort:cpu',
      )
      .option('--batch <n>', 'images in one run of the model', count, 64),
    "side to which images are resized for the model (default: the model's own)",
  )
    .option('--seed <n>', 'seed that chooses images and held-out parts, and of noise', whole, 0)
    .option('--out <file>', 'JSON file to write the result to (default: none)')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(run)

const HELP = `
Test images are classified by what is known of the training images:
  k-NN          a vote of the k training images of highest cosine similarity
  linear probe  logistic regression on standardised embeddings; its penalty is chosen on a fifth of the training images
  recall@k      share of test images with an image of their class among the k nearest
  mAP           mean average precision, if all training images are ranked by their similarity
  classifier    the model's own scores, if it has scores of these classes, and their expected calibration error (15 bins)
  alignment     mean cosine similarity (for equal widths) and linear CKA with the embeddings of --teacher
A file of embeddings has the training images alone: a fifth of each class takes the place of the test images.
Corruptions have the strengths of CIFAR-10-C for images of at most 64 pixels, and of ImageNet-C for larger ones.

Examples:
  embed-kd evaluate --model runs/student --dataset mnist
  embed-kd evaluate --model runs/student --teacher runs/teacher --dataset cifar10:DIR --out evaluation.json
  embed-kd evaluate --model encoder.onnx --dataset images:photos --data-size 224 --train-images 5000 --test-images 1000
  embed-kd evaluate --model openai/clip-vit-base-patch32 --anchors names.safetensors --dataset cifar10:DIR
  embed-kd evaluate --model runs/student --dataset mnist --corruptions noise,jpeg --severities 1,3,5
`

function severity(word: string) {
  const found = severities.find((level) => `${level}` === word)
  if (found === undefined) throw new InvalidArgumentError('give levels from 1 to 5, such as 1,3,5')
  return found
}

async function run(
  options: EvaluateOptions & { readonly dataset: string; readonly json?: boolean },
): Promise<void> {
  const display = new ProgressDisplay()
  const dataset = await openDataset(options, display)
  display.begin('evaluate')
  const result = await evaluate({
    ...options,
    dataset,
    tell: (message) => display.line(message),
    report: (progress) => display.update(progress),
  }).finally(() => display.end())
  process.stdout.write(
    options.json ? `${JSON.stringify(result)}\n` : `${describe(result, options.out).join('\n')}\n`,
  )
}

/** Returns the lines that a finished evaluation prints. */
function describe(result: Evaluation, out: string | undefined): string[] {
  const { model, dataset, width, train_images, test_images, tested_on, robustness } = result
  const testing = tested_on === 'test split' ? 'test images' : tested_on
  return [
    `${model}: embeddings of width ${width}; ${test_images} ${testing} by ${train_images} training images of ${dataset}`,
    '',
    formatTable(['measure', 'value', ''], rowsOf(result)),
    ...(robustness ? ['', corruptionTable(result, robustness)] : []),
    ...(out === undefined ? [] : ['', `written: ${out}`]),
  ]
}

/** Returns a row of name, value and remark for each measure. */
function rowsOf({
  knn,
  linear_probe,
  linear_probe_c,
  retrieval,
  classifier,
  calibration_error,
  zero_shot,
  anchors,
  alignment,
}: Evaluation): string[][] {
  return [
    ...knn.map(({ k, accuracy }) => [`k-NN accuracy, k = ${k}`, formatShare(accuracy), '']),
    ['linear probe accuracy', formatShare(linear_probe), `C = ${linear_probe_c}`],
    ...retrieval.recall.map(({ k, recall }) => [`recall@${k}`, formatShare(recall), '']),
    ['mAP', formatShare(retrieval.mean_average_precision), ''],
    ...(classifier === undefined
      ? []
      : [
          ['accuracy of its classifier', formatShare(classifier), ''],
          ['calibration error of its classifier', formatShare(calibration_error!), '15 bins'],
        ]),
    ...(zero_shot === undefined ? [] : [['zero-shot accuracy', formatShare(zero_shot), anchors!]]),
    ...(alignment?.cosine === undefined
      ? []
      : [['cosine with the teacher', alignment.cosine.toFixed(4), alignment.teacher]]),
    ...(alignment
      ? [['linear CKA with the teacher', alignment.linear_cka.toFixed(4), alignment.teacher]]
      : []),
  ]
}

/** Returns the accuracies on corrupted images beside those on clean ones. */
function corruptionTable(
  clean: Evaluation,
  robustness: NonNullable<Evaluation['robustness']>,
): string {
  const columns: readonly (readonly [string, (accuracies: Accuracies) => number | undefined])[] = [
    [`k-NN, k = ${clean.knn.at(-1)!.k}`, ({ knn }) => knn.at(-1)!.accuracy],
    ['linear probe', ({ linear_probe }) => linear_probe],
    ['classifier', ({ classifier }) => classifier],
    ['zero-shot', ({ zero_shot }) => zero_shot],
  ]
  const shown = columns.filter(([, of]) => of(clean) !== undefined)
  const cells = (accuracies: Accuracies) => shown.map(([, of]) => formatShare(of(accuracies)!))
  return formatTable(
    ['corruption', 'severity', ...shown.map(([name]) => name)],
    [
      ['none', '0', ...cells(clean)],
      ...robustness.map((row) => [row.corruption, `${row.severity}`, ...cells(row)]),
    ],
  )
}
