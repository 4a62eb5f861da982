// Frames for the figures. A figure is drawn when it comes into sight, when its width changes, and before printing;
// a change of filters redraws those in sight at once and leaves the others for later.
import {
  counted,
  latexTable,
  markdownTable,
  type Method,
  methodName,
  type TextTable,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import type { View } from '../model/view.js'
import { button, element, fill, textTable } from './dom.js'
import { download } from './download.js'
import { exportFigure, pngOf, svgText } from './figure-export.js'
import { type Drawing, drawPanel, type Figure, lookOf, type Panel } from './figures/figure.js'
import { FIGURES } from './figures/index.js'
import type { App, Part } from './app.js'

const MOST_TABLE_ROWS = 200

export function createFigures(app: App): Part {
  let view: View | undefined
  // Widths are computed from this one instead of read off the page, which would lay it out anew for every figure.
  let width = 0
  const frames = FIGURES.map((figure, index) => createFrame(app, figure, index))
  const inSight = new Set<Frame>()
  let printing = false
  const draw = (chosen: Iterable<Frame>) => {
    if (view === undefined || width === 0) return
    for (const frame of chosen) frame.draw(view, printing ? PAPER : width)
  }
  const print = (on: boolean) => {
    printing = on
    for (const frame of frames) frame.stale()
    draw(on ? frames : inSight)
  }
  const byNode = new Map<Element, Frame>(frames.map((frame) => [frame.node, frame]))
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const frame = byNode.get(target)!
        if (isIntersecting) inSight.add(frame)
        else inSight.delete(frame)
      }
      draw(inSight)
    },
    { rootMargin: '200px' },
  )
  for (const { node } of frames) observer.observe(node)
  new ResizeObserver(([entry]) => {
    const found = Math.floor(entry!.contentRect.width)
    if (printing || found === 0 || found === width) return
    width = found
    for (const frame of frames) frame.stale()
    draw(inSight)
  }).observe(frames[0]!.node)
  addEventListener('beforeprint', () => print(true))
  addEventListener('afterprint', () => print(false))
  return {
    node: element(
      'section',
      { id: 'figures', tabindex: '-1', 'aria-labelledby': 'figures-title' },
      element('h2', { id: 'figures-title' }, 'Figures'),
      ...frames.map(({ node }) => node),
    ),
    update: (fresh) => {
      view = fresh
      for (const frame of frames) frame.stale()
      draw(inSight)
    },
  }
}

interface Frame {
  readonly node: HTMLElement
  readonly stale: () => void
  /** Draws at the width given, unless what is there is still true. */
  readonly draw: (view: View, width: number) => void
}

/** Below this width panels stand under each other. */
const STACKED = 760
/** A panel alone grows no wider. */
const WIDEST = 760
const GAP = 32
/** Width at which figures are drawn for paper, whatever the window; the page scales them down to its own width. */
const PAPER = 900

/** Widths of panels that share a row, or have one each. */
function widthsOf(panels: readonly Panel[], width: number): number[] {
  if (panels.length === 1 || width < STACKED) return panels.map(() => Math.min(width, WIDEST))
  const shares = panels.map(({ share = 1 }) => share)
  const unit = (width - GAP * (panels.length - 1)) / shares.reduce((sum, share) => sum + share)
  return shares.map((share) => Math.floor(share * unit))
}

function createFrame(app: App, figure: Figure, index: number): Frame {
  const legend = element('div', { class: 'legend' })
  const panels = element('div', { class: 'panels' })
  const caption = element('figcaption')
  const table = element('div', {
    class: 'scroll',
    tabindex: '0',
    role: 'region',
    'aria-label': `Data of figure ${index + 1}`,
  })
  const data = element('details', { class: 'data' }, element('summary', {}, 'Data'), table)
  const link = element('a', { href: '#' }, 'Link')
  const asText = (): TextTable => ({ title: figure.title, ...drawing! })
  const tools = element(
    'p',
    { class: 'figure-tools' },
    link,
    button('SVG', () => {
      const drawn = exportFigure(node)
      if (drawn) download(`${figure.id}.svg`, svgText(drawn), 'image/svg+xml')
    }),
    button('PNG', () => {
      const drawn = exportFigure(node)
      if (drawn) void pngOf(drawn).then((blob) => download(`${figure.id}.png`, blob))
    }),
    button('LaTeX', () => download(`${figure.id}.tex`, latexTable(asText()), 'text/x-tex')),
    button('Markdown', () => download(`${figure.id}.md`, markdownTable(asText()), 'text/markdown')),
  )
  const node: HTMLElement = element(
    'figure',
    { id: `figure-${figure.id}` },
    element('h3', {}, element('span', { class: 'ordinal' }, `${index + 1}`), figure.title),
    legend,
    panels,
    caption,
    tools,
    data,
  )
  let current = false
  let drawing: Drawing | undefined
  const fillTable = () => {
    if (drawing === undefined || !data.open) return
    const { columns, rows } = drawing
    const rest = rows.length - MOST_TABLE_ROWS
    fill(
      table,
      textTable(columns, rows.slice(0, MOST_TABLE_ROWS), figure.title),
      rest > 0
        ? element(
            'p',
            {},
            `${counted(rest, 'more row')}: narrow the filters, or download the table of trials.`,
          )
        : undefined,
    )
  }
  data.addEventListener('toggle', fillTable)
  return {
    node,
    stale: () => {
      current = false
    },
    draw: (view, width) => {
      if (current) return
      current = true
      const drawn = figure.draw(view)
      const missing = typeof drawn === 'string'
      node.classList.toggle('missing', missing)
      data.hidden = missing
      tools.hidden = missing
      link.href = app.link({ figure: figure.id })
      legend.hidden = missing
      drawing = missing ? undefined : drawn
      fill(caption, missing ? drawn : drawn.caption)
      if (missing) {
        fill(panels)
        return
      }
      fill(legend, ...drawn.legend.map(legendEntry))
      const widths = widthsOf(drawn.panels, width)
      const stacked = width < STACKED
      panels.style.gridTemplateColumns = stacked
        ? ''
        : widths.map((px) => `minmax(0, ${px}fr)`).join(' ')
      fill(
        panels,
        ...drawn.panels.map((panel, at) => {
          const name = `${figure.title}: ${panel.title}. ${drawn.caption}`
          return element(
            'div',
            { class: 'panel' },
            element('h4', {}, panel.title),
            drawPanel(panel, widths[at]!, name, at === 0 || stacked),
          )
        }),
      )
      fillTable()
    },
  }
}

function legendEntry(method: Method): HTMLElement {
  const { color, symbol } = lookOf(method)
  const swatch = Plot.plot({
    width: 14,
    height: 14,
    margin: 0,
    axis: null,
    marks: [Plot.dot([0], { frameAnchor: 'middle', r: 4.5, symbol, fill: color })],
  })
  swatch.setAttribute('aria-hidden', 'true')
  return element('span', {}, swatch, methodName(method))
}
