// A panel with one line for each method: points with intervals, and the method's name at the end of the line.
// Crosses below the plot mark the x at which a method did not finish.
import * as Plot from '@observablehq/plot'
import { counted, methodName, ratioRange, significant } from '@embed-kd/records'
import { amountAxis, axisNote } from './axes.js'
import { asIs, endLabels, INK, lookOf, methodDots, methodsIn, MUTED, type Panel } from './figure.js'
import type { Point } from './points.js'

/** A point with its coordinates and interval in the units of a panel. */
export interface Placed extends Point {
  readonly x: number
  readonly y: number
}

export interface Failure {
  readonly x: number
  readonly methods: readonly string[]
  readonly outcome: string
}

export interface Lines {
  readonly title: string
  /** Points of the lines, in ascending order of x. */
  readonly placed: readonly Placed[]
  /** Points whose value holds for every x, drawn as horizontal lines. Their x is only the position of the label. */
  readonly across: readonly Placed[]
  readonly failures: readonly Failure[]
  readonly x: Plot.ScaleOptions
}

export function linePanel({ title, placed, across, failures, x }: Lines): Panel {
  const ends = [
    ...methodsIn(placed).map((method) => placed.findLast((point) => point.method === method)!),
    ...across,
  ]
  const lines = Math.max(0, ...failures.map(({ methods }) => methods.length + 1))
  // Failures stand below the axis of values: they have none.
  const foot = failures.length === 0 ? 0 : 22 + lines * 13
  const shown = [...placed, ...across]
  const [least, most] = ratioRange(
    shown.map(({ y }) => y),
    shown.flatMap(({ low, y, high }) => [low > 0 ? low : y, high]),
  )
  return {
    title: `${title}${axisNote([least, most])}`,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.6)) + foot,
      marginLeft: 50,
      marginRight: 92,
      insetBottom: foot,
      x,
      y: { ...amountAxis([least, most], null), grid: true },
      marks: [
        across.map(({ y, method }) =>
          Plot.ruleY([y], { stroke: lookOf(method).color, strokeDasharray: lookOf(method).dash }),
        ),
        methodsIn(placed).map((method) =>
          Plot.line(
            placed.filter((point) => point.method === method),
            {
              x: 'x',
              y: 'y',
              stroke: lookOf(method).color,
              strokeDasharray: lookOf(method).dash,
              strokeWidth: 1.5,
            },
          ),
        ),
        Plot.ruleX(placed, {
          x: 'x',
          y1: ({ low }: Placed) => Math.max(low, least),
          y2: ({ high }: Placed) => Math.min(high, most),
          stroke: asIs(({ method }: Placed) => lookOf(method).color),
          strokeWidth: 2,
        }),
        methodDots(placed, { x: 'x', y: 'y', r: 4 }),
        Plot.dot(failures, {
          x: 'x',
          frameAnchor: 'bottom',
          dy: -foot + 16,
          r: 4,
          symbol: 'times',
          stroke: 'var(--bad)',
          strokeWidth: 2,
        }),
        Plot.text(failures, {
          x: 'x',
          frameAnchor: 'bottom',
          lineAnchor: 'top',
          dy: -foot + 24,
          text: ({ methods, outcome }: Failure) => [...methods, outcome].join('\n'),
          fill: MUTED,
          fontSize: 11,
        }),
        endLabels(ends),
        Plot.tip(
          placed,
          Plot.pointer({
            x: 'x',
            y: 'y',
            title: ({ method, teacher, configuration, y, n }: Placed) =>
              `${methodName(method)}, ${teacher}\nbatch ${configuration.trial.batch}\n${title}: ${significant(y)}\n${counted(n, 'run')}`,
            fill: 'var(--paper)',
            stroke: INK,
          }),
        ),
      ],
    }),
  }
}
