// `embed-kd step`: measures one training step of one configuration.
import { Command, Option } from 'commander'
import { describeTrial, type AxisName, type BenchRecord } from '@embed-kd/records'

import { UserError } from '@embed-kd/core'
import {
  formatBytes,
  formatFlops,
  formatLossScale,
  formatSeconds,
  formatShare,
  formatTable,
} from '@embed-kd/records/terminal'
import {
  captureEnvironment,
  describeProfile,
  expandGrids,
  loadMethods,
  makeRecord,
  measureTrial,
  parseGrids,
  planTrials,
  redactRecord,
  runJob,
  widthOf,
} from '@embed-kd/bench'
import type { Report } from '@embed-kd/distill'
import { addAxisOptions, type AxisValues } from './axis-options.js'
import { observeData } from './data-options.js'
import { addLimitOptions, limitsOf, type LimitOptions } from './options.js'
import { ProgressDisplay } from '../progress.js'

/** Axes that `step` takes, beside the number of steps. */
const AXES = [
  'backend',
  'method',
  'teacher',
  'student',
  'init',
  'initSize',
  'dataset',
  'dataSize',
  'skipCorrupt',
  'maxMegapixels',
  'batch',
  'microBatch',
  'rematerialise',
  'precision',
  'preset',
  'dropout',
] as const satisfies readonly AxisName[]

interface StepOptions extends LimitOptions, Partial<AxisValues<(typeof AXES)[number]>> {
  readonly samples: number
  readonly json?: boolean
  readonly profileOps?: boolean
}

export function stepCommand(): Command {
  const command = new Command('step')
  addAxisOptions(command, [...AXES, 'steps'], {
    method: { default: 'embed-kd' },
    teacher: { default: 'vit-base-16' },
    student: { default: 'paper' },
    steps: { flag: '--samples', help: 'number of timed steps', default: 20 },
  })
    .option('--json', 'print the record as JSON')
    .addOption(
      new Option(
        '--profile-ops',
        'also print where the time goes, by operator and by part of the model',
      ).conflicts('json'),
    )
  return addLimitOptions(command).addHelpText('after', HELP).action(step)
}

const HELP = `
Published shapes and trained-s or -m have random weights here, since only time and memory are measured. No file is written.

Examples:
  embed-kd step
  embed-kd step --backend ort:cpu --student paper --method embed-kd --batch 64 --json
  embed-kd step --profile-ops
  embed-kd step --backend ort:cuda --precision mixed-float16 --batch 256
  embed-kd step --method teacher-kd --teacher vit-base-32 --batch 16 --samples 5
  embed-kd step --method teacher-kd --teacher encoder.onnx --dataset images:photos --data-size 224
  embed-kd step --batch 1024 --micro-batch 64 --rematerialise blocks --samples 3
`

async function step(options: StepOptions): Promise<void> {
  const given = AXES.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]))
  const grid = { ...Object.fromEntries(given), steps: options.samples }
  await loadMethods([`${options.method}`])
  const configs = expandGrids(parseGrids({ grids: [grid] }, 'the command line'))
  const display = new ProgressDisplay()
  const [trial] = await observeData(display, 'reading data', (data) =>
    planTrials(configs, { data, tell: (line) => display.line(line) }),
  )
  const name = describeTrial(trial!.description)
  const job = { config: trial!.config, ...widthOf(trial!) }
  const limits = { ...limitsOf(options), plannedBytes: trial!.work.peakBytes, watchDevice: true }
  const report: Report = (progress) => display.update(progress)
  display.begin(name)
  const profile = options.profileOps ? await runJob('profile', job, limits, report) : undefined
  const startedAt = new Date()
  const began = performance.now()
  const outcome =
    profile && profile.status !== 'ok' ? profile : await measureTrial(job, limits, report)
  display.end()
  if (outcome.status === 'interrupted') return
  const record = makeRecord(trial!, outcome, {
    startedAt,
    wallSeconds: (performance.now() - began) / 1000,
    environment: await captureEnvironment(),
  })
  if (options.json) process.stdout.write(`${JSON.stringify(redactRecord(record))}\n`)
  else if (record.status === 'ok') process.stdout.write(`${name}\n${describe(record)}\n`)
  if (profile?.status === 'ok') process.stdout.write(`\n${describeProfile(profile.output)}\n`)
  if (record.status !== 'ok') {
    if (!options.json)
      throw new UserError(
        `${name}: ${record.status}: ${record.reason}${record.lastWords ? `\n${record.lastWords}\n` : ''}`,
        'embed-kd doctor tells which backends work here; a smaller --batch needs less memory',
      )
    process.exitCode = 1
  }
}

/** Returns a row for the operators of a step, and one for each part. */
function operatorRows(counts: NonNullable<BenchRecord['cost']>['operators'] = {}): string[][] {
  const parts = Object.entries(counts).map(([part, byPhase]) => {
    const phases = Object.entries(byPhase)
    const total = phases.reduce((sum, [, count]) => sum + count, 0)
    const split = phases.map(([phase, count]) => `${count} ${phase}`).join(', ')
    return { part, total, text: phases.length > 1 ? `${total} (${split})` : `${total}` }
  })
  if (parts.length === 0) return []
  return [
    ['operators', `${parts.reduce((sum, { total }) => sum + total, 0)}`],
    ...parts.map(({ part, text }) => [`  ${part}`, text]),
  ]
}

function describe({ time, roofline, cost, memory, lossScale }: BenchRecord): string {
  const [low, high] = time!.interval95Seconds
  const { planned, teacherFlops, studentFlops, recomputedFlops, withoutTeacher } = cost!
  const split = planned!.peakSplit
  const rows = [
    ['step, median', formatSeconds(time!.medianSeconds)],
    ['  95 % interval', `${formatSeconds(low)} to ${formatSeconds(high)}`],
    ['  95th percentile', formatSeconds(time!.p95Seconds)],
    ['images', `${time!.imagesPerSecond.toFixed(1)} /s`],
    [
      withoutTeacher ? 'work of a step without the teacher' : 'work of a step',
      formatFlops(cost!.stepFlops),
    ],
    ['  student', formatFlops(studentFlops!)],
    ...(teacherFlops === undefined ? [] : [['  teacher', formatFlops(teacherFlops)]]),
    ...(recomputedFlops === undefined
      ? []
      : [['  of that, recomputed', formatFlops(recomputedFlops)]]),
    ...(withoutTeacher
      ? []
      : [['reached', `${formatFlops(cost!.stepFlops / time!.medianSeconds)}/s`]]),
    [
      `  of ${roofline!.dtype ?? 'float32'} matrix products`,
      `${formatFlops(roofline!.gemmFlopsPerSecondBefore)}/s before, ${formatFlops(roofline!.gemmFlopsPerSecondAfter!)}/s after`,
    ],
    ...(roofline!.share === undefined
      ? []
      : [
          [
            '  share',
            `${formatShare(roofline!.share)}${roofline!.noisy ? ' (noisy: something else used the machine)' : ''}`,
          ],
        ]),
    ...(lossScale ? [['loss scale', formatLossScale(lossScale)]] : []),
    ...operatorRows(cost!.operators),
    [
      withoutTeacher ? 'peak, planned without the teacher' : 'peak, planned',
      formatBytes(planned!.peakBytes),
    ],
    ['  parameters', formatBytes(split.parametersBytes)],
    ['  optimizer', formatBytes(split.optimizerBytes)],
    ['  activations', formatBytes(split.activationsBytes)],
    ['  teacher', formatBytes(split.teacherBytes)],
    ['  batch', formatBytes(split.dataBytes)],
    ...(planned!.runtimePeakBytes === undefined
      ? []
      : [['peak, planned for this runtime', formatBytes(planned!.runtimePeakBytes)]]),
    ...(memory!.tensorPeakBytes === undefined
      ? []
      : [['peak of all tensors, counted', formatBytes(memory!.tensorPeakBytes)]]),
    ['peak, measured', formatBytes(memory!.peakRssBytes - memory!.baselineRssBytes)],
    ...(memory!.unexplainedBytes === undefined
      ? []
      : [
          [
            `  ${memory!.unexplainedBytes > 0 ? 'above' : 'below'} what the plan explains`,
            formatBytes(Math.abs(memory!.unexplainedBytes)),
          ],
        ]),
    ['peak resident', formatBytes(memory!.peakRssBytes)],
    ['  before the trial', formatBytes(memory!.baselineRssBytes)],
  ]
  return formatTable(['', ''], rows).trimStart()
}
