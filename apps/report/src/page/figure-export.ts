// A figure as one SVG or PNG that needs no stylesheet: computed colours and fonts are written into it, in the light
// theme, with its title, the panels' titles and its legend.
import { element } from './dom.js'

const NS = 'http://www.w3.org/2000/svg'
const PADDING = 16
const GAP = 32
/** Properties that the page's stylesheet or its variables decide. */
const STYLED = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-opacity',
  'stroke-width',
  'stroke-dasharray',
  'font-family',
  'font-size',
  'font-weight',
  'font-style',
  'text-anchor',
  'opacity',
] as const

interface Drawn {
  readonly svg: SVGSVGElement
  readonly width: number
  readonly height: number
}

/** Returns the figure as a standalone drawing; undefined if it has no panel. */
export function exportFigure(figure: HTMLElement): Drawn | undefined {
  const panels = [...figure.querySelectorAll<HTMLElement>('.panel')]
  if (panels.length === 0) return undefined
  return inLightTheme(() => {
    const font = getComputedStyle(document.body).fontFamily
    const svg = document.createElementNS(NS, 'svg')
    const write = (
      text: string,
      x: number,
      y: number,
      size: number,
      weight = 400,
      fill = '#1a1b1e',
    ) => {
      const node = document.createElementNS(NS, 'text')
      set(node, { x, y, fill, 'font-size': size, 'font-weight': weight, 'font-family': font })
      node.textContent = text
      svg.append(node)
    }
    const title = figure.querySelector('h3')!.lastChild!.textContent ?? ''
    write(title, PADDING, PADDING + 16, 17, 700)
    let y = PADDING + 40
    y = legend(figure, svg, write, y)
    const stacked = panels.length > 1 && panels[0]!.offsetTop !== panels[1]!.offsetTop
    let x = PADDING
    let bottom = y
    let right = 0
    for (const panel of panels) {
      const drawing = panel.querySelector('svg')!
      const { width, height } = drawing.getBoundingClientRect()
      if (stacked) {
        x = PADDING
        y = bottom
      }
      write(panel.querySelector('h4')?.textContent ?? '', x, y + 10, 13, 600)
      const copy = withStyles(drawing)
      set(copy, { x, y: y + 16, width, height })
      svg.append(copy)
      bottom = Math.max(bottom, y + 16 + height + PADDING)
      right = Math.max(right, x + width)
      x += width + GAP
    }
    const width = Math.ceil(Math.max(right, title.length * 9.5) + PADDING)
    const height = Math.ceil(bottom)
    set(svg, { xmlns: NS, width, height, viewBox: `0 0 ${width} ${height}` })
    const ground = document.createElementNS(NS, 'rect')
    set(ground, { width, height, fill: '#ffffff' })
    svg.prepend(ground)
    return { svg, width, height }
  })
}

function legend(
  figure: HTMLElement,
  svg: SVGSVGElement,
  write: (text: string, x: number, y: number, size: number) => void,
  y: number,
): number {
  const entries = [...figure.querySelectorAll<HTMLElement>('.legend span')]
  if (entries.length === 0) return y
  let x = PADDING
  for (const entry of entries) {
    const swatch = entry.querySelector('svg')
    if (swatch !== null) {
      const copy = withStyles(swatch)
      set(copy, { x, y: y - 11, width: 14, height: 14 })
      svg.append(copy)
    }
    const name = entry.lastChild?.textContent ?? ''
    write(name, x + 18, y, 13)
    x += 34 + name.length * 7.4
  }
  return y + 22
}

/** Copies a drawing with the styles that it has on the page. */
function withStyles(original: SVGSVGElement): SVGSVGElement {
  const copy = original.cloneNode(true) as SVGSVGElement
  const from = [original, ...original.querySelectorAll('*')]
  const to = [copy, ...copy.querySelectorAll('*')]
  for (const [at, node] of from.entries()) {
    if (node.tagName === 'style') continue
    const style = getComputedStyle(node)
    for (const name of STYLED) to[at]!.setAttribute(name, style.getPropertyValue(name))
    to[at]!.removeAttribute('class')
  }
  for (const node of copy.querySelectorAll('style')) node.remove()
  copy.removeAttribute('aria-label')
  copy.removeAttribute('role')
  copy.removeAttribute('style')
  return copy
}

/** Runs while the page has its light colours. Nothing is painted in between. */
function inLightTheme<T>(run: () => T): T {
  const { dataset } = document.documentElement
  const theme = dataset['theme']
  dataset['theme'] = 'light'
  try {
    return run()
  } finally {
    if (theme === undefined) delete dataset['theme']
    else dataset['theme'] = theme
  }
}

function set(node: Element, attributes: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value))
}

export function svgText({ svg }: Drawn): string {
  return new XMLSerializer().serializeToString(svg)
}

/** Paints a drawing at twice its size. */
export async function pngOf(drawn: Drawn): Promise<Blob> {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(drawn))}`
  await image.decode()
  const canvas = element('canvas', {})
  canvas.width = drawn.width * 2
  canvas.height = drawn.height * 2
  const context = canvas.getContext('2d')!
  context.scale(2, 2)
  context.drawImage(image, 0, 0, drawn.width, drawn.height)
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Error('no image')) : resolve(blob)),
      'image/png',
    )
  })
}
