// Figures made of rows: groups with a heading, a row for each item, and one value to a row. Items that have no value
// say why in its place, so that a failure is seen where it happened.
import * as Plot from '@observablehq/plot'
import { type Method, methodName } from '@embed-kd/records'
import { tickLabel } from './axes.js'
import { asIs, INK, LOOKS, methodDots, MUTED, type Panel, RULE } from './figure.js'

export interface Item {
  readonly method: Method
  /** Absent where there is none to show. */
  readonly bar?: { readonly value: number; readonly low: number; readonly high: number }
  /** Shown at the value, or alone where there is none. */
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

/** One quantity over all rows, as bars from zero or as dots on an axis that fits them or reaches as far as given. */
export function rowsPanel(
  title: string,
  groups: readonly Group[],
  marks: 'bars' | 'dots',
  reach?: readonly [number, number],
): Panel {
  const plot = (groups: readonly Group[], leads: boolean): Plot.PlotOptions => {
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
    const high = Math.min(most + span, Math.max(...valued.map((item) => item.high)))
    const low = Math.max(least - span, Math.min(...valued.map((item) => item.low)))
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
      x: {
        label: null,
        ticks: 4,
        tickFormat: tickLabel,
        grid: true,
        domain: reach ?? (marks === 'bars' ? [0, high] : [low - room, high + room]),
      },
      y: { type: 'band', domain: keys, axis: null, padding: 0.14 },
      marks: [
        Plot.ruleY(headings, { y: 'key', stroke: RULE, dy: ROW / 2 }),
        Plot.text(headings, {
          y: 'key',
          text: 'name',
          frameAnchor: 'left',
          textAnchor: 'start',
          dx: leads ? -LABELS : 0,
          fill: INK,
          fontWeight: 600,
          stroke: 'var(--paper)',
          strokeWidth: 4,
        }),
        leads
          ? Plot.text(rows, {
              y: 'key',
              text: ({ method }: Row) => methodName(method),
              frameAnchor: 'left',
              textAnchor: 'end',
              dx: -8,
              fill: asIs(({ method }: Row) => LOOKS[method].color),
            })
          : undefined,
        marks === 'bars'
          ? Plot.barX(drawn, {
              y: 'key',
              x: 'value',
              fill: asIs(({ method }: Valued) => LOOKS[method].color),
            })
          : undefined,
        Plot.ruleY(drawn, {
          y: 'key',
          x1: 'low',
          x2: 'high',
          stroke: marks === 'bars' ? INK : asIs(({ method }: Valued) => LOOKS[method].color),
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
    title,
    // A panel that stands alone need not keep the rows of its neighbours: groups without any value can go.
    plot: (_width, leads) =>
      plot(leads ? groups.filter(({ items }) => items.some(({ bar }) => bar)) : groups, leads),
  }
}
