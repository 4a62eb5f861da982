// A forest plot: one row a setting or a group of settings, and a panel for each quantity with dots and bars on one axis.
import * as Plot from '@observablehq/plot'
import { ratioRange } from '@embed-kd/records'
import { ratioAxis, tickLabel } from './axes.js'
import { INK, MUTED, type Panel, RULE, shorten } from './figure.js'

export interface ForestRow {
  readonly key: string
  readonly label: string
  /** Words that tell the row from others of the same label, on a second line. */
  readonly detail: string
}

export interface ForestMark {
  readonly value: number
  readonly low: number
  readonly high: number
  readonly text: string
}

export interface ForestPanel {
  readonly title: string
  readonly share: number
  readonly scale: 'ratio' | 'points'
  readonly paper: number
  readonly paperText: string
  /** Mark of a row, or why it has none. */
  readonly markOf: (row: ForestRow) => ForestMark | string
  /** A second, hollow mark: what the graph predicts. */
  readonly expectedOf?: (row: ForestRow) => number | undefined
}

const ROW = 24
const TALL_ROW = 34
/** Width of a character at 12 px, on average. */
const CHARACTER = 6.4

export function forestPanel(given: ForestPanel, rows: readonly ForestRow[]): Panel {
  return {
    title: given.title,
    share: given.share,
    plot: (width, leads) => {
      // A panel that stands alone need not keep the rows of its neighbours.
      const alone = leads && given.share === 1
      const own = alone ? rows.filter((row) => typeof given.markOf(row) !== 'string') : rows
      return plotOf(given, own, width, leads)
    },
  }
}

type Placed = ForestMark & { readonly key: string }

function plotOf(
  { scale, paper, paperText, markOf, expectedOf }: ForestPanel,
  rows: readonly ForestRow[],
  width: number,
  leads: boolean,
): Plot.PlotOptions {
  const neutral = scale === 'ratio' ? 1 : 0
  const points: Placed[] = []
  const absent: { key: string; text: string }[] = []
  for (const row of rows) {
    const mark = markOf(row)
    if (typeof mark === 'string') absent.push({ key: row.key, text: mark })
    else points.push({ ...mark, key: row.key })
  }
  const expected = rows.flatMap((row) => {
    const value = expectedOf?.(row)
    return value === undefined ? [] : [{ key: row.key, value }]
  })
  const values = [
    neutral,
    paper,
    ...points.map(({ value }) => value),
    ...expected.map(({ value }) => value),
  ]
  const bounds = points.flatMap(({ low, high }) => [low, high])
  const [low, high] = scale === 'ratio' ? ratioRange(values, bounds) : pointsRange(values, bounds)
  const drawn = points.map((point) => ({
    ...point,
    low: Math.max(low, point.low),
    high: Math.min(high, point.high),
  }))
  const tall = rows.some(({ detail }) => detail !== '')
  const height = tall ? TALL_ROW : ROW
  const longest = Math.max(
    0,
    ...rows.flatMap(({ label, detail }) => [label.length, detail.length * 0.9]),
  )
  const margin = Math.min(longest * CHARACTER + 14, width * 0.6)
  const room = Math.floor((margin - 12) / CHARACTER)
  return {
    height: 62 + rows.length * height,
    marginLeft: leads ? margin : 10,
    marginRight: 60,
    x:
      scale === 'ratio'
        ? {
            ...ratioAxis([low, high], null, width - (leads ? margin : 10) - 60),
            tickFormat: (value: number) => `${tickLabel(value)}×`,
          }
        : {
            domain: [low, high],
            ticks: 4,
            label: null,
            tickFormat: (value: number) => tickLabel(value).replace('-', '−'),
          },
    y: { type: 'point', domain: rows.map(({ key }) => key), axis: null, padding: 0.6 },
    marks: [
      Plot.ruleY(rows, { y: 'key', stroke: RULE, strokeWidth: 0.75 }),
      Plot.ruleX([neutral], { stroke: INK, strokeOpacity: 0.5 }),
      Plot.ruleX([paper], { stroke: MUTED, strokeDasharray: '3 3' }),
      Plot.text([paper], {
        x: (value: number) => value,
        text: () => paperText,
        frameAnchor: 'top',
        dy: -12,
        fill: MUTED,
      }),
      leads ? labels(rows, room, tall) : undefined,
      Plot.dot(expected, {
        x: 'value',
        y: 'key',
        r: 4,
        stroke: 'var(--embed-kd)',
        fill: 'var(--paper)',
      }),
      Plot.ruleY(drawn, {
        x1: 'low',
        x2: 'high',
        y: 'key',
        stroke: 'var(--embed-kd)',
        strokeWidth: 2,
      }),
      Plot.dot(drawn, { x: 'value', y: 'key', r: 4.5, fill: 'var(--embed-kd)' }),
      Plot.text(drawn, {
        y: 'key',
        text: 'text',
        frameAnchor: 'right',
        textAnchor: 'start',
        dx: 8,
        fontWeight: 600,
        fill: INK,
      }),
      Plot.text(absent, {
        y: 'key',
        x: () => neutral,
        text: 'text',
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

function labels(rows: readonly ForestRow[], room: number, tall: boolean): Plot.Markish {
  const common = { y: 'key', frameAnchor: 'left', textAnchor: 'end', dx: -10 } as const
  return [
    Plot.text(rows, {
      ...common,
      text: ({ label }: ForestRow) => shorten(label, room),
      dy: tall ? -6 : 0,
      fill: INK,
    }),
    Plot.text(
      rows.filter(({ detail }) => detail !== ''),
      {
        ...common,
        text: ({ detail }: ForestRow) => shorten(detail, Math.ceil(room / 0.9)),
        dy: 7,
        fontSize: 10.5,
        fill: MUTED,
      },
    ),
  ]
}

/** Values in points, with as much of the intervals as three times their span. */
function pointsRange(values: readonly number[], bounds: readonly number[]): [number, number] {
  const low = Math.min(...values)
  const high = Math.max(...values)
  const room = Math.max(high - low, 0.1)
  return [
    Math.max(low - room, Math.min(low, ...bounds)) - room * 0.05,
    Math.min(high + room, Math.max(high, ...bounds)) + room * 0.05,
  ]
}
