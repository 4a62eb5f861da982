// When embeddings made beforehand have paid for themselves: time spent against epochs, with and without them.
import * as Plot from '@observablehq/plot'
import { breakEven, type BreakEven, largestBreakEven } from '@embed-kd/records'
import { scopeName, teacherName } from '@embed-kd/records'
import { formatSeconds, significant } from '@embed-kd/records'
import { tickLabel } from './axes.js'
import { endLabels, type Figure, INK, LOOKS, MUTED, type Panel } from './figure.js'

export const breakEvenFigure: Figure = {
  id: 'break-even',
  title: 'When pre-computed embeddings pay',
  draw: ({ comparisons }) => {
    const shown = largestBreakEven(comparisons)
    if (shown === undefined) {
      return 'No setting has the cost of its embeddings and the time of an epoch under both methods.'
    }
    const { comparison, embeddingSeconds, images, epochs } = shown
    const { trial, scope } = comparison.embedKd
    return {
      caption:
        `Teacher ${teacherName(trial)}, batch ${trial.batch}; ${scopeName(scope)}. ` +
        `Embed-KD starts with ${formatSeconds(embeddingSeconds)} for the embeddings of ${images.toLocaleString('en')} images. ` +
        (epochs === undefined
          ? 'Its epochs take no less time than those of Teacher-KD, so that this is never won back. '
          : `It is won back after ${significant(epochs, 2)} epochs. `) +
        `Time of an epoch: Teacher-KD ${formatSeconds(shown.teacherEpochSeconds)}, Embed-KD ${formatSeconds(shown.embedEpochSeconds)}` +
        `${shown.extrapolated ? ', computed from the median step' : ''}. Evaluation and loading are left out.`,
      panels: [linesPanel(shown)],
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
    title: `Time spent (${unit})`,
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
              stroke: LOOKS[method].color,
              strokeDasharray: LOOKS[method].dash,
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
