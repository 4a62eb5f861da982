// What one record says about its configuration and its environment, as names and values.
import {
  axes,
  type AxisName,
  axisNames,
  axisWords,
  type BenchRecord,
  counted,
  formatBytes,
  formatCount,
  formatFlops,
  formatPercent,
  formatSeconds,
  lengthName,
  methodName,
  precisionName,
  runtimeName,
} from '@embed-kd/records'

export type Facts = readonly (readonly [name: string, value: string | undefined])[]

const KINDS = {
  trained: 'trained by the sweep',
  random: 'random weights',
  pretrained: 'pretrained',
  embeddings: 'file of embeddings',
  several: 'several teachers at once',
}

type Teacher = NonNullable<BenchRecord['trial']['teacher']>

function memberWords({ name, weight, accuracy }: NonNullable<Teacher['members']>[number]): string {
  const known = accuracy === undefined ? '' : `, accuracy ${formatPercent(accuracy)}`
  return `${name} of weight ${weight}${known}`
}

function teacherWords({ name, kind, ...teacher }: Teacher) {
  const { parameterCount, imageSize, patch, embeddingWidth, place } = teacher
  return [
    name,
    KINDS[kind],
    ...(parameterCount === undefined ? [] : [`${formatCount(parameterCount)} parameters`]),
    ...(imageSize === undefined ? [] : [`${imageSize} px`]),
    ...(patch === undefined ? [] : [`patch ${patch}`]),
    `embeddings of ${embeddingWidth}`,
    ...(place === undefined ? [] : [`${place} the training graph`]),
  ].join(', ')
}

/** Axes that the page says in lines of its own. */
const SAID: ReadonlySet<AxisName> = new Set([
  'method',
  'teacher',
  'student',
  'dataset',
  'batch',
  'microBatch',
  'precision',
  'backend',
  'preset',
  'epochs',
  'imagesSeen',
  'steps',
  'learningRate',
  'weightDecay',
  'kdWeight',
  'dropout',
  'seed',
] satisfies AxisName[])

/** Returns every other axis that the trial has a value of. */
const otherAxes = (trial: BenchRecord['trial']): Facts =>
  axisNames
    .filter((name) => !SAID.has(name) && trial[name] !== undefined)
    .map((name) => {
      const { label } = axes[name]
      return [`${label[0]!.toUpperCase()}${label.slice(1)}`, axisWords(trial, name)]
    })

export function configurationFacts(record: BenchRecord): Facts {
  const { trial, id, benchmarkVersion, costOnly, lossScale } = record
  const { teacher, student, dataset } = trial
  return [
    ['Method, preset', `${methodName(trial.method)}, ${trial.preset}`],
    ['Teacher', teacher && teacherWords(teacher)],
    ['Each teacher', teacher?.members?.map(memberWords).join('; ')],
    [
      'Accuracy of the teacher',
      teacher?.accuracy === undefined ? undefined : formatPercent(teacher.accuracy),
    ],
    [
      'Student',
      `${student.name}, ${formatCount(student.parameterCount)} parameters, ${student.imageSize} px, patch ${student.patch}, width ${student.width}, ${student.layers} layers, ${student.heads} heads`,
    ],
    [
      'Data',
      `${dataset.name}, ${dataset.classes} classes, ${dataset.trainSize.toLocaleString('en')} training and ${dataset.testSize.toLocaleString('en')} test images`,
    ],
    [
      'Length',
      `${lengthName(trial)}, batch ${trial.batch}${trial.microBatch === undefined ? '' : ` by ${trial.microBatch}`}`,
    ],
    ...otherAxes(trial),
    ['Precision', precisionName(trial)],
    [
      'Loss scale at the end',
      lossScale && `${lossScale.last}; ${counted(lossScale.skippedSteps, 'step')} skipped`,
    ],
    ['Learning rate', String(trial.learningRate)],
    ['Weight decay', String(trial.weightDecay)],
    ['Weight of distillation', trial.kdWeight === undefined ? undefined : String(trial.kdWeight)],
    ['Attention dropout', String(trial.dropout)],
    ['Seed', String(trial.seed)],
    ['Cost only', costOnly ? 'yes: its accuracy would mean nothing' : 'no'],
    ['Digest of the data', dataset.digest],
    ['Digest of the teacher', teacher?.digest],
    ['Configuration', `${id}, benchmark ${benchmarkVersion}`],
  ]
}

export function environmentFacts({
  environment,
  startedAt,
  wallSeconds,
  roofline,
}: BenchRecord): Facts {
  const { gpu, loadAverage, packages, commit, dirty } = environment
  return [
    ['Processor', `${environment.cpuModel}, ${counted(environment.cpuCores, 'core')}`],
    [
      'Memory',
      environment.memoryBytes === undefined ? undefined : formatBytes(environment.memoryBytes),
    ],
    [
      'GPU',
      gpu &&
        [gpu.name, gpu.driver, gpu.memoryBytes && formatBytes(gpu.memoryBytes)]
          .filter(Boolean)
          .join(', '),
    ],
    ['System', `${environment.os}, ${runtimeName(environment)}`],
    [
      'Packages',
      Object.entries(packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['Commit', commit && commit + (dirty === true ? ', with changes' : '')],
    ['Load average', loadAverage?.map((load) => load.toFixed(2)).join(', ')],
    ['Started', startedAt.replace('T', ' ').replace(/\.\d+Z$|Z$/, ' UTC')],
    ['Took', formatSeconds(wallSeconds)],
    [
      'Matrix product before and after',
      roofline &&
        [roofline.gemmFlopsPerSecondBefore, roofline.gemmFlopsPerSecondAfter]
          .flatMap((rate) => (rate === undefined ? [] : `${formatFlops(rate)}/s`))
          .join(', ') +
          (roofline.dtype === undefined ? '' : ` in ${roofline.dtype}`) +
          (roofline.noisy === true ? ' (noisy)' : ''),
    ],
  ]
}
