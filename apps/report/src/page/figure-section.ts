// Frames for the figures. A figure is drawn when it comes into sight, when its width changes, and before printing;
// a change of filters redraws those in sight at once and leaves the others for later.
import type { Method } from '@embed-kd/record'
import * as Plot from '@observablehq/plot'
import { counted, methodName } from '../model/format.js'
import type { View } from '../model/view.js'
import { element, fill, textTable } from './dom.js'
import { type Drawing, drawPanel, type Figure, LOOKS } from './figures/figure.js'
import { FIGURES } from './figures/index.js'
import type { Part } from './report.js'

const MOST_TABLE_ROWS = 200

export function createFigures(): Part {
  let view: View | undefined
  const frames = FIGURES.map(createFrame)
  const inSight = new Set<Frame>()
  const byNode = new Map<Element, Frame>(frames.map((frame) => [frame.node, frame]))
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const frame = byNode.get(target)!
        if (!isIntersecting) inSight.delete(frame)
        else {
          inSight.add(frame)
          if (view !== undefined) frame.draw(view)
        }
      }
    },
    { rootMargin: '200px' },
  )
  for (const { node } of frames) observer.observe(node)
  const drawAll = () => {
    if (view !== undefined) for (const frame of frames) frame.draw(view)
  }
  addEventListener('beforeprint', drawAll)
  let width = 0
  new ResizeObserver(([entry]) => {
    const found = Math.round(entry!.contentRect.width)
    if (found === 0 || found === width) return
    width = found
    for (const frame of frames) frame.stale()
    if (view !== undefined) for (const frame of inSight) frame.draw(view)
  }).observe(frames[0]!.node)
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
      for (const frame of inSight) frame.draw(fresh)
    },
  }
}

interface Frame {
  readonly node: HTMLElement
  readonly stale: () => void
  /** Draws, unless what is there is still true. */
  readonly draw: (view: View) => void
}

function createFrame(figure: Figure, index: number): Frame {
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
  const node = element(
    'figure',
    { id: `figure-${figure.id}` },
    element('h3', {}, element('span', { class: 'ordinal' }, `${index + 1}`), figure.title),
    legend,
    panels,
    caption,
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
    draw: (view) => {
      if (current) return
      current = true
      const drawn = figure.draw(view)
      const missing = typeof drawn === 'string'
      node.classList.toggle('missing', missing)
      data.hidden = missing
      legend.hidden = missing
      drawing = missing ? undefined : drawn
      fill(caption, missing ? drawn : drawn.caption)
      if (missing) {
        fill(panels)
        return
      }
      fill(legend, ...drawn.legend.map(legendEntry))
      const boxes = drawn.panels.map(({ title }) =>
        element('div', { class: 'panel' }, element('h4', {}, title)),
      )
      panels.style.setProperty('--panels', String(boxes.length))
      fill(panels, ...boxes)
      for (const [at, panel] of drawn.panels.entries()) {
        const box = boxes[at]!
        const name = `${figure.title}: ${panel.title}. ${drawn.caption}`
        box.append(drawPanel(panel, Math.max(240, box.clientWidth), name))
      }
      fillTable()
    },
  }
}

function legendEntry(method: Method): HTMLElement {
  const { color, symbol } = LOOKS[method]
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
