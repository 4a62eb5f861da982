// The drawings of a run: a loss curve and a map of embeddings. Drawn on canvases, with their colours from the style sheet.
import type { LossPoint } from './messages.js'

/** One colour for each class; told apart on light and dark ground, and repeated after ten. */
const CLASS_COLOURS = [
  '#4477cc',
  '#dd7722',
  '#2f9e5f',
  '#cc3355',
  '#8866cc',
  '#996644',
  '#d865b0',
  '#7a7f8a',
  '#a8a020',
  '#1fa5b8',
]
export const classColour = (label: number): string => CLASS_COLOURS[label % CLASS_COLOURS.length]!

interface Surface {
  readonly context: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  readonly ink: string
  readonly line: string
}

/** Sizes a canvas to its pixels on the screen, and clears it. */
function surface(canvas: HTMLCanvasElement): Surface {
  const scale = devicePixelRatio
  const { width, height } = canvas.getBoundingClientRect()
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  const context = canvas.getContext('2d')!
  context.scale(scale, scale)
  context.font = '12px system-ui, sans-serif'
  const style = getComputedStyle(canvas)
  return {
    context,
    width,
    height,
    ink: style.color,
    line: style.getPropertyValue('border-bottom-color'),
  }
}

/** Draws the loss over the steps, on a linear scale from 0. */
export function drawLoss(
  canvas: HTMLCanvasElement,
  points: readonly LossPoint[],
  totalSteps: number,
): void {
  const { context, width, height, ink } = surface(canvas)
  const [left, right, top, bottom] = [32, 8, 8, 20]
  const highest = Math.max(...points.map(([, loss]) => loss), 1)
  const x = (step: number) => left + (step / Math.max(totalSteps, 1)) * (width - left - right)
  const y = (loss: number) => height - bottom - (loss / highest) * (height - top - bottom)
  context.fillStyle = ink
  context.strokeStyle = ink
  context.globalAlpha = 0.7
  context.textAlign = 'right'
  for (const loss of [0, highest / 2, highest])
    context.fillText(loss.toFixed(1), left - 6, y(loss) + 4)
  context.fillText(`step ${totalSteps}`, width - right, height - 4)
  context.globalAlpha = 0.25
  for (const loss of [0, highest / 2, highest]) {
    context.beginPath()
    context.moveTo(left, y(loss))
    context.lineTo(width - right, y(loss))
    context.stroke()
  }
  context.globalAlpha = 1
  context.lineWidth = 1.5
  context.beginPath()
  points.forEach(([step, loss], i) => context[i === 0 ? 'moveTo' : 'lineTo'](x(step), y(loss)))
  context.stroke()
}

export interface MapPoint {
  readonly at: readonly [x: number, y: number]
  readonly label: number
  /** Whether the point is a centroid, which carries its name. */
  readonly name?: string
}

/** Draws points as dots, and centroids as named rings over them. */
export function drawMap(canvas: HTMLCanvasElement, points: readonly MapPoint[]): void {
  const { context, width, height, ink } = surface(canvas)
  const extent = (axis: 0 | 1) => {
    const values = points.map(({ at }) => at[axis])
    return [Math.min(...values), Math.max(...values)] as const
  }
  const [[x0, x1], [y0, y1]] = [extent(0), extent(1)]
  const margin = 18
  const x = (value: number) => margin + ((value - x0) / (x1 - x0 || 1)) * (width - 2 * margin)
  const y = (value: number) => margin + ((value - y0) / (y1 - y0 || 1)) * (height - 2 * margin)
  context.textAlign = 'center'
  for (const { at, label, name } of points) {
    context.beginPath()
    context.arc(x(at[0]), y(at[1]), name === undefined ? 2.5 : 9, 0, 2 * Math.PI)
    context.fillStyle = classColour(label)
    context.globalAlpha = name === undefined ? 0.75 : 1
    context.fill()
    if (name === undefined) continue
    context.strokeStyle = ink
    context.stroke()
    context.fillStyle = '#fff'
    context.fillText(name.slice(0, 2), x(at[0]), y(at[1]) + 4)
  }
}
