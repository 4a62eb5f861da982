// `embed-kd distill`: trains a student from embeddings or a teacher, and exports it as safetensors and ONNX.
import { join } from 'node:path'

import { methodNames, unlabelledMethods } from '@embed-kd/core'
import { optionOf } from '@embed-kd/bench'
import { formatConfusion } from '@embed-kd/distill'
import { distill, encoderKinds, type Distilled, type DistillOptions } from '@embed-kd/distill/node'
import { formatShare } from '@embed-kd/records/terminal'
import { Command } from 'commander'

import { interruptible } from './interrupt.js'
import { addAxisOptions } from './axis-options.js'
import { addEncoderOptions } from './options.js'
import { addDataOptions, addTrainingOptions, chanceHint, openDataset } from './training-options.js'
import { ProgressDisplay } from '../progress.js'

export function distillCommand(): Command {
  const command = new Command('distill')
    .option(
      '--method <name>',
      `method that trains the student: ${methodNames.join(', ')}, or a module that exports a method, such as ./my-method.js`,
      'embed-kd',
    )
    .option(
      '--embeddings <files>',
      'file of embeddings, also s3://BUCKET/FILE, for methods that take centroids or samples (embed-kd, cached-kd); or the files of several teachers with commas between them, each with the weight of its loss after an @ if it is not 1',
    )
    .option(
      '--teacher <model>',
      `live teacher, for teacher-kd and logit-kd: ${encoderKinds}; a file of embeddings is taken as --embeddings`,
    )
    .option('--student <name>', optionOf('student').help, 'paper')
  addAxisOptions(command, ['init', 'initSize', 'preset', 'dropout', 'kdWeight'])
  addEncoderOptions(
    command,
    "side to which images are resized for a live teacher (default: the teacher's own)",
  ).option(
    '--normalise-inside',
    'export an ONNX model that takes pixels from 0 to 1 and normalises them itself',
  )
  addTrainingOptions(addDataOptions(command), { learningRate: 1e-4, weightDecay: 0.1, batch: 64 })
  command.option(
    '--no-labels',
    `learn from the teacher alone, without class labels and without a classifier, as on a folder of images without class folders; for ${unlabelledMethods.join(', ')} (default: use the labels there are)`,
  )
  return command.addHelpText('after', HELP).action(run)
}

const HELP = `
In --out: last.safetensors and best.safetensors (checkpoints), tensorboard/ (curves), summary.json, student/ (safetensors
with config.json) and student-onnx/ (an image classifier for ONNX Runtime, optimum and transformers.js).

Without labels the student is an encoder of embeddings: no image is held out, the last epoch is kept, and no accuracy is reported.

Examples:
  embed-kd distill --embeddings centroids.safetensors --dataset mnist --student small --epochs 5 --learning-rate 1e-3 --out runs/a
  embed-kd distill --method cached-kd --embeddings samples.safetensors --dataset cifar10:DIR --out runs/b
  embed-kd distill --method cached-kd --embeddings clip.safetensors,dino.safetensors@0.5 --dataset cifar10:DIR --out runs/ab
  embed-kd distill --method teacher-kd --teacher runs/teacher --dataset images:photos --data-size 64 --student paper-64 --out runs/c
  embed-kd distill --method cosine-kd --embeddings samples.safetensors --dataset images:photos --data-size 64 --no-labels --out runs/u
  embed-kd distill --method supervised --dataset mnist --augment crop:2 --ema 0.999 --patience 5 --out runs/d --resume
`

async function run(
  options: DistillOptions & { readonly dataset: string; readonly json?: boolean },
): Promise<void> {
  const display = new ProgressDisplay()
  const dataset = await openDataset(options, display)
  display.begin('distill')
  const tell = (message: string) => display.line(message)
  const report: NonNullable<DistillOptions['report']> = (progress) => display.update(progress)
  const distilled = await interruptible(
    (signal) => distill({ ...options, dataset, signal, tell, report }).finally(() => display.end()),
    tell,
  )
  if (!distilled) return
  process.stdout.write(
    options.json
      ? `${JSON.stringify(distilled.summary)}\n`
      : `${describe(distilled, options.out).join('\n')}\n`,
  )
}

/** Returns the lines that a finished distillation prints. */
function describe({ summary, onnxFile, classNames }: Distilled, out: string): string[] {
  const { teacher_accuracy, best_epoch, onnx } = summary
  const { teachers = [] } = summary
  const teacher =
    teacher_accuracy === undefined ? '' : `, the teacher ${formatShare(teacher_accuracy)}`
  const several = teachers.map(
    ({ name, weight, accuracy }) =>
      `teacher ${name}: weight ${weight}` +
      (accuracy === undefined ? '' : `, accuracy ${formatShare(accuracy)}`),
  )
  const { test, epochs } = summary
  const result = test
    ? [
        formatConfusion(test, classNames),
        `accuracy on ${test.images} test images: ${formatShare(test.accuracy)} (epoch ${best_epoch}; chance ${formatShare(summary.chance_accuracy!)}${teacher})`,
        ...chanceHint(test.accuracy, summary.chance_accuracy!),
        ...several,
        `the exported model in ONNX Runtime: ${formatShare(onnx.accuracy!)} on ${onnx.images} of them`,
      ]
    : [
        `trained without labels: loss ${epochs[0]!.trainLoss.toFixed(4)} in epoch 1, ${epochs.at(-1)!.trainLoss.toFixed(4)} in epoch ${epochs.length}`,
        ...several,
        `the exported model in ONNX Runtime: embeddings of ${onnx.images} training images differ by ${onnx.embedding_difference!.toExponential(1)} at most`,
      ]
  return [
    ...result,
    `ONNX model: ${onnxFile}`,
    `curves: tensorboard --logdir ${join(out, 'tensorboard')}`,
    `to go on training: the same command with --resume and more --epochs`,
    `written: ${out}`,
  ]
}
