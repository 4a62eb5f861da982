// `embed-kd train-teacher`: trains a vision transformer on the data set itself, as a checkpoint that embed and distill take.
import { join } from 'node:path'

import { teacherNames, trainTeacher, type TrainTeacherOptions } from '@embed-kd/distill/node'
import { formatShare } from '@embed-kd/records/terminal'
import { Command } from 'commander'

import { dataWords } from './data-options.js'
import { interruptible } from './interrupt.js'
import { count } from './options.js'
import { addDataOptions, addTrainingOptions, chanceHint, openDataset } from './training-options.js'
import { ProgressDisplay } from '../progress.js'

export const trainTeacherCommand = (): Command =>
  addTrainingOptions(
    addDataOptions(
      new Command('train-teacher')
        .option(
          '--shape <name>',
          `model whose sizes are taken: ${teacherNames.join(', ')}`,
          'trained-m',
        )
        .option('--patch <pixels>', "side of a patch (default: the shape's)", count)
        .option(
          '--width <n>',
          "width of the teacher's embeddings (default: the shape's, 128 for trained-m)",
          count,
        )
        .option('--layers <n>', "number of blocks (default: the shape's)", count)
        .option('--heads <n>', "number of attention heads (default: the shape's)", count),
    ),
    { learningRate: 1e-3, weightDecay: 0.05, batch: 128 },
  )
    .addHelpText('after', HELP)
    .action(run)

const HELP = `
In --out: checkpoints, curves and summary.json as distill has them, and teacher/, a ViTForImageClassification with
config.json, model.safetensors and preprocessor_config.json. Give --out to embed or distill as --teacher.

Examples:
  embed-kd train-teacher --dataset mnist --epochs 5 --out runs/teacher
  embed-kd train-teacher --dataset images:DIR --shape trained-m --patch 4 --augment flip,crop:4 --epochs 30 --out runs/teacher --resume
`

async function run(
  options: TrainTeacherOptions & { readonly dataset: string; readonly json?: boolean },
): Promise<void> {
  const display = new ProgressDisplay()
  const dataset = await openDataset(options, display)
  display.begin('train-teacher')
  const tell = (message: string) => display.line(message)
  const report: NonNullable<TrainTeacherOptions['report']> = (progress) => display.update(progress)
  const summary = await interruptible(
    (signal) =>
      trainTeacher({ ...options, dataset, signal, tell, report }).finally(() => display.end()),
    tell,
  )
  if (!summary) return
  const { accuracy, chance_accuracy, best_epoch, test, teacher, epochs } = summary
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ teacher, accuracy, epochs })}\n`
      : [
          `accuracy on ${test.images} test images: ${formatShare(accuracy)} (epoch ${best_epoch}; chance ${formatShare(chance_accuracy)})`,
          ...chanceHint(accuracy, chance_accuracy),
          `teacher: ${teacher}`,
          `curves: tensorboard --logdir ${join(options.out, 'tensorboard')}`,
          `next: embed-kd embed --teacher ${options.out} ${dataWords(options)} --out centroids.safetensors`,
          '',
        ].join('\n'),
  )
}
