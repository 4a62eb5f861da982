// Recommends a choice for each setting: which batch fits with each method, and what Embed-KD saves and costs there.
import { axes, axisNames } from '../axes.js'
import { axisKey } from '../trial-names.js'
import { compare } from './answers.js'
import { finished } from './compare.js'
import { type Comparison, comparisonsOf, compareText, type Configuration } from './corpus.js'
import type { Difference, Ratio } from './statistics.js'

/** A recommendation covers all batch sizes of a setting. */
const FIXED_AXES = axisNames.filter(
  (name) => axes[name].role !== 'repetition' && name !== 'batch' && name !== 'microBatch',
)

export interface Recommendation {
  /** Embed-KD at its largest batch that finished, or at any batch if none did. */
  readonly embedKd: Configuration
  /** Largest batch that finished; absent if none did. */
  readonly embedBatch?: number
  readonly teacherBatch?: number
  /** Largest batch that both finished, and the comparison there. */
  readonly common?: {
    readonly batch: number
    readonly memory?: Ratio
    readonly time?: Ratio
    readonly accuracy?: Difference
  }
}

/** Returns one recommendation for each setting that both methods tried, over its batches; large teachers first. */
export function recommendationsOf(configurations: readonly Configuration[]): Recommendation[] {
  const groups = new Map<string, Comparison[]>()
  for (const comparison of comparisonsOf(configurations)) {
    const { trial, scope } = comparison.embedKd
    const key = `${scope.key}\n${FIXED_AXES.map((name) => axisKey(trial, name)).join('\n')}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [comparison])
    else group.push(comparison)
  }
  const size = ({ embedKd }: Recommendation) => embedKd.trial.teacher?.parameterCount ?? 0
  return Array.from(groups.values(), recommend).sort(
    (a, b) => size(b) - size(a) || compareText(a.embedKd.key, b.embedKd.key),
  )
}

function recommend(comparisons: readonly Comparison[]): Recommendation {
  const byBatch = comparisons.toSorted((a, b) => b.embedKd.trial.batch - a.embedKd.trial.batch)
  const fits = (item: Configuration) => finished(item).length > 0
  const embed = byBatch.find(({ embedKd }) => fits(embedKd))
  const teacher = byBatch.find(({ teacherKd }) => fits(teacherKd))
  const both = byBatch.find(({ embedKd, teacherKd }) => fits(embedKd) && fits(teacherKd))
  return {
    embedKd: (embed ?? byBatch[0]!).embedKd,
    ...(embed && { embedBatch: embed.embedKd.trial.batch }),
    ...(teacher && { teacherBatch: teacher.teacherKd.trial.batch }),
    ...(both && { common: commonOf(both) }),
  }
}

function commonOf(comparison: Comparison): NonNullable<Recommendation['common']> {
  const memory = compare('memory', comparison)?.ratio
  const time = compare('time', comparison)?.ratio
  const accuracy = compare('accuracy', comparison)?.difference
  return {
    batch: comparison.embedKd.trial.batch,
    ...(memory && { memory }),
    ...(time && { time }),
    ...(accuracy && { accuracy }),
  }
}
