// What every figure shares: its form, the look of the methods, and the frame that draws it at its width.
import * as Plot from '@observablehq/plot'
import type { Method as BuiltInMethod } from '@embed-kd/core'
import { compareText, METHODS, type Method, methodName } from '@embed-kd/records'
import type { View } from '../../model/view.js'

export interface Figure {
  readonly id: string
  readonly title: string
  /** Returns the drawing of a view, or a sentence that says why there is none. */
  readonly draw: (view: View) => Drawing | string
}

export interface Drawing {
  /** Plotted quantities, with units and numbers of runs. */
  readonly caption: string
  readonly panels: readonly Panel[]
  /** Methods named in the legend; empty if marks are labelled directly. */
  readonly legend: readonly Method[]
  /** The same figures as text. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface Panel {
  readonly title: string
  /** Width beside the other panels of the figure; 1 if not given. */
  readonly share?: number
  /** `leads` is true if no panel stands to the left, so that this one names the rows. */
  readonly plot: (width: number, leads: boolean) => Plot.PlotOptions
}

interface Look {
  readonly color: string
  readonly symbol: Plot.SymbolType
  readonly dash: string
}

// Colours are CSS variables (style.css), so that light, dark and print need no redrawing; symbol and dash say the same
// again for those who do not see the colour.
// More colours than these could not be told apart: the other methods differ in symbol and dash above all.
const LOOKS: Readonly<Partial<Record<BuiltInMethod, Look>>> = {
  'embed-kd': { color: 'var(--embed-kd)', symbol: 'circle', dash: 'none' },
  'teacher-kd': { color: 'var(--teacher-kd)', symbol: 'triangle', dash: '7 3' },
  'cached-kd': { color: 'var(--cached-kd)', symbol: 'diamond', dash: '2 3' },
  'cosine-kd': { color: 'var(--cosine-kd)', symbol: 'star', dash: '1 4' },
  'logit-kd': { color: 'var(--logit-kd)', symbol: 'square', dash: '9 3 2 3' },
  supervised: { color: 'var(--supervised)', symbol: 'cross', dash: '4 4' },
}
/** Built-in methods in the order of figures and tables. */
const METHOD_ORDER: readonly Method[] = [...new Set([...Object.keys(LOOKS), ...METHODS])]

/** Returns the place of a method in figures and tables: built-in methods come first, others by their names. */
export function compareMethods(a: Method, b: Method): number {
  const place = (method: Method) =>
    METHOD_ORDER.includes(method) ? METHOD_ORDER.indexOf(method) : METHOD_ORDER.length
  return place(a) - place(b) || compareText(a, b)
}

// Symbols that have an area: dots are filled, and an asterisk would not be seen.
const OTHER_SYMBOLS: readonly Plot.SymbolType[] = ['wye', 'hexagon', 'diamond2']
const OTHER_DASHES = ['1 3', '5 2 1 2', '8 2', '3 2', '6 2 2 2 2 2']

/** Returns the look of a method. If it has none of its own, the look follows from its name. */
export function lookOf(method: string): Look {
  return (LOOKS as Readonly<Record<string, Look>>)[method] ?? generatedLook(method)
}

function generatedLook(method: string): Look {
  const hash = [...method].reduce((sum, letter) => (31 * sum + letter.codePointAt(0)!) >>> 0, 0)
  return {
    // As light and as strong as a colour of the theme, so that it can be read on light and on dark.
    color: `oklch(from var(--embed-kd) l c ${hash % 360})`,
    symbol: OTHER_SYMBOLS[hash % OTHER_SYMBOLS.length]!,
    dash: OTHER_DASHES[hash % OTHER_DASHES.length]!,
  }
}

/** A channel that is a colour, symbol or text as it stands, not a value to be scaled. */
export function asIs<T>(value: (item: T) => string) {
  return { value, scale: null } as unknown as Plot.ChannelValueSpec
}

export const MUTED = 'var(--muted)'
export const RULE = 'var(--rule)'
export const INK = 'var(--ink)'

const COMMON: Plot.PlotOptions = {
  style: { fontSize: '12px', fontFamily: 'inherit', overflow: 'visible', background: 'none' },
  marginTop: 24,
  marginRight: 16,
  marginBottom: 38,
  insetTop: 4,
}

/** Draws a panel as an image with a name: readers of the screen get the table beneath instead of the marks. */
export function drawPanel(panel: Panel, width: number, name: string, leads = true): Element {
  const options = withLogTicks(panel.plot(width, leads))
  const svg = Plot.plot({ ...COMMON, ...options, width })
  // Inside an image marks have no names of their own; style.css goes by the classes.
  for (const mark of svg.querySelectorAll('[aria-label]')) {
    mark.classList.add(mark.getAttribute('aria-label')!.replaceAll(' ', '-'))
    mark.removeAttribute('aria-label')
  }
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', name)
  return svg
}

/** Writes the ticks of logarithmic axes itself: the library leaves every second one without its number. */
function withLogTicks(options: Plot.PlotOptions): Plot.PlotOptions {
  const axes = (['x', 'y'] as const).flatMap((name): Plot.Markish[] => {
    const scale = options[name]
    if (scale?.type !== 'log' || !Array.isArray(scale.ticks)) return []
    const format = scale.tickFormat as (value: number) => string
    const text = (value: number) => format(value)
    const ticks = scale.ticks as number[]
    const label = scale.label ?? null
    if (name === 'x') {
      return [...(scale.grid ? [Plot.gridX(ticks)] : []), Plot.axisX(ticks, { text, label })]
    }
    return [...(scale.grid ? [Plot.gridY(ticks)] : []), Plot.axisY(ticks, { text, label })]
  })
  if (axes.length === 0) return options
  const bare = (scale: Plot.ScaleOptions | undefined) =>
    scale?.type === 'log' && Array.isArray(scale.ticks)
      ? { ...scale, axis: null, grid: false }
      : scale
  const x = bare(options.x)
  const y = bare(options.y)
  return {
    ...options,
    ...(x && { x }),
    ...(y && { y }),
    marks: [...axes, ...(options.marks ?? [])],
  }
}

/** Keeps both ends of a long text, since names that belong together often differ at the end. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  const head = Math.ceil((most - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`
}

/** Methods present, in their fixed order. */
export function methodsIn(items: readonly { readonly method: Method }[]): Method[] {
  return [...new Set(items.map(({ method }) => method))].sort(compareMethods)
}

/** Dots in the colour and shape of their method. */
export function methodDots<T extends { readonly method: Method }>(
  items: readonly T[],
  options: Plot.DotOptions,
): Plot.Markish[] {
  return methodsIn(items).map((method) =>
    Plot.dot(
      items.filter((item) => item.method === method),
      { ...options, symbol: lookOf(method).symbol, fill: lookOf(method).color },
    ),
  )
}

/** Names at the right end of lines, moved apart if they would cover each other. */
export function endLabels<T extends { method: Method; x: number; y: number }>(
  ends: readonly T[],
): Plot.Markish {
  const gap = 14
  const options: Plot.TextOptions = {
    x: 'x',
    y: 'y',
    text: ({ method }: T) => methodName(method),
    textAnchor: 'start',
    dx: 9,
    fill: asIs(({ method }: T) => lookOf(method).color),
    fontWeight: 600,
    stroke: 'var(--paper)',
    strokeWidth: 3,
    // Where labels lie is known only once the scales are.
    render(index, scales, values, dimensions, context, next) {
      const ys = values['y'] as unknown as number[]
      const order = [...index].sort((a, b) => ys[a]! - ys[b]!)
      for (let at = 1; at < order.length; at++) {
        ys[order[at]!] = Math.max(ys[order[at]!]!, ys[order[at - 1]!]! + gap)
      }
      const lowest = Math.max(...order.map((at) => ys[at]!))
      const overshoot = Math.max(0, lowest - (dimensions.height - dimensions.marginBottom))
      for (const at of order) ys[at]! -= overshoot
      return next!(index, scales, values, dimensions, context)
    },
  }
  return Plot.text(ends, options)
}
