// The three ratios, Embed-KD against Teacher-KD, for every setting that both ran: a forest plot beside the answers.
import * as Plot from '@observablehq/plot'
import { compare, type Question } from '../../model/answers.js'
import { type Comparison, scopeName, teacherName } from '../../model/corpus.js'
import { counted, formatRange, formatRatio } from '../../model/format.js'
import { PAPER } from '../../model/paper.js'
import type { Ratio } from '../../model/statistics.js'
import { type Figure, INK, MUTED, type Panel, RULE } from './figure.js'

interface Row {
  readonly label: string
  readonly comparison: Comparison
  readonly ratios: Readonly<Record<Question, Ratio | undefined>>
  /** The same ratio in FLOPs (time) or planned peak (memory). */
  readonly expected: Readonly<Record<Question, Ratio | undefined>>
}

const QUESTIONS: readonly (readonly [Question, string, number])[] = [
  ['memory', 'Times less peak memory', PAPER.memoryRatio],
  ['time', 'Times less time per step', PAPER.timeRatio],
  ['accuracy', 'Times the accuracy', PAPER.accuracyRatio],
]
const MOST_ROWS = 24

export const ratios: Figure = {
  id: 'ratios',
  title: 'Embed-KD against Teacher-KD, in every setting that both ran',
  draw: ({ comparisons, scopeCount }) => {
    const rows = comparisons.map(rowOf(scopeCount > 1)).filter(({ ratios }) => {
      return QUESTIONS.some(([question]) => ratios[question] !== undefined)
    })
    if (rows.length === 0) return 'No setting was finished by both Embed-KD and Teacher-KD.'
    rows.sort(bySize)
    const shown = rows.slice(0, MOST_ROWS)
    const panels = QUESTIONS.filter(([question]) =>
      shown.some(({ ratios }) => ratios[question] !== undefined),
    ).map(([question, title, paper]) => panelOf(question, title, paper, shown))
    return {
      caption:
        `Dots are ratios of paired runs (equal seed), bars their 95 % intervals; hollow dots are what the graph predicts: planned peak for memory, FLOPs for time. ` +
        `Dashed: the paper's figure (${PAPER.setting}). ` +
        `${counted(rows.length, 'setting')}${rows.length > shown.length ? `, the ${shown.length} with the largest teachers are shown` : ''}. ` +
        `A row without a dot under accuracy is cost-only.`,
      panels,
      legend: [],
      columns: ['Setting', 'Memory', 'Planned', 'Time', 'FLOPs', 'Accuracy', 'Paired runs'],
      rows: rows.map(({ label, ratios, expected }) => [
        label,
        say(ratios.memory),
        say(expected.memory),
        say(ratios.time),
        say(expected.time),
        say(ratios.accuracy),
        String(ratios.time?.n ?? ratios.memory?.n ?? ratios.accuracy?.n ?? 0),
      ]),
    }
  },
}

function rowOf(namesScope: boolean) {
  return (comparison: Comparison): Row => {
    const { trial, scope } = comparison.embedKd
    const found = {
      memory: compare('memory', comparison),
      time: compare('time', comparison),
      accuracy: compare('accuracy', comparison),
    }
    const place = namesScope ? ` · ${scopeName(scope)}` : ''
    return {
      label: `${teacherName(trial)} · batch ${trial.batch}${place}`,
      comparison,
      ratios: {
        memory: found.memory?.ratio,
        time: found.time?.ratio,
        accuracy: found.accuracy?.ratio,
      },
      expected: {
        memory: found.memory?.beside[0]?.ratio,
        time: found.time?.beside[0]?.ratio,
        accuracy: undefined,
      },
    }
  }
}

function bySize(a: Row, b: Row): number {
  const size = ({ comparison: { embedKd } }: Row) => embedKd.trial.teacher?.parameterCount ?? 0
  const batch = ({ comparison: { embedKd } }: Row) => embedKd.trial.batch
  return size(b) - size(a) || batch(b) - batch(a) || a.label.localeCompare(b.label)
}

function say(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '–'
  const interval = ratio.interval === undefined ? '' : ` (${formatRange(ratio.interval)})`
  return formatRatio(ratio.value) + interval
}

function panelOf(question: Question, title: string, paper: number, rows: readonly Row[]): Panel {
  const points = rows.flatMap((row) => {
    const ratio = row.ratios[question]
    return ratio === undefined ? [] : [{ label: row.label, ratio }]
  })
  const predictions = rows.flatMap((row) => {
    const ratio = row.expected[question]
    return ratio === undefined ? [] : [{ label: row.label, ratio }]
  })
  const all = [...points, ...predictions].map(({ ratio }) => ratio)
  const extent = all.flatMap(({ value, interval }) => [value, ...(interval ?? [])])
  const low = Math.min(1, ...extent)
  const high = Math.max(paper, ...extent)
  const pad = (high / low) ** 0.06
  return {
    title,
    plot: () => ({
      height: 60 + rows.length * 26,
      marginLeft: 8,
      marginRight: 46,
      x: {
        type: 'log',
        domain: [low / pad, high * pad],
        label: null,
        ticks: question === 'accuracy' ? 4 : [0.5, 1, 2, 3, 5, 10, 20, 50, 100],
        tickFormat: (value: number) => `${value}×`,
      },
      y: { type: 'point', domain: rows.map(({ label }) => label), axis: null, padding: 0.75 },
      marks: [
        Plot.ruleX([1], { stroke: INK, strokeOpacity: 0.6 }),
        Plot.ruleX([paper], { stroke: MUTED, strokeDasharray: '3 3' }),
        Plot.text([paper], {
          x: (value: number) => value,
          text: (value: number) => `paper ${formatRatio(value)}`,
          frameAnchor: 'top',
          dy: -14,
          fill: MUTED,
        }),
        Plot.ruleY(rows, { y: 'label', stroke: RULE, strokeWidth: 0.75 }),
        Plot.text(rows, {
          y: 'label',
          text: 'label',
          frameAnchor: 'left',
          textAnchor: 'start',
          dy: -8,
          fill: MUTED,
          fontSize: 11,
        }),
        Plot.dot(predictions, {
          x: ({ ratio }: { ratio: Ratio }) => ratio.value,
          y: 'label',
          r: 4,
          stroke: 'var(--embed-kd)',
          fill: 'var(--paper)',
        }),
        Plot.ruleY(points, {
          x1: ({ ratio }: { ratio: Ratio }) => ratio.interval?.[0] ?? ratio.value,
          x2: ({ ratio }: { ratio: Ratio }) => ratio.interval?.[1] ?? ratio.value,
          y: 'label',
          stroke: 'var(--embed-kd)',
          strokeWidth: 2,
        }),
        Plot.dot(points, {
          x: ({ ratio }: { ratio: Ratio }) => ratio.value,
          y: 'label',
          r: 4.5,
          fill: 'var(--embed-kd)',
        }),
        Plot.text(points, {
          x: ({ ratio }: { ratio: Ratio }) => ratio.interval?.[1] ?? ratio.value,
          y: 'label',
          text: ({ ratio }: { ratio: Ratio }) => formatRatio(ratio.value),
          textAnchor: 'start',
          dx: 8,
          fontWeight: 600,
          fill: INK,
          stroke: 'var(--paper)',
          strokeWidth: 3,
        }),
      ],
    }),
  }
}
