// Several teachers at once against fewer of them: what each adds. Configurations that are compared agree in everything but the
// teacher; those of several are tested against each smaller set that was run, and against training without a teacher.
import { axes, type AxisName, axisNames, type Trial } from '../axes.js'
import { teacherKey } from '../axis.js'
import { axisKey, axisWords, varyingAxes } from '../trial-names.js'
import { accuracyDifference, summaryOf } from './compare.js'
import { compareText, type Configuration } from './corpus.js'
import type { TextTable } from './export.js'
import type { Support } from './finding.js'
import { formatPercent, methodName } from './format.js'
import { accuracy } from './measures.js'
import { sayAccuracy, sayDifference, sayP } from './method-table-text.js'
import { withoutTeacher } from './method-table.js'
import { holm } from './significance.js'
import { type Difference, pValueOf, type Summary } from './statistics.js'
import { MARGIN } from './support.js'

/** Fewer teachers, or none, in the setting of several. */
export interface FewerTeachers {
  readonly configuration: Configuration
  /** Names of the teachers; empty if there is none. */
  readonly teachers: readonly string[]
  readonly accuracy: Summary
  /** The several teachers less these. */
  readonly difference: Difference
  readonly p?: number
  /** `p` after Holm's correction over the smaller sets of teachers. */
  readonly corrected?: number
}

export interface TeacherSetGroup {
  readonly configuration: Configuration
  /** Names of the teachers, each with its weight if it is not 1. */
  readonly teachers: readonly string[]
  readonly accuracy: Summary
  /** Words for the axes in which this setting differs from other settings of several teachers. */
  readonly setting: string
  /** The largest sets first; none at all comes last. */
  readonly fewer: readonly FewerTeachers[]
  readonly support: Support
}

/** Axes that several teachers share with fewer of them. */
const SHARED: readonly AxisName[] = axisNames.filter(
  (name) => axes[name].role !== 'repetition' && name !== 'teacher',
)

type Teacher = NonNullable<Trial['teacher']>

/** Returns the key of each teacher, with its share of the weights. A single teacher has all of the weight. */
function keysOf({ teacher }: Trial): ReadonlyMap<string, number> {
  const members = teacher?.members ?? (teacher ? [{ ...teacher, weight: 1 }] : [])
  return new Map(members.map((member) => [JSON.stringify(teacherKey(member)), member.weight]))
}

/** Whether some teachers are fewer of others, with weights in the same proportions. */
function isPart(some: ReadonlyMap<string, number>, all: ReadonlyMap<string, number>): boolean {
  if (some.size === 0 || some.size >= all.size) return false
  const ratios = Array.from(some, ([key, weight]) => (all.get(key) ?? NaN) / weight)
  return ratios.every((ratio) => Math.abs(ratio / ratios[0]! - 1) < 1e-9)
}

const namesOf = ({ members, name }: Teacher): readonly string[] =>
  members?.map(({ name: each, weight }) => (weight === 1 ? each : `${each}@${weight}`)) ?? [name]

/** Returns each setting that was run with several teachers and with fewer of them. */
export function teacherSetsOf(configurations: readonly Configuration[]): TeacherSetGroup[] {
  const measured = configurations.filter((item) => summaryOf(item, accuracy) !== undefined)
  const several = measured.filter(({ trial }) => trial.teacher?.members)
  if (several.length === 0) return []
  const keyOf = ({ trial, source }: Configuration) =>
    [source, ...SHARED.map((name) => axisKey(trial, name))].join('\n')
  const bySetting = new Map<string, Configuration[]>()
  for (const item of measured)
    if (item.trial.teacher) {
      const key = keyOf(item)
      bySetting.set(key, [...(bySetting.get(key) ?? []), item])
    }
  const varying = varyingAxes(several.map(({ trial }) => trial))
  return several
    .map((item) => {
      const all = keysOf(item.trial)
      const parts = bySetting.get(keyOf(item))!.filter(({ trial }) => isPart(keysOf(trial), all))
      const none = withoutTeacher(item, measured)
      return groupOf(item, parts, none, varying)
    })
    .filter(({ fewer }) => fewer.some(({ teachers }) => teachers.length > 0))
    .sort((a, b) => compareText(a.configuration.key, b.configuration.key))
}

function groupOf(
  item: Configuration,
  parts: readonly Configuration[],
  none: Configuration | undefined,
  varying: ReadonlySet<AxisName>,
): TeacherSetGroup {
  const found = [...parts, ...(none ? [none] : [])].flatMap((configuration) => {
    const difference = accuracyDifference(item, configuration)
    if (difference === undefined) return []
    const { teacher } = configuration.trial
    const teachers = teacher ? namesOf(teacher) : []
    return [{ configuration, teachers, difference, p: pValueOf(difference) }]
  })
  const tested = found.filter(({ p }) => p !== undefined)
  const corrected = holm(tested.map(({ p }) => p!))
  const fewer = found
    .map((each): FewerTeachers => {
      const { p, ...rest } = each
      const at = tested.indexOf(each)
      return {
        ...rest,
        accuracy: summaryOf(each.configuration, accuracy)!,
        ...(p !== undefined && { p, corrected: corrected[at]! }),
      }
    })
    .sort(
      (a, b) =>
        b.teachers.length - a.teachers.length || compareText(a.teachers.join(), b.teachers.join()),
    )
  const names = axisNames.filter(
    (name) =>
      axes[name].role !== 'repetition' &&
      name !== 'teacher' &&
      name !== 'method' &&
      varying.has(name),
  )
  return {
    configuration: item,
    teachers: namesOf(item.trial.teacher!),
    accuracy: summaryOf(item, accuracy)!,
    setting: names.flatMap((name) => axisWords(item.trial, name) ?? []).join(', '),
    fewer,
    support: supportOfAll(fewer.filter(({ teachers }) => teachers.length > 0)),
  }
}

/** Judges the claim that all teachers together teach more than any fewer of them. */
function supportOfAll(parts: readonly FewerTeachers[]): Support {
  const claim = 'every teacher adds to the others'
  if (parts.some(({ difference }) => difference.n === 1))
    return { claim, verdict: 'inconclusive', reasons: ['One seed: chance alone can do this.'] }
  const beaten = ({ difference, corrected = 1 }: FewerTeachers) =>
    difference.value > 0 && corrected < 0.05
  if (parts.every(beaten))
    return { claim, verdict: 'supported', reasons: ['More accurate than fewer of them.'] }
  const equal = parts.find(({ difference: { interval } }) => interval && interval[1] < MARGIN)
  if (equal !== undefined) {
    const reason = `With ${equal.teachers.join(' and ')} alone a student is as good: a gain of ${MARGIN * 100} point over it is excluded.`
    return { claim, verdict: 'refuted', reasons: [reason] }
  }
  const open = parts.filter((part) => !beaten(part)).map(({ teachers }) => teachers.join(' and '))
  return {
    claim,
    verdict: 'inconclusive',
    reasons: [`No difference is shown to ${open.join(', ')} alone.`],
  }
}

/** Returns the accuracy of the teachers themselves, if it is known. */
function ownAccuracy({ trial: { teacher } }: Configuration): string {
  const members = teacher?.members ?? (teacher ? [teacher] : [])
  const known = members.map((member) => member.accuracy)
  if (known.every((share) => share === undefined)) return '–'
  return known.map((share) => (share === undefined ? '?' : formatPercent(share))).join(', ')
}

/** Returns one row for several teachers, and one for each smaller set and for none, of every setting. */
export function teacherSetTable(groups: readonly TeacherSetGroup[]): TextTable {
  return {
    title: 'Several teachers: what each adds',
    columns: ['Setting', 'Teachers', 'Their accuracy', 'n', 'Accuracy', 'All less these', 'p'],
    rows: groups.flatMap((group) => {
      const { configuration, setting, fewer } = group
      const name = [methodName(configuration.method), setting].filter(Boolean).join(', ')
      const namesWords = (teachers: readonly string[]) =>
        teachers.length === 0 ? 'none' : teachers.join(' + ')
      return [
        [
          name,
          namesWords(group.teachers),
          ownAccuracy(configuration),
          String(group.accuracy.n),
          sayAccuracy(group),
          '–',
          '–',
        ],
        ...fewer.map((part) => [
          name,
          namesWords(part.teachers),
          ownAccuracy(part.configuration),
          String(part.accuracy.n),
          sayAccuracy(part),
          sayDifference(part),
          sayP(part),
        ]),
      ]
    }),
  }
}
