// A table of what fits and what it saves, one line a setting: for readers who have to choose.
import {
  axes,
  axisWords,
  type Configuration,
  counted,
  distinguishingAxes,
  type Difference,
  formatPoints,
  formatPointsRange,
  formatRange,
  formatRatio,
  type Ratio,
  type Recommendation,
  recommendationsOf,
  scopeNamer,
  teacherName,
} from '@embed-kd/records'
import { element, textTable } from './dom.js'

const COLUMNS = [
  'Setting',
  'Largest batch that ran, Embed-KD',
  'Largest batch that ran, Teacher-KD',
  'Compared at batch',
  'Peak memory',
  'Time per epoch',
  'Accuracy (points)',
]
const MOST = 8

export function recommendationTable(
  configurations: readonly Configuration[],
): HTMLElement | undefined {
  const items = recommendationsOf(configurations)
  if (items.length === 0) return undefined
  const nameScope = scopeNamer(items.map(({ embedKd }) => embedKd.scope))
  const telling = distinguishingAxes(items.map(({ embedKd }) => embedKd.trial)).filter(
    (name) => name !== 'teacher' && name !== 'batch' && axes[name].role !== 'scope',
  )
  const rows = items.map((item) => {
    const words = telling.flatMap((name) => axisWords(item.embedKd.trial, name) ?? [])
    return rowOf(item, [nameScope(item.embedKd.scope), ...words].filter(Boolean).join(' · '))
  })
  const shown = (part: readonly (readonly string[])[], label: string) =>
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
      textTable(COLUMNS, part),
    )
  const rest = rows.slice(MOST, 200)
  return element(
    'div',
    { class: 'recommendations' },
    element('h3', {}, 'What fits, and what Embed-KD saves'),
    shown(rows.slice(0, MOST), 'What fits'),
    rest.length === 0
      ? undefined
      : element(
          'details',
          { class: 'data' },
          element('summary', {}, `${counted(rest.length, 'more setting')}`),
          shown(rest, 'What fits, more settings'),
        ),
  )
}

function rowOf({ embedKd, embedBatch, teacherBatch, common }: Recommendation, place: string) {
  return [
    `${teacherName(embedKd.trial)}${place === '' ? '' : ` · ${place}`}`,
    embedBatch === undefined ? 'none' : String(embedBatch),
    teacherBatch === undefined ? 'none' : String(teacherBatch),
    common === undefined ? '–' : String(common.batch),
    sayRatio(common?.memory),
    sayRatio(common?.time),
    sayDifference(common?.accuracy),
  ]
}

function sayRatio(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '–'
  const { value, interval } = ratio
  const more = value < 1
  const amount = `${formatRatio(more ? 1 / value : value)} ${more ? 'more' : 'less'}`
  if (interval === undefined) return amount
  return `${amount} (${formatRange(more ? [1 / interval[1], 1 / interval[0]] : interval)})`
}

function sayDifference(difference: Difference | undefined): string {
  if (difference === undefined) return '–'
  const { value, interval } = difference
  return interval === undefined
    ? formatPoints(value).replace(' points', '')
    : `${formatPoints(value)} (${formatPointsRange(interval)})`.replaceAll(' points', '')
}
