// The drawings of a run: loss curve, map of embeddings, confusion matrix. Drawn on canvases, with their colours from the style sheet.
import type { LossPoint, MapPoint } from './messages.js'

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
const classColour = (label: number): string => CLASS_COLOURS[label % CLASS_COLOURS.length]!

interface Surface {
  readonly context: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  /** Colour of a custom property of the style sheet. */
  colour(name: '--ink' | '--soft' | '--line' | '--accent' | '--right' | '--mistake'): string
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
  return { context, width, height, colour: (name) => style.getPropertyValue(name) }
}

/** Draws the loss over the steps, on a linear scale from 0. */
export function drawLoss(
  canvas: HTMLCanvasElement,
  points: readonly LossPoint[],
  totalSteps: number,
): void {
  const { context, width, height, colour } = surface(canvas)
  const [left, right, top, bottom] = [32, 8, 8, 20]
  const highest = Math.max(...points.map(([, loss]) => loss), 1)
  const x = (step: number) => left + (step / Math.max(totalSteps, 1)) * (width - left - right)
  const y = (loss: number) => height - bottom - (loss / highest) * (height - top - bottom)
  context.fillStyle = colour('--soft')
  context.strokeStyle = colour('--line')
  for (const loss of [0, highest / 2, highest]) {
    context.textAlign = 'right'
    context.fillText(loss.toFixed(1), left - 6, y(loss) + 4)
    context.beginPath()
    context.moveTo(left, y(loss))
    context.lineTo(width - right, y(loss))
    context.stroke()
  }
  context.fillText(`step ${totalSteps}`, width - right, height - 4)
  context.strokeStyle = colour('--accent')
  context.lineWidth = 1.75
  context.lineJoin = 'round'
  context.beginPath()
  points.forEach(([step, loss], i) => context[i === 0 ? 'moveTo' : 'lineTo'](x(step), y(loss)))
  context.stroke()
}

/** Centroids that carry their names: more would cover each other. */
const NAMED = 20

/** Draws test images as dots, and centroids as discs with their names over them. */
export function drawMap(
  canvas: HTMLCanvasElement,
  points: readonly MapPoint[],
  classNames: readonly string[],
): void {
  const { context, width, height, colour } = surface(canvas)
  const scale = (values: readonly number[], length: number) => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    const margin = 18
    return (value: number) => margin + ((value - low) / (high - low || 1)) * (length - 2 * margin)
  }
  const x = scale(
    points.map((point) => point.x),
    width,
  )
  const y = scale(
    points.map((point) => point.y),
    height,
  )
  const named = points.filter(({ centroid }) => centroid).length <= NAMED
  context.textAlign = 'center'
  context.strokeStyle = colour('--ink')
  for (const { x: across, y: down, label, centroid } of points) {
    context.beginPath()
    context.arc(x(across), y(down), centroid ? (named ? 10 : 5) : 3, 0, 2 * Math.PI)
    context.fillStyle = classColour(label)
    context.globalAlpha = centroid ? 1 : 0.7
    context.fill()
    if (!centroid) continue
    context.stroke()
    if (!named) continue
    context.fillStyle = '#fff'
    context.font = '600 12px system-ui, sans-serif'
    context.fillText(classNames[label]!.slice(0, 2), x(across), y(down) + 4)
  }
}

/** Smallest side of a cell, in pixels, in which a number is legible. */
const LEGIBLE = 20

/** Draws the share of each answer among the images of a class, as tints that leave the numbers legible on both grounds. */
export function drawConfusion(
  canvas: HTMLCanvasElement,
  confusion: readonly (readonly number[])[],
  classNames: readonly string[],
): void {
  const { context, width, height, colour } = surface(canvas)
  const [left, top] = [24, 18]
  const [across, down] = [
    (width - left) / classNames.length,
    (height - top) / classNames.length,
  ] as const
  const legible = Math.min(across, down) >= LEGIBLE
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  if (legible) {
    context.fillStyle = colour('--soft')
    classNames.forEach((name, i) => {
      context.fillText(name.slice(0, 3), left + (i + 0.5) * across, top / 2)
      context.fillText(name.slice(0, 3), left / 2, top + (i + 0.5) * down)
    })
  }
  confusion.forEach((counts, label) => {
    const total = counts.reduce((sum, count) => sum + count, 0)
    counts.forEach((count, answer) => {
      const [x, y] = [left + answer * across, top + label * down]
      context.globalAlpha = 1
      context.strokeStyle = colour('--line')
      context.lineWidth = 0.5
      context.strokeRect(x, y, across, down)
      if (count === 0) return
      context.globalAlpha = Math.min(0.5, 0.08 + count / total)
      context.fillStyle = colour(answer === label ? '--right' : '--mistake')
      context.fillRect(x, y, across, down)
      if (!legible) return
      context.globalAlpha = 1
      context.fillStyle = colour('--ink')
      context.fillText(`${count}`, x + across / 2, y + down / 2)
    })
  })
}
