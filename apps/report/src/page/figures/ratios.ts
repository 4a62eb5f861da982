// Embed-KD against Teacher-KD in every setting that both ran: a forest plot of memory, time and accuracy. If there are
// too many settings for a row each, a row is a teacher, with the median over its settings and their range.
import {
  absenceOf,
  compare,
  type Compared,
  type Comparison,
  counted,
  type Difference,
  finished,
  formatPoints,
  formatPointsRange,
  formatRange,
  formatRatio,
  median,
  methodName,
  PAPER,
  type Question,
  type Ratio,
  scopeNamer,
  teacherName,
  distinguishingAxes,
  axisWords,
} from '@embed-kd/records'
import { type Drawing, type Figure } from './figure.js'
import { type ForestMark, type ForestPanel, forestPanel, type ForestRow } from './forest.js'

interface Setting extends ForestRow {
  readonly comparison: Comparison
  readonly found: Readonly<Record<Question, Compared | undefined>>
}

const QUESTIONS = ['memory', 'time', 'accuracy'] as const
/** Up to so many settings have a row each, and so many groups. */
const MOST_ROWS = 24

export const ratios: Figure = {
  id: 'ratios',
  title: 'Embed-KD against Teacher-KD, in every setting that both ran',
  draw: ({ comparisons }) => {
    const settings = settingsOf(comparisons)
    const answered = ({ found }: Setting) => QUESTIONS.some((question) => found[question])
    if (!settings.some(answered)) return 'No setting was finished by both Embed-KD and Teacher-KD.'
    const drawing = settings.length <= MOST_ROWS ? bySetting(settings) : byTeacher(settings)
    return {
      ...drawing,
      caption: `${drawing.caption} Dashed: the paper's figure (${PAPER.setting}). Axes of memory and time are logarithmic.`,
      legend: [],
      columns: ['Setting', 'Memory', 'Planned', 'Time', 'FLOPs', 'Accuracy', 'Paired runs'],
      rows: settings.map(({ label, detail, found: { memory, time, accuracy } }) => [
        detail === '' ? label : `${label} · ${detail}`,
        sayRatio(memory?.ratio),
        sayRatio(predicted(memory)),
        sayRatio(time?.ratio),
        sayRatio(predicted(time)),
        sayDifference(accuracy?.difference),
        String(time?.ratio.n ?? memory?.ratio.n ?? accuracy?.ratio.n ?? 0),
      ]),
    }
  },
}

type Part = Pick<Drawing, 'caption' | 'panels'>

function settingsOf(comparisons: readonly Comparison[]): Setting[] {
  const nameScope = scopeNamer(comparisons.map(({ embedKd }) => embedKd.scope))
  const labelOf = ({ embedKd: { trial } }: Comparison) =>
    `${teacherName(trial)}, batch ${trial.batch}`
  const nameOf = (item: Comparison) => `${labelOf(item)} ${item.embedKd.scope.key}`
  const named = new Map<string, Comparison[]>()
  for (const item of comparisons)
    named.set(nameOf(item), [...(named.get(nameOf(item)) ?? []), item])
  return comparisons
    .map((comparison): Setting => {
      const { trial, scope, key } = comparison.embedKd
      // Settings of one name differ in other axes: then these are said too.
      const telling = distinguishingAxes(
        named.get(nameOf(comparison))!.map(({ embedKd }) => embedKd.trial),
      )
      const words = telling.map((name) => axisWords(trial, name) ?? '')
      return {
        key,
        label: labelOf(comparison),
        detail: [nameScope(scope), ...words].filter(Boolean).join(' · '),
        comparison,
        found: {
          memory: compare('memory', comparison),
          time: compare('time', comparison),
          accuracy: compare('accuracy', comparison),
        },
      }
    })
    .sort(bySize)
}

function bySize({ comparison: { embedKd: a } }: Setting, { comparison: { embedKd: b } }: Setting) {
  const size = ({ trial }: Comparison['embedKd']) => trial.teacher?.parameterCount ?? 0
  return size(b) - size(a) || b.trial.batch - a.trial.batch || (a.key < b.key ? -1 : 1)
}

function bySetting(settings: readonly Setting[]): Part {
  return {
    caption:
      `Dots are ratios of paired runs (equal seed; accuracy: differences), bars their 95 % intervals. ` +
      (settings.some(({ found }) => predicted(found.memory) ?? predicted(found.time))
        ? 'Hollow dots are what the graph predicts: planned peak for memory, FLOPs for time. '
        : '') +
      `Bars that reach the frame go on beyond it. ${counted(settings.length, 'setting')}.`,
    panels: panelsOf(
      settings,
      (question) => (row) => {
        const { found, comparison } = row as Setting
        return markOf(question, found[question]) ?? whyAbsent(comparison, question)
      },
      (question) => (row) => predicted((row as Setting).found[question])?.value,
    ),
  }
}

function byTeacher(settings: readonly Setting[]): Part {
  const groups = new Map<string, Setting[]>()
  for (const setting of settings) {
    const { trial, scope } = setting.comparison.embedKd
    const key = JSON.stringify([teacherName(trial), scope.machine])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [setting])
    else group.push(setting)
  }
  const machines = new Set(settings.map(({ comparison }) => comparison.embedKd.scope.machine)).size
  const all = [...groups].map(([key, items]): ForestRow & { items: Setting[] } => {
    const { trial, scope } = items[0]!.comparison.embedKd
    const detail = counted(items.length, 'setting')
    return {
      key,
      label: teacherName(trial),
      detail: machines > 1 ? `${detail} on ${scope.machine}` : detail,
      items,
    }
  })
  const rows = all.slice(0, MOST_ROWS)
  const left = all.length - rows.length
  return {
    caption:
      `Too many settings for a row each (${counted(settings.length, 'setting')}): dots are medians over the settings of a teacher, bars reach from the lowest to the highest. ` +
      `Narrow the filters to see settings with their intervals.${left > 0 ? ` ${counted(left, 'smaller teacher')} left out.` : ''}`,
    panels: panelsOf(rows, (question) => (row) => {
      const { items } = row as ForestRow & { items: Setting[] }
      const marks = items.flatMap(({ found }) => markOf(question, found[question]) ?? [])
      if (marks.length === 0) return whyAbsent(items[0]!.comparison, question)
      const values = marks.map(({ value }) => value)
      const value = median(values)
      const text =
        question === 'accuracy'
          ? formatPoints(value / 100).replace(' points', '')
          : formatRatio(value)
      return { value, low: Math.min(...values), high: Math.max(...values), text }
    }),
  }
}

function panelsOf(
  rows: readonly ForestRow[],
  markFor: (question: Question) => ForestPanel['markOf'],
  expectedFor?: (question: Question) => NonNullable<ForestPanel['expectedOf']>,
) {
  const descriptions: readonly (readonly [Question, Omit<ForestPanel, 'markOf'>])[] = [
    [
      'memory',
      {
        title: 'Times less peak memory',
        share: 1.9,
        scale: 'ratio',
        paper: PAPER.memoryRatio,
        paperText: `paper ${PAPER.memoryRatio}×`,
      },
    ],
    [
      'time',
      {
        title: 'Times less time per epoch',
        share: 1,
        scale: 'ratio',
        paper: PAPER.timeRatio,
        paperText: `paper ${PAPER.timeRatio}×`,
      },
    ],
    [
      'accuracy',
      {
        title: 'Accuracy, difference in points',
        share: 1,
        scale: 'points',
        paper: 1,
        paperText: 'paper +1',
      },
    ],
  ]
  return descriptions
    .filter(([question]) => rows.some((row) => typeof markFor(question)(row) !== 'string'))
    .map(([question, description]) =>
      forestPanel(
        {
          ...description,
          markOf: markFor(question),
          ...(expectedFor && { expectedOf: expectedFor(question) }),
        },
        rows,
      ),
    )
}

function markOf(question: Question, compared: Compared | undefined): ForestMark | undefined {
  if (compared === undefined) return undefined
  const { ratio, difference } = compared
  if (question === 'accuracy') {
    if (difference === undefined) return undefined
    const [low, high] = difference.interval ?? [difference.value, difference.value]
    return {
      value: difference.value * 100,
      low: low * 100,
      high: high * 100,
      text: formatPoints(difference.value).replace(' points', ''),
    }
  }
  const [low, high] = ratio.interval ?? [ratio.value, ratio.value]
  return { value: ratio.value, low, high, text: formatRatio(ratio.value) }
}

/** The same ratio as the graph predicts it: planned peak for memory, FLOPs for time. */
function predicted(compared: Compared | undefined): Ratio | undefined {
  return compared?.beside.find(
    ({ measure: { id } }) => id === 'plannedPeakBytes' || id === 'stepFlops',
  )?.ratio
}

function sayRatio(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '–'
  const interval = ratio.interval === undefined ? '' : ` (${formatRange(ratio.interval)})`
  return formatRatio(ratio.value) + interval
}

function sayDifference(difference: Difference | undefined): string {
  if (difference === undefined) return '–'
  const { value, interval } = difference
  return formatPoints(value) + (interval === undefined ? '' : ` (${formatPointsRange(interval)})`)
}

function whyAbsent({ teacherKd, embedKd }: Comparison, question: Question): string {
  const failed = [teacherKd, embedKd].find((item) => finished(item).length === 0)
  if (failed !== undefined) return `${methodName(failed.method)}: ${absenceOf(failed, false)}`
  const [reason] = [teacherKd, embedKd].map((item) => absenceOf(item, question === 'accuracy'))
  return reason!
}
