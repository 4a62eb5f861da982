// The drawing area: strokes as white on black, as MNIST has its digits, centred by mass as MNIST does.

const SIDE = 28
const INNER = 20

/** Lets a reader draw on a canvas. @param changed called after each stroke with the drawing, 28x28 bytes. */
export function drawingPad(canvas: HTMLCanvasElement, changed: (image: Uint8Array) => void) {
  const context = canvas.getContext('2d', { willReadFrequently: true })!
  const clear = () => {
    context.fillStyle = '#000'
    context.fillRect(0, 0, canvas.width, canvas.height)
  }
  clear()
  context.strokeStyle = '#fff'
  context.lineWidth = canvas.width / 12
  context.lineCap = context.lineJoin = 'round'
  let drawing = false
  const at = (event: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect()
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ]
  }
  canvas.addEventListener('pointerdown', (event) => {
    drawing = true
    canvas.setPointerCapture(event.pointerId)
    context.beginPath()
    context.moveTo(...at(event))
    context.lineTo(...at(event))
    context.stroke()
  })
  canvas.addEventListener('pointermove', (event) => {
    if (!drawing) return
    context.lineTo(...at(event))
    context.stroke()
  })
  canvas.addEventListener('pointerup', () => {
    drawing = false
    changed(digitOf(canvas))
  })
  return { clear }
}

/** Returns the drawing as MNIST would have it: fitted into 20x20 pixels, its centre of mass in the middle of 28x28. */
function digitOf(canvas: HTMLCanvasElement): Uint8Array {
  const { width, height } = canvas
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height)
  let [left, top, right, bottom, mass, massX, massY] = [width, height, 0, 0, 0, 0, 0]
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const value = data[4 * (y * width + x)]!
      if (value < 16) continue
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y)
      mass += value
      massX += value * x
      massY += value * y
    }
  const scale = INNER / Math.max(right - left + 1, bottom - top + 1, 1)
  const small = new OffscreenCanvas(SIDE, SIDE)
  const context = small.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  context.fillRect(0, 0, SIDE, SIDE)
  if (mass > 0)
    context.drawImage(
      canvas,
      SIDE / 2 - (massX / mass) * scale,
      SIDE / 2 - (massY / mass) * scale,
      width * scale,
      height * scale,
    )
  const pixels = context.getImageData(0, 0, SIDE, SIDE).data
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => pixels[4 * i]!)
}
