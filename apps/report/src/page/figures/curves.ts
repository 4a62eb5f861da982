// Loss and accuracy while training, one line a method over the mean of its seeds, with a band from lowest to highest.
import * as Plot from '@observablehq/plot'
import {
  type BenchRecord,
  type Configuration,
  counted,
  finished,
  isSummary,
  methodName,
  significant,
} from '@embed-kd/records'
import { bestCoveredSetting, plainVariants, settingWords } from '../../model/view.js'
import { amountAxis, tickLabel } from './axes.js'
import {
  asIs,
  endLabels,
  type Figure,
  lookOf,
  methodDots,
  methodsIn,
  type Panel,
} from './figure.js'

/** One place on the horizontal axis, with the values of all seeds there. */
export interface BandPoint {
  readonly method: Configuration['method']
  readonly x: number
  readonly y: number
  readonly low: number
  readonly high: number
  readonly n: number
}

/** Number of parameters of the teacher, as far as known. */
const sizeOf = ({ trial }: Configuration): number => trial.teacher?.parameterCount ?? 0

type Series = readonly (readonly [x: number, y: number])[]

export const curves: Figure = {
  id: 'curves',
  title: 'Loss and accuracy while training',
  draw: ({ inScope, scope }) => {
    const having = inScope.filter((item) => finished(item).some(hasLoss))
    if (scope === undefined || having.length === 0) {
      return inScope.some(({ runs }) => runs.some(isSummary))
        ? 'Trials are summaries here, which have no curves.'
        : 'No run that passes the filters was trained for accuracy and kept its curves.'
    }
    const trained = having.filter((item) => finished(item).some(hasAccuracy))
    const candidates = trained.length > 0 ? trained : having
    const setting = plainVariants(bestCoveredSetting(candidates))
    const teacher = setting
      .filter(({ trial }) => trial.teacher !== undefined)
      .sort((a, b) => sizeOf(a) - sizeOf(b))
      .at(-1)?.trial.teacher?.name
    const shown = setting.filter(
      ({ trial }) => trial.teacher === undefined || trial.teacher.name === teacher,
    )
    const loss = shown.flatMap((item) => band(item, ({ curves }) => binned(curves?.loss ?? [])))
    const reached = shown.flatMap((item) => band(item, accuracySeries))
    const neighbours = shown.flatMap((item) => band(item, knnSeries))
    const seeds = Math.max(...shown.map((item) => finished(item).length))
    return {
      caption:
        `Teacher ${teacher ?? 'none'}; ${settingWords(setting[0]!, inScope)}. ` +
        `Lines are means over ${counted(seeds, 'seed')}${seeds > 1 ? ', bands reach from the lowest to the highest' : ''}. ` +
        `The loss is averaged over stretches of steps; losses of different methods have different terms and are not to be compared in height.`,
      panels: [
        lossPanel(loss),
        ...(reached.length === 0 ? [] : [curvePanel('Test accuracy (%)', 'epoch →', reached)]),
        ...(neighbours.length === 0
          ? []
          : [curvePanel('k-NN accuracy (%)', 'epoch →', neighbours)]),
      ],
      legend: [],
      columns: ['Method', 'Teacher', 'Epoch', 'Test accuracy (%)', 'Lowest', 'Highest'],
      rows: reached.map(({ method, x, y, low, high }) => [
        methodName(method),
        shown.find((item) => item.method === method)?.trial.teacher?.name ?? '–',
        String(x),
        y.toFixed(2),
        low.toFixed(2),
        high.toFixed(2),
      ]),
    }
  },
}

// The curves of a record are parsed when they are read, so that asking for one that will not be shown costs time.
function hasLoss(record: BenchRecord): boolean {
  return !record.costOnly && 'curves' in record
}

function hasAccuracy({ accuracy, costOnly }: BenchRecord): boolean {
  return !costOnly && accuracy !== undefined
}

export function accuracySeries({ curves, costOnly }: BenchRecord): Series {
  if (costOnly) return []
  return (curves?.epochs ?? []).flatMap(({ epoch, testAccuracy }) =>
    testAccuracy === undefined ? [] : [[epoch, testAccuracy * 100] as const],
  )
}

/** Accuracy of k nearest neighbours by epoch, on held-out images or on the test images. */
function knnSeries({ curves }: BenchRecord): Series {
  return (curves?.epochs ?? []).flatMap(({ epoch, knnAccuracy }) =>
    knnAccuracy === undefined ? [] : [[epoch, knnAccuracy * 100] as const],
  )
}

const MOST_POINTS = 80

/** Means over equal stretches, so that a long curve keeps its course and loses its noise. */
export function binned(series: Series): Series {
  const width = Math.ceil(series.length / MOST_POINTS)
  if (width <= 1) return series
  const means: [number, number][] = []
  for (let at = 0; at < series.length; at += width) {
    const part = series.slice(at, at + width)
    const mean = part.reduce((sum, [, y]) => sum + y, 0) / part.length
    means.push([part.at(-1)![0], mean])
  }
  return means
}

function band(item: Configuration, series: (record: BenchRecord) => Series): BandPoint[] {
  const columns = new Map<number, number[]>()
  for (const record of finished(item)) {
    for (const [x, y] of series(record)) {
      const column = columns.get(x)
      if (column === undefined) columns.set(x, [y])
      else column.push(y)
    }
  }
  // A run may end before the others; a mean over fewer seeds is another mean.
  const most = Math.max(0, ...Array.from(columns.values(), ({ length }) => length))
  const whole = [...columns].filter(([, { length }]) => length === most)
  return Array.from(whole, ([x, ys]) => ({
    method: item.method,
    x,
    y: ys.reduce((sum, y) => sum + y, 0) / ys.length,
    low: Math.min(...ys),
    high: Math.max(...ys),
    n: ys.length,
  })).sort((a, b) => a.x - b.x)
}

/** A single epoch has no line: a dot for each method, with its range over seeds. */
function onePlace(points: readonly BandPoint[]): Plot.Markish[] {
  return [
    Plot.ruleX(points, {
      x: 'x',
      y1: 'low',
      y2: 'high',
      strokeWidth: 2,
      stroke: asIs(({ method }: BandPoint) => lookOf(method).color),
    }),
    ...methodDots(points, { x: 'x', y: 'y', r: 4.5 }),
  ]
}

/** At least a point of room, so that chance alone does not look like a difference. */
function aroundOnePlace(points: readonly BandPoint[]): [number, number] {
  return [
    Math.min(...points.map(({ low }) => low)) - 0.5,
    Math.max(...points.map(({ high }) => high)) + 0.5,
  ]
}

/** Losses of different methods may lie a hundredfold apart; a logarithmic axis then shows each of them fall. */
function lossPanel(points: readonly BandPoint[]): Panel {
  const [low, high] = [
    Math.min(...points.map(({ low }) => low)),
    Math.max(...points.map(({ high }) => high)),
  ]
  return low > 0 && high > 10 * low
    ? curvePanel(
        'Training loss, logarithmic',
        'optimizer step →',
        points,
        amountAxis([low, high], null),
      )
    : curvePanel('Training loss', 'optimizer step →', points)
}

export function curvePanel(
  title: string,
  label: string,
  points: readonly BandPoint[],
  y: Plot.ScaleOptions = {},
): Panel {
  const ends = methodsIn(points).map((method) =>
    points.findLast((point) => point.method === method)!,
  )
  const places = new Set(points.map(({ x }) => x)).size
  return {
    title,
    plot: (width) => ({
      height: Math.min(320, Math.max(240, width * 0.55)),
      marginLeft: 46,
      marginRight: 92,
      x: {
        label,
        ticks: places === 1 ? [points[0]!.x] : Math.min(6, places),
        tickFormat: tickLabel,
        ...(places === 1 && { domain: [points[0]!.x - 1, points[0]!.x + 1] }),
      },
      y: {
        label: null,
        grid: true,
        ticks: 5,
        ...(places === 1 && { domain: aroundOnePlace(points) }),
        ...y,
      },
      marks: [
        methodsIn(points).map((method) => {
          const mine = points.filter((point) => point.method === method)
          if (places === 1) return onePlace(mine)
          const { color, dash } = lookOf(method)
          return [
            Plot.areaY(mine, { x: 'x', y1: 'low', y2: 'high', fill: color, fillOpacity: 0.15 }),
            Plot.line(mine, {
              x: 'x',
              y: 'y',
              stroke: color,
              strokeDasharray: dash,
              strokeWidth: 2,
            }),
          ]
        }),
        endLabels(ends),
        Plot.tip(
          points,
          Plot.pointer({
            x: 'x',
            y: 'y',
            title: ({ method, x, y, n }: BandPoint) =>
              `${methodName(method)}\n${label.replace(' →', '')} ${significant(x, 6)}: ${significant(y, 4)}\n${counted(n, 'seed')}`,
          }),
        ),
      ],
    }),
  }
}
