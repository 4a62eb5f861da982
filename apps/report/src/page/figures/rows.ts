// Figures made of rows: groups with a heading, a row for each item, and one value to a row. Items without a value say
// why in its place.
import * as Plot from '@observablehq/plot'
import { type Method, methodName } from '@embed-kd/records'
import { amountAxis, isLogarithmic, tickLabel } from './axes.js'
import { asIs, INK, lookOf, methodDots, MUTED, type Panel, RULE, shorten } from './figure.js'

export interface Item {
  readonly method: Method
  /** Absent if the item has no value. */
  readonly bar?: { readonly value: number; readonly low: number; readonly high: number }
  /** Shown at the value, or alone if there is none. */
  readonly text: string
}

export interface Group {
  readonly name: string
  readonly items: readonly Item[]
}

interface Row extends Item {
  readonly key: string
}

interface Valued {
  readonly key: string
  readonly method: Method
  readonly text: string
  readonly value: number
  readonly low: number
  readonly high: number
}

const ROW = 19
const LABELS = 84

/**
 * Draws one quantity over all rows: as bars from zero or, if the values span too much for bars, as dots on a logarithmic
 * axis; or as dots on a linear axis that fits them or reaches as far as given.
 */
export function rowsPanel(
  title: string,
  groups: readonly Group[],
  kind: 'bars' | 'dots',
  reach?: readonly [number, number],
): Panel {
  const values = groups.flatMap(({ items }) => items.flatMap(({ bar }) => bar?.value ?? []))
  const log = kind === 'bars' && isLogarithmic(values) && spans(values, BAR_SPAN)
  const marks = log ? 'dots' : kind
  const plot = (groups: readonly Group[], leads: boolean, width: number): Plot.PlotOptions => {
    const headings = groups.map(({ name }) => ({ key: name, name }))
    const rows = groups.flatMap(({ name, items }) =>
      items.map((item): Row => ({ ...item, key: `${name}\n${item.method}` })),
    )
    const valued = rows.flatMap(({ bar, key, method, text }): Valued[] =>
      bar === undefined ? [] : [{ key, method, text, ...bar }],
    )
    const bare = rows.filter(({ bar }) => bar === undefined)
    const keys = groups.flatMap(({ name, items }) => [
      name,
      ...items.map(({ method }) => `${name}\n${method}`),
      `${name} end`,
    ])
    // Intervals may be far wider than the values: what they say beyond this is not drawn.
    const most = Math.max(...valued.map(({ value }) => value))
    const least = Math.min(...valued.map(({ value }) => value))
    const span = marks === 'bars' ? most * 0.4 : Math.max((most - least) * 2, most * 0.02)
    const high = log
      ? most * 1.5
      : Math.min(most + span, Math.max(...valued.map((item) => item.high)))
    const low = log
      ? least / 1.5
      : Math.max(least - span, Math.min(...valued.map((item) => item.low)))
    const drawn = valued.map((item) => ({
      ...item,
      low: Math.max(item.low, low),
      high: Math.min(item.high, high),
    }))
    const room = (high - low) * 0.12 || 1
    return {
      height: 50 + keys.length * ROW - groups.length * ROW * 0.5,
      marginTop: 4,
      marginLeft: leads ? LABELS : 8,
      marginRight: 62,
      x: log
        ? { ...amountAxis(values, null, width - (leads ? LABELS : 8) - 62), grid: true }
        : {
            label: null,
            ticks: 4,
            tickFormat: tickLabel,
            grid: true,
            domain: reach ?? (marks === 'bars' ? [0, high] : [low - room, high + room]),
          },
      y: { type: 'band', domain: keys, axis: null, padding: 0.14 },
      marks: [
        Plot.ruleY(headings, { y: 'key', stroke: RULE, dy: ROW / 2 }),
        // Panels to the right share the headings: a long name would run into its neighbour.
        leads
          ? Plot.text(headings, {
              y: 'key',
              text: ({ name }: { name: string }) => shorten(name, Math.floor(width / 7.2)),
              frameAnchor: 'left',
              textAnchor: 'start',
              dx: -LABELS,
              fill: INK,
              fontWeight: 600,
              stroke: 'var(--paper)',
              strokeWidth: 4,
            })
          : undefined,
        leads
          ? Plot.text(rows, {
              y: 'key',
              text: ({ method }: Row) => methodName(method),
              frameAnchor: 'left',
              textAnchor: 'end',
              dx: -8,
              fill: asIs(({ method }: Row) => lookOf(method).color),
            })
          : undefined,
        marks === 'bars'
          ? Plot.barX(drawn, {
              y: 'key',
              x: 'value',
              fill: asIs(({ method }: Valued) => lookOf(method).color),
            })
          : undefined,
        Plot.ruleY(drawn, {
          y: 'key',
          x1: 'low',
          x2: 'high',
          stroke: marks === 'bars' ? INK : asIs(({ method }: Valued) => lookOf(method).color),
          strokeWidth: marks === 'bars' ? 1.25 : 2,
        }),
        marks === 'dots' ? methodDots(drawn, { y: 'key', x: 'value', r: 4 }) : undefined,
        Plot.text(drawn, {
          y: 'key',
          x: marks === 'bars' ? 'high' : undefined,
          frameAnchor: marks === 'bars' ? undefined : 'right',
          text: 'text',
          textAnchor: 'start',
          dx: marks === 'bars' ? 6 : 10,
          fill: INK,
        } as Plot.TextOptions),
        Plot.text(bare, {
          y: 'key',
          text: 'text',
          frameAnchor: 'left',
          textAnchor: 'start',
          dx: 4,
          fill: MUTED,
          fontStyle: 'italic',
        }),
      ],
    }
  }
  return {
    title: log ? `${title}, logarithmic` : title,
    plot: (width, leads) => plot(groups, leads, width),
  }
}

/** Bars of a linear axis cannot be told from nothing beyond this span. */
const BAR_SPAN = 30

function spans(values: readonly number[], factor: number): boolean {
  return Math.max(...values) > factor * Math.min(...values)
}
