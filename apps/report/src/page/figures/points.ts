// Configurations as points of a figure: their mean in a measure, its interval, and the lines that join them.
import * as Plot from '@observablehq/plot'
import { type Configuration, teacherName } from '../../model/corpus.js'
import { counted, methodName, significant } from '../../model/format.js'
import {
  devicePeakBytes,
  finished,
  hostPeakBytes,
  intervalOf,
  type Measure,
  summaryOf,
} from '../../model/measures.js'
import { asIs, methodDots, endLabels, LOOKS, METHOD_ORDER, type Panel } from './figure.js'

export interface Point {
  readonly configuration: Configuration
  readonly method: Configuration['method']
  readonly teacher: string
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
}

export function pointOf(configuration: Configuration, measure: Measure): Point[] {
  const summary = summaryOf(configuration, measure)
  if (summary === undefined) return []
  const [low, high] = intervalOf(configuration, measure) ?? [summary.mean, summary.mean]
  const { method, trial } = configuration
  return [
    {
      configuration,
      method,
      teacher: teacherName(trial),
      value: summary.mean,
      low: Math.max(low, 0),
      high,
      n: summary.n,
    },
  ]
}

/** Device memory where all have it, else host memory: never both in one panel. */
export function peakMeasure(configurations: readonly Configuration[]): Measure {
  const measured = configurations.filter((item) => finished(item).length > 0)
  return measured.length > 0 && measured.every((item) => summaryOf(item, devicePeakBytes))
    ? devicePeakBytes
    : hostPeakBytes
}

export function describeRuns(points: readonly Point[]): string {
  const counts = [...new Set(points.map(({ n }) => n))].sort((a, b) => a - b)
  if (counts.length === 0) return ''
  const runs =
    counts.length === 1 ? counted(counts[0]!, 'run') : `${counts[0]}–${counts.at(-1)} runs`
  return counts[0] === 1 && counts.length === 1
    ? 'One run a configuration; where bars are drawn they are intervals over its steps.'
    : `Means over ${runs} with 95 % intervals.`
}

/** Names of the teachers with most parameters, small ones first. */
export function largestTeachers(items: readonly Configuration[], most: number): string[] {
  const sizes = new Map<string, number>()
  for (const { trial } of items) {
    if (trial.teacher !== undefined) sizes.set(trial.teacher.name, trial.teacher.parameterCount)
  }
  return [...sizes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([name]) => name)
    .reverse()
}

/** A point with its place on the axes of a panel. */
export interface Placed extends Point {
  readonly x: number
  readonly y: number
}

/** A run that did not finish, where it happened. */
export interface Failure {
  readonly method: Configuration['method']
  readonly x: number
  readonly y: number
  readonly status: string
}

/** Lines of methods with points, intervals, names at their ends, and failures at the foot. */
export function linePanel(
  title: string,
  placed: readonly Placed[],
  ends: readonly { method: Configuration['method']; x: number; y: number }[],
  across: readonly Point[],
  unit: number,
  x: Plot.ScaleOptions,
  failures: readonly Failure[] = [],
): Panel {
  return {
    title,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.6)),
      marginLeft: 50,
      marginRight: 92,
      x,
      y: {
        type: 'log',
        label: null,
        grid: true,
        ticks: 5,
        tickFormat: (y: number) => significant(y, 2),
      },
      marks: [
        across.map((point) =>
          Plot.ruleY([point], {
            y: ({ value }: Point) => value * unit,
            stroke: LOOKS[point.method].color,
            strokeDasharray: LOOKS[point.method].dash,
          }),
        ),
        METHOD_ORDER.map((method) =>
          Plot.line(
            placed.filter((point) => point.method === method),
            { x: 'x', y: 'y', stroke: LOOKS[method].color, strokeDasharray: LOOKS[method].dash },
          ),
        ),
        Plot.ruleX(placed, {
          x: 'x',
          y1: ({ low }: Placed) => Math.max(low, 1e-12) * unit,
          y2: ({ high }: Placed) => high * unit,
          stroke: asIs(({ method }: Placed) => LOOKS[method].color),
          strokeWidth: 2,
        }),
        methodDots(placed, {
          x: 'x',
          y: 'y',
          r: 4,
        }),
        Plot.dot(failures, {
          x: 'x',
          y: 'y',
          r: 5,
          symbol: 'times',
          strokeWidth: 2,
          stroke: asIs(({ method }: Failure) => LOOKS[method].color),
        }),
        Plot.text(failures, {
          x: 'x',
          y: 'y',
          dy: failures.length > 0 ? -12 : 0,
          text: ({ method, status }: Failure) => `${methodName(method)}: ${status}`,
          fill: asIs(({ method }: Failure) => LOOKS[method].color),
        }),
        endLabels(ends),
        Plot.tip(
          placed,
          Plot.pointer({
            x: 'x',
            y: 'y',
            title: ({ method, teacher, configuration, y, n }: Placed) =>
              `${methodName(method)}, ${teacher}\nbatch ${configuration.trial.batch}\n${title}: ${significant(y)}\n${counted(n, 'run')}`,
          }),
        ),
      ],
    }),
  }
}
