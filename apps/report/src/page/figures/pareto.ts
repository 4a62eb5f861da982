// What accuracy costs: accuracy against memory and against time, with the configurations that nothing else beats.
import * as Plot from '@observablehq/plot'
import {
  accuracy,
  type Configuration,
  counted,
  devicePeakBytes,
  epochMeasure,
  formatPercent,
  type Measure,
  methodName,
  scopeName,
  significant,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { amountAxis } from './axes.js'
import { methodDots, type Figure, methodsIn, MUTED, type Panel } from './figure.js'
import { peakMeasure } from './points.js'

interface Spot {
  readonly method: Configuration['method']
  readonly name: string
  readonly cost: number
  readonly accuracy: number
  readonly n: number
}

export const pareto: Figure = {
  id: 'pareto',
  title: 'What accuracy costs',
  draw: ({ inScope, scope }) => {
    const shown = inScope.filter((item) => summaryOf(item, accuracy) !== undefined)
    if (scope === undefined || shown.length === 0) {
      return 'No run that passes the filters has an accuracy: they are cost-only or did not finish.'
    }
    const memory = peakMeasure(shown)
    const panels: [Measure, string, number][] = [
      [
        memory,
        memory === devicePeakBytes
          ? 'Peak device memory (MB) →'
          : 'Peak memory over baseline (MB) →',
        1e-6,
      ],
      [epochMeasure(...shown), 'Time of an epoch (s) →', 1],
    ]
    return {
      caption:
        `Test accuracy (%, vertical, not from zero) against cost (logarithmic); up and left is better. ` +
        `The line joins the configurations that no other beats in both. ${scopeName(scope)}; ${counted(shown.length, 'configuration')}, means over their runs.`,
      panels: panels.flatMap(([measure, label, unit]) => {
        const spots = spotsOf(shown, measure, unit)
        return spots.length === 0 ? [] : [panelOf(label, spots)]
      }),
      legend: methodsIn(shown),
      columns: ['Configuration', 'Accuracy', ...panels.map(([, label]) => label.replace(' →', ''))],
      rows: shown.map((item) => [
        spotName(item),
        formatPercent(summaryOf(item, accuracy)!.mean),
        ...panels.map(([measure, , unit]) => {
          const summary = summaryOf(item, measure)
          return summary === undefined ? '–' : significant(summary.mean * unit)
        }),
      ]),
    }
  },
}

function spotName({ method, trial }: Configuration): string {
  const teacher = trial.teacher === undefined ? '' : `, ${teacherName(trial)}`
  return `${methodName(method)}${teacher}, batch ${trial.batch}`
}

function spotsOf(items: readonly Configuration[], measure: Measure, unit: number): Spot[] {
  return items.flatMap((item) => {
    const cost = summaryOf(item, measure)
    const found = summaryOf(item, accuracy)
    if (cost === undefined || found === undefined) return []
    return [
      {
        method: item.method,
        name: spotName(item),
        cost: cost.mean * unit,
        accuracy: found.mean * 100,
        n: found.n,
      },
    ]
  })
}

/** The spots that no other beats in both cost and accuracy, cheapest first. */
export function paretoFront<T extends { cost: number; accuracy: number }>(
  spots: readonly T[],
): T[] {
  const front: T[] = []
  for (const spot of spots.toSorted((a, b) => a.cost - b.cost || b.accuracy - a.accuracy)) {
    if (spot.accuracy > (front.at(-1)?.accuracy ?? -1)) front.push(spot)
  }
  return front
}

function panelOf(label: string, spots: readonly Spot[]): Panel {
  const front = paretoFront(spots)
  return {
    title: `Accuracy (%) against ${label.charAt(0).toLowerCase()}${label.slice(1).replace(' →', '')}`,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.6)),
      marginLeft: 46,
      marginRight: 24,
      insetTop: 10,
      insetBottom: 10,
      x: amountAxis(
        spots.map(({ cost }) => cost),
        label,
      ),
      y: { label: null, grid: true, ticks: 5 },
      marks: [
        Plot.line(front, {
          x: 'cost',
          y: 'accuracy',
          curve: 'step-after',
          stroke: MUTED,
          strokeDasharray: '2 3',
        }),
        methodDots(spots, {
          x: 'cost',
          y: 'accuracy',
          r: 4.5,
        }),
        Plot.tip(
          spots,
          Plot.pointer({
            x: 'cost',
            y: 'accuracy',
            title: ({ name, cost, accuracy, n }: Spot) =>
              `${name}\n${accuracy.toFixed(2)} %\n${significant(cost)}, ${label.replace(' →', '')}\n${counted(n, 'run')}`,
          }),
        ),
      ],
    }),
  }
}
