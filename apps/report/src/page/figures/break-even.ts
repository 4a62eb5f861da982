// When embeddings made beforehand have paid for themselves: time spent against epochs, with and without them.
import * as Plot from '@observablehq/plot'
import {
  breakEven,
  type BreakEven,
  formatSeconds,
  breakEvens,
  scopeName,
  significant,
  teacherName,
} from '@embed-kd/records'
import { tickLabel } from './axes.js'
import { endLabels, type Figure, INK, lookOf, MUTED, type Panel } from './figure.js'

export const breakEvenFigure: Figure = {
  id: 'break-even',
  title: 'When pre-computed embeddings pay',
  draw: ({ comparisons }) => {
    const items = breakEvens(comparisons)
    if (items.length === 0) {
      return 'No setting has the cost of its embeddings and the time of an epoch under both methods.'
    }
    return {
      caption:
        `Embed-KD starts with the time that its embeddings take once. Evaluation is left out. ` +
        items.map(describe).join(' '),
      panels: items.map(linesPanel),
      legend: [],
      columns: [
        'Setting',
        'Embeddings, once',
        'Epoch, Teacher-KD',
        'Epoch, Embed-KD',
        'Break-even (epochs)',
      ],
      rows: comparisons
        .flatMap((item) => breakEven(item) ?? [])
        .map((item) => [
          `${teacherName(item.comparison.embedKd.trial)}, batch ${item.comparison.embedKd.trial.batch}`,
          formatSeconds(item.embeddingSeconds),
          formatSeconds(item.teacherEpochSeconds),
          formatSeconds(item.embedEpochSeconds),
          item.epochs === undefined ? 'never' : significant(item.epochs, 2),
        ]),
    }
  },
}

function describe({ comparison, ...item }: BreakEven): string {
  const { trial, scope } = comparison.embedKd
  const kind = trial.teacher?.kind === 'random' ? ' (cost alone)' : ''
  return (
    `${teacherName(trial)}${kind}, batch ${trial.batch}, ${scopeName(scope)}: embeddings of ${item.images.toLocaleString('en')} images take ${formatSeconds(item.embeddingSeconds)}${item.embeddingExtrapolated ? ', extrapolated from a few batches' : ''}; ` +
    `an epoch takes ${formatSeconds(item.teacherEpochSeconds)} with Teacher-KD and ${formatSeconds(item.embedEpochSeconds)} with Embed-KD${item.epochExtrapolated ? ', extrapolated from the median step' : ', as it ran'}; ` +
    (item.epochs === undefined
      ? 'the time is never saved.'
      : `the time is saved after ${significant(item.epochs, 2)} epochs (${item.steps!.toLocaleString('en')} steps).`)
  )
}

function linesPanel(item: BreakEven): Panel {
  const end = item.epochs === undefined ? 3 : item.epochs * 2.5
  const [divisor, unit] = timeUnit(item.teacherEpochSeconds * end)
  const lines = [
    { method: 'teacher-kd', x: 0, y: 0 },
    { method: 'teacher-kd', x: end, y: (item.teacherEpochSeconds * end) / divisor },
    { method: 'embed-kd', x: 0, y: item.embeddingSeconds / divisor },
    {
      method: 'embed-kd',
      x: end,
      y: (item.embeddingSeconds + item.embedEpochSeconds * end) / divisor,
    },
  ] as const
  const crossing =
    item.epochs === undefined
      ? []
      : [{ x: item.epochs, y: (item.teacherEpochSeconds * item.epochs) / divisor }]
  return {
    title: `Time spent (${unit}): ${teacherName(item.comparison.embedKd.trial)}, batch ${item.comparison.embedKd.trial.batch}`,
    plot: (width) => ({
      height: Math.min(320, Math.max(240, width * 0.5)),
      marginLeft: 50,
      marginRight: 92,
      x: { label: 'epochs of training →', ticks: 5, tickFormat: tickLabel },
      y: { label: null, grid: true, ticks: 5 },
      marks: [
        (['teacher-kd', 'embed-kd'] as const).map((method) =>
          Plot.line(
            lines.filter((point) => point.method === method),
            {
              x: 'x',
              y: 'y',
              stroke: lookOf(method).color,
              strokeDasharray: lookOf(method).dash,
              strokeWidth: 2,
            },
          ),
        ),
        Plot.ruleX(crossing, { x: 'x', y1: 0, y2: 'y', stroke: MUTED, strokeDasharray: '2 3' }),
        Plot.dot(crossing, {
          x: 'x',
          y: 'y',
          r: 5,
          stroke: INK,
          strokeWidth: 2,
          fill: 'var(--paper)',
        }),
        Plot.text(crossing, {
          x: 'x',
          y: 'y',
          text: ({ x }: { x: number }) => `${significant(x, 2)} epochs`,
          textAnchor: 'start',
          dx: 10,
          dy: 14,
          fontWeight: 600,
          fill: INK,
          stroke: 'var(--paper)',
          strokeWidth: 3,
        }),
        endLabels([lines[1], lines[3]]),
      ],
    }),
  }
}

function timeUnit(seconds: number): [divisor: number, unit: string] {
  if (seconds >= 7200) return [3600, 'h']
  return seconds >= 120 ? [60, 'min'] : [1, 's']
}
