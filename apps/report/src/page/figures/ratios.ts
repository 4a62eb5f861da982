// The three ratios, Embed-KD against Teacher-KD, for every setting that both ran: a forest plot beside the answers.
import * as Plot from '@observablehq/plot'
import {
  compare,
  type Comparison,
  counted,
  formatRange,
  formatRatio,
  methodName,
  PAPER,
  type Question,
  type Ratio,
  ratioRange,
  type Scope,
  scopeNamer,
  statusName,
  teacherName,
} from '@embed-kd/records'
import { amountAxis, tickLabel } from './axes.js'
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
const MOST_SCORED = 8

export const ratios: Figure = {
  id: 'ratios',
  title: 'Embed-KD against Teacher-KD, in every setting that both ran',
  draw: ({ comparisons }) => {
    const name = scopeNamer(comparisons.map(({ embedKd }) => embedKd.scope))
    const rows = distinct(comparisons.map(rowOf(name)))
    const answered = ({ ratios }: Row) =>
      QUESTIONS.some(([question]) => ratios[question] !== undefined)
    if (!rows.some(answered)) return 'No setting was finished by both Embed-KD and Teacher-KD.'
    rows.sort(bySize)
    const shown = chosenOf(rows)
    const panels = QUESTIONS.filter(([question]) =>
      shown.some(({ ratios }) => ratios[question] !== undefined),
    ).map(([question, title, paper]) => panelOf(question, title, paper, shown))
    return {
      caption:
        `Dots are ratios of paired runs (equal seed), bars their 95 % intervals; hollow dots are what the graph predicts: planned peak for memory, FLOPs for time. ` +
        `Bars that reach the frame go on beyond it. Dashed: the paper's figure (${PAPER.setting}). ` +
        `${counted(rows.length, 'setting')}${rows.length > shown.length ? `; ${shown.length} are shown, those with the largest teachers and some with an accuracy` : ''}.`,
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

function rowOf(nameScope: (scope: Scope) => string) {
  return (comparison: Comparison): Row => {
    const { trial, scope } = comparison.embedKd
    const found = {
      memory: compare('memory', comparison),
      time: compare('time', comparison),
      accuracy: compare('accuracy', comparison),
    }
    const place = nameScope(scope)
    return {
      label: `${teacherName(trial)}, batch ${trial.batch}${place === '' ? '' : ` · ${place}`}`,
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

/** The first rows, among them some that have an accuracy: these come from the small teachers a sweep can train. */
function chosenOf(rows: readonly Row[]): Row[] {
  const scored = rows.filter(({ ratios }) => ratios.accuracy !== undefined)
  const first = new Set([...scored.slice(0, MOST_SCORED), ...rows])
  const chosen = new Set([...first].slice(0, MOST_ROWS))
  return rows.filter((row) => chosen.has(row))
}

/** Settings that share a name differ in how they were trained: then this is said too. */
function distinct(rows: readonly Row[]): Row[] {
  const counts = new Map<string, number>()
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1)
  return rows.map((row) => {
    if (counts.get(row.label) === 1) return row
    const { epochs, steps, learningRate, weightDecay, dropout, microBatch, rematerialise } =
      row.comparison.embedKd.trial
    const length = epochs === undefined ? `${steps} steps` : `${epochs} epochs`
    const parts = microBatch === undefined ? '' : `, by ${microBatch}`
    const again = rematerialise === undefined ? '' : `, rematerialise ${rematerialise}`
    const detail = `${length}, rate ${learningRate}, decay ${weightDecay}, dropout ${dropout}${parts}${again}`
    return { ...row, label: `${row.label} · ${detail}` }
  })
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

const ROW = 24

function panelOf(question: Question, title: string, paper: number, rows: readonly Row[]): Panel {
  // Standing alone, accuracy need not keep the rows of its neighbours.
  const own = rows.filter(({ ratios }) => ratios[question] !== undefined)
  const plot = plotOf(question, paper)
  return {
    title,
    share: question === 'memory' ? 1.5 : 1,
    plot: (width, leads) => plot(leads && question === 'accuracy' ? own : rows, width, leads),
  }
}

function plotOf(question: Question, paper: number) {
  return (rows: readonly Row[], width: number, leads: boolean): Plot.PlotOptions => {
    const points = rows.flatMap(({ label, ratios }) => mark(label, ratios[question]))
    const predictions = rows.flatMap(({ label, expected }) => mark(label, expected[question]))
    const absent = rows.filter(({ ratios }) => ratios[question] === undefined)
    const [low, high] = ratioRange(
      [1, paper, ...[...points, ...predictions].map(({ value }) => value)],
      points.flatMap(({ low, high }) => [low, high]),
    )
    const cut = ({ low: from, high: to, ...rest }: Mark) => ({
      ...rest,
      low: Math.max(low, from),
      high: Math.min(high, to),
    })
    const longest = Math.max(...rows.map(({ label }) => label.length))
    const margin = Math.min(longest * 6.2 + 12, width * 0.5)
    return {
      height: 62 + rows.length * ROW,
      marginLeft: leads ? margin : 10,
      marginRight: 52,
      x: {
        ...amountAxis([low, high], null),
        tickFormat: (value: number) => `${tickLabel(value)}×`,
      },
      y: { type: 'point', domain: rows.map(({ label }) => label), axis: null, padding: 0.6 },
      marks: [
        Plot.ruleY(rows, { y: 'label', stroke: RULE, strokeWidth: 0.75 }),
        Plot.ruleX([1], { stroke: INK, strokeOpacity: 0.5 }),
        Plot.ruleX([paper], { stroke: MUTED, strokeDasharray: '3 3' }),
        Plot.text([paper], {
          x: (value: number) => value,
          text: (value: number) => `paper ${value}×`,
          frameAnchor: 'top',
          dy: -12,
          fill: MUTED,
        }),
        leads
          ? Plot.text(rows, {
              y: 'label',
              text: 'label',
              frameAnchor: 'left',
              textAnchor: 'end',
              dx: -10,
              textOverflow: 'ellipsis',
              lineWidth: (margin - 10) / 12,
              fill: INK,
            })
          : undefined,
        Plot.dot(predictions, {
          x: 'value',
          y: 'label',
          r: 4,
          stroke: 'var(--embed-kd)',
          fill: 'var(--paper)',
        }),
        Plot.ruleY(points.map(cut), {
          x1: 'low',
          x2: 'high',
          y: 'label',
          stroke: 'var(--embed-kd)',
          strokeWidth: 2,
        }),
        Plot.dot(points, { x: 'value', y: 'label', r: 4.5, fill: 'var(--embed-kd)' }),
        Plot.text(points, {
          y: 'label',
          text: ({ value }: Mark) => formatRatio(value),
          frameAnchor: 'right',
          textAnchor: 'start',
          dx: 8,
          fontWeight: 600,
          fill: INK,
        }),
        Plot.text(absent, {
          y: 'label',
          x: () => 1,
          text: ({ comparison }: Row) => whyAbsent(comparison),
          textAnchor: 'start',
          dx: 8,
          fontStyle: 'italic',
          fill: MUTED,
          stroke: 'var(--paper)',
          strokeWidth: 4,
        }),
      ],
    }
  }
}

interface Mark {
  readonly label: string
  readonly value: number
  readonly low: number
  readonly high: number
}

function mark(label: string, ratio: Ratio | undefined): Mark[] {
  if (ratio === undefined) return []
  const [low, high] = ratio.interval ?? [ratio.value, ratio.value]
  return [{ label, value: ratio.value, low, high }]
}

function whyAbsent({ teacherKd, embedKd }: Comparison): string {
  for (const { method, runs } of [teacherKd, embedKd]) {
    const failed = runs.every(({ status }) => status !== 'ok')
    if (failed) return `${methodName(method)}: ${statusName(runs[0]!.status)}`
  }
  const costOnly = [teacherKd, embedKd].some(({ runs }) => runs.every(({ costOnly }) => costOnly))
  return costOnly ? 'cost only' : 'not measured'
}
