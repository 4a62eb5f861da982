// The figure of accuracy against cost, with one panel for memory and one for time. A Pareto front joins the
// configurations whose higher accuracy justifies their higher cost, as far as the 95 % intervals support the gain.
import {
  accuracy,
  axisKey,
  axisWords,
  type Configuration,
  counted,
  devicePeakBytes,
  epochMeasure,
  formatPercent,
  type Interval,
  intervalOf,
  type Measure,
  methodName,
  scopeName,
  significant,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { bestCoveredSetting } from '../../model/view.js'
import { amountAxis, axisNote } from './axes.js'
import { type Figure, lookOf, methodDots, methodsIn, MUTED, type Panel } from './figure.js'
import { peakMeasure } from './points.js'

interface Spot {
  readonly method: Configuration['method']
  readonly name: string
  readonly cost: number
  readonly accuracy: number
  readonly interval: Interval
  readonly n: number
}

/** More spots than this have no intervals drawn: they would hide each other. */
const MOST_INTERVALS = 40

export const pareto: Figure = {
  id: 'pareto',
  title: 'What accuracy costs',
  draw: ({ inScope, scope }) => {
    const judged = inScope.filter((item) => summaryOf(item, accuracy) !== undefined)
    // More labels make a student more accurate at no cost that the axes show.
    const [common] = bestCoveredSetting(judged)
    const labels = ({ trial }: Configuration) => axisKey(trial, 'labels')
    const shown = judged.filter((item) => labels(item) === labels(common!))
    const share = shown.length < judged.length ? axisWords(common!.trial, 'labels') : undefined
    if (scope === undefined || shown.length === 0) {
      return 'No run that passes the filters has an accuracy: they are cost-only or did not finish.'
    }
    if (shown.length === 1) return 'One configuration has an accuracy: there is nothing to weigh.'
    const memory = peakMeasure(shown)
    const quantities: readonly (readonly [Measure, string, number])[] = [
      [
        memory,
        memory === devicePeakBytes ? 'Peak device memory (MB)' : 'Peak memory over baseline (MB)',
        1e-6,
      ],
      [epochMeasure(...shown), 'Time of an epoch (s)', 1],
    ]
    const drawn = quantities.flatMap(([measure, label, unit]) => {
      const spots = spotsOf(shown, measure, unit)
      return spots.length === 0 ? [] : [{ label, spots, front: supportedFront(spots) }]
    })
    const fronts = drawn.some(({ front }) => front.length > 1)
    return {
      caption:
        `Test accuracy (%, not from zero) against cost; up and left is better. ` +
        (shown.length <= MOST_INTERVALS
          ? 'Bars are 95 % intervals: over seeds and test images, or over test images alone if there is one seed. '
          : '') +
        (fronts
          ? 'The line joins configurations whose gain in accuracy over the one before the intervals support. '
          : 'No configuration is more accurate than the cheapest by more than the intervals allow, so that no front is drawn. ') +
        `${[share, scopeName(scope)].filter(Boolean).join('; ')}; ${counted(shown.length, 'configuration')}, means over their runs.`,
      panels: drawn.map(({ label, spots, front }) => panelOf(label, spots, front)),
      legend: methodsIn(shown),
      columns: ['Configuration', 'Accuracy', ...quantities.map(([, label]) => label)],
      rows: shown.map((item) => [
        spotName(item),
        formatPercent(summaryOf(item, accuracy)!.mean),
        ...quantities.map(([measure, , unit]) => {
          const summary = summaryOf(item, measure)
          return summary === undefined ? '–' : significant(summary.mean * unit)
        }),
      ]),
    }
  },
}

function spotName({ method, trial }: Configuration): string {
  const teacher = trial.teacher === undefined ? '' : `, ${teacherName(trial)}`
  const prototypes = axisWords(trial, 'prototypes')
  return `${methodName(method)}${teacher}, batch ${trial.batch}${prototypes === undefined ? '' : `, ${prototypes}`}`
}

function spotsOf(items: readonly Configuration[], measure: Measure, unit: number): Spot[] {
  return items.flatMap((item): Spot[] => {
    const cost = summaryOf(item, measure)
    const found = summaryOf(item, accuracy)
    if (cost === undefined || found === undefined) return []
    const [low, high] = intervalOf(item, accuracy) ?? [found.mean, found.mean]
    return [
      {
        method: item.method,
        name: spotName(item),
        cost: cost.mean * unit,
        accuracy: found.mean * 100,
        interval: [low * 100, high * 100],
        n: found.n,
      },
    ]
  })
}

/**
 * Returns the Pareto front that the intervals support, starting with the cheapest spot. A further spot joins if its gain
 * in accuracy over the front's previous spot exceeds half the width of the interval of that gain.
 */
export function supportedFront<T extends Pick<Spot, 'cost' | 'accuracy' | 'interval'>>(
  spots: readonly T[],
): T[] {
  const front: T[] = []
  for (const spot of spots.toSorted((a, b) => a.cost - b.cost || b.accuracy - a.accuracy)) {
    const last = front.at(-1)
    if (last === undefined || spot.accuracy - last.accuracy > halfWidth(spot, last))
      front.push(spot)
  }
  return front
}

/** Half the width of the interval of the difference of two independent accuracies. */
function halfWidth(a: Pick<Spot, 'accuracy' | 'interval'>, b: typeof a): number {
  return Math.hypot(a.accuracy - a.interval[0], b.interval[1] - b.accuracy)
}

function panelOf(label: string, spots: readonly Spot[], front: readonly Spot[]): Panel {
  const costs = spots.map(({ cost }) => cost)
  const note = axisNote(costs)
  return {
    title: `Accuracy (%) against ${label.charAt(0).toLowerCase()}${label.slice(1)}`,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.6)),
      marginLeft: 46,
      marginRight: 24,
      insetTop: 10,
      insetBottom: 10,
      x: amountAxis(costs, `${label}${note} →`),
      y: { label: null, grid: true, ticks: 5, domain: range(spots) },
      marks: [
        spots.length > MOST_INTERVALS
          ? undefined
          : methodsIn(spots).map((method) =>
              Plot.ruleX(
                spots.filter((spot) => spot.method === method),
                {
                  x: 'cost',
                  y1: ({ interval }: Spot) => interval[0],
                  y2: ({ interval }: Spot) => interval[1],
                  stroke: lookOf(method).color,
                  strokeOpacity: 0.35,
                  strokeWidth: 2,
                  clip: true,
                },
              ),
            ),
        front.length < 2
          ? undefined
          : Plot.line(front, {
              x: 'cost',
              y: 'accuracy',
              curve: 'step-after',
              stroke: MUTED,
              strokeDasharray: '2 3',
            }),
        methodDots(spots, {
          x: 'cost',
          y: 'accuracy',
          r: spots.length > 100 ? 3 : 4.5,
          fillOpacity: 0.85,
        }),
        Plot.tip(
          spots,
          Plot.pointer({
            x: 'cost',
            y: 'accuracy',
            title: ({ name, cost, accuracy, interval, n }: Spot) =>
              `${name}\n${accuracy.toFixed(2)} % (${interval[0].toFixed(2)} to ${interval[1].toFixed(2)})\n${label} ${significant(cost)}\n${counted(n, 'run')}`,
          }),
        ),
      ],
    }),
  }
}

/** All accuracies, and as much of their intervals as the accuracies span. */
function range(spots: readonly Spot[]): [number, number] {
  const values = spots.map(({ accuracy }) => accuracy)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const room = Math.max(high - low, 0.2)
  return [
    Math.max(low - room, Math.min(...spots.map(({ interval }) => interval[0]))),
    Math.min(high + room, Math.max(...spots.map(({ interval }) => interval[1]))),
  ]
}
