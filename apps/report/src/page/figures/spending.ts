// Accuracy against the seconds spent: one panel for each share of labels of the fullest table of methods. A curve starts after
// the time that making the embeddings takes, so that a vertical line compares methods at equal expense.
import {
  accuracyBySeconds,
  accuracyWithin,
  type Configuration,
  counted,
  embeddingSeconds,
  finished,
  formatPercent,
  formatSeconds,
  significant,
  spentSeconds,
  summaryOf,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { amountAxis, axisNote } from './axes.js'
import { asIs, type Figure, lookOf, methodDots, methodsIn, MUTED, type Panel } from './figure.js'
import { methodColumns, furtherVariants, type Spot, variantOf } from './method-columns.js'

interface Spent extends Spot {
  readonly seconds: number
  /** Seconds before the first step: the teacher's one run over the images. */
  readonly start: number
  readonly curve: readonly (readonly [seconds: number, accuracy: number])[]
}

export const spending: Figure = {
  id: 'spending',
  title: 'Accuracy against the seconds spent',
  draw: ({ configurations }) => {
    const found = methodColumns(
      configurations,
      spentOf,
      (spots) => spots.length > 1,
      'No setting has the time of two methods.',
    )
    if (typeof found === 'string') return found
    const { columns, title } = found
    return {
      caption:
        `Test accuracy (%, not from zero) against seconds: the training, in which a live teacher runs, and before it the teacher's one run that makes the embeddings. ` +
        `Dots are the results with 95 % intervals, lines the accuracy after each epoch; points along a line had the learning rates of the whole run. ` +
        `The dashed line marks the time of the quickest method, at which all are read in the table. Training the teacher is not counted. ` +
        `${title}.`,
      panels: columns.map(({ name, spots }) => panelOf(`Test accuracy (%): ${name}`, spots)),
      legend: methodsIn(columns.flatMap(({ spots }) => spots)),
      columns: [
        'Labels',
        'Method',
        'Accuracy',
        'Training and embeddings',
        'Embeddings alone',
        'Accuracy at equal seconds',
      ],
      rows: columns.flatMap(({ name, spots }) =>
        spots.map((spot) => [
          name,
          spot.name,
          formatPercent(spot.accuracy / 100),
          formatSeconds(spot.seconds),
          spot.start === 0 ? '–' : formatSeconds(spot.start),
          equalSeconds(spot, quickest(spots)),
        ]),
      ),
    }
  },
}

const quickest = (spots: readonly Spent[]) => Math.min(...spots.map(({ seconds }) => seconds))

function equalSeconds({ curve, seconds, accuracy }: Spent, budget: number): string {
  const reached = seconds <= budget ? accuracy : accuracyWithin(curve, budget)
  const at = `at ${formatSeconds(budget)}`
  return reached === undefined ? `unknown ${at}` : `${formatPercent(reached / 100)} ${at}`
}

function spentOf(spot: Spot, item: Configuration): Spent | undefined {
  const spent = summaryOf(item, spentSeconds)
  if (spent === undefined) return undefined
  const start = meanOf(finished(item).map(embeddingSeconds))
  return { ...spot, seconds: spent.mean, start, curve: meanCurve(item) }
}

/** Returns the mean over seeds after each epoch that all seeds have. */
function meanCurve(item: Configuration): Spent['curve'] {
  const curves = finished(item).map(accuracyBySeconds)
  const epochs = Math.min(...curves.map(({ length }) => length))
  return Array.from({ length: epochs }, (_, at) => [
    meanOf(curves.map((curve) => curve[at]![0])),
    meanOf(curves.map((curve) => curve[at]![1])) * 100,
  ])
}

const meanOf = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function panelOf(title: string, spots: readonly Spent[]): Panel {
  const seconds = spots.flatMap(({ seconds, curve }) => [seconds, ...curve.map(([spent]) => spent)])
  const points = spots.flatMap(({ method, name, curve }) =>
    curve.map(([seconds, accuracy]) => ({ method, name, seconds, accuracy })),
  )
  return {
    title,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.7)),
      marginLeft: 46,
      marginRight: 24,
      insetTop: 10,
      x: amountAxis(seconds, `Seconds${axisNote(seconds)} →`),
      y: { label: null, grid: true, ticks: 5, domain: domainOf(spots) },
      marks: [
        Plot.ruleX([quickest(spots)], { stroke: MUTED, strokeDasharray: '2 3' }),
        ...spots.map(({ method, name }) =>
          Plot.line(
            points.filter((point) => point.name === name),
            {
              x: 'seconds',
              y: 'accuracy',
              stroke: lookOf(method).color,
              strokeDasharray: lookOf(method).dash,
              strokeOpacity: 0.6,
              clip: true,
            },
          ),
        ),
        Plot.ruleX(spots, {
          x: 'seconds',
          y1: ({ interval }: Spent) => interval[0],
          y2: ({ interval }: Spent) => interval[1],
          stroke: asIs(({ method }: Spent) => lookOf(method).color),
          strokeOpacity: 0.45,
          strokeWidth: 2,
          clip: true,
        }),
        methodDots(spots, { x: 'seconds', y: 'accuracy', r: 4.5 }),
        Plot.text(furtherVariants(spots), {
          x: 'seconds',
          y: 'accuracy',
          text: variantOf,
          textAnchor: 'start',
          dx: 9,
          dy: 12,
          fill: MUTED,
          stroke: 'var(--paper)',
          strokeWidth: 3,
        }),
        Plot.tip(
          spots,
          Plot.pointer({
            x: 'seconds',
            y: 'accuracy',
            title: ({ name, seconds, start, accuracy, n }: Spent) =>
              `${name}\n${accuracy.toFixed(2)} % after ${significant(seconds)} s${start > 0 ? `, ${significant(start)} s of it for the embeddings` : ''}\n${counted(n, 'seed')}`,
          }),
        ),
      ],
    }),
  }
}

/** The results with their intervals, and at least the upper half of the way that the curves took. */
function domainOf(spots: readonly Spent[]): [number, number] {
  const lows = spots.map(({ interval }) => interval[0])
  const highs = spots.map(({ interval }) => interval[1])
  const first = Math.min(...spots.map(({ curve, accuracy }) => curve[0]?.[1] ?? accuracy))
  const [low, high] = [Math.min(...lows), Math.max(...highs)]
  const room = Math.max(high - low, 1)
  return [Math.min(low, Math.max(first, low - 3 * room)), high + 0.2 * room]
}
