// The drawing area and the student's answer: a digit that the reader draws, an image that is dropped, or one of the test images.
import { button, create, element } from './dom.js'
import type { Dataset } from './messages.js'

/** Sides of an MNIST image and of the digit in it. */
const SIDE = 28
const INNER = 20
/** Classes that an answer names. */
const ANSWERS = 3

export class Pad {
  readonly #canvas = element<HTMLCanvasElement>('pad')
  readonly #context = this.#canvas.getContext('2d', { willReadFrequently: true })!
  readonly #ask: (image: Uint8Array) => void
  #dataset: Dataset | undefined
  /** Sentence about the true class of the shown image; empty if it is not known. */
  #truth = ''

  /** @param ask called with each image that the student is to classify, `[channels, size, size]`. */
  constructor(ask: (image: Uint8Array) => void) {
    this.#ask = ask
    this.#clear()
    this.#listen()
    button('clear').addEventListener('click', () => this.#clear())
    button('sample').addEventListener('click', () => this.#sample())
  }

  set dataset(dataset: Dataset) {
    this.#dataset = dataset
    this.#clear()
    element('try-text').textContent =
      dataset.channels === 1 ? 'Draw a digit, or drop an image here.' : 'Drop an image here.'
  }

  onDrop(dropped: (file: File) => void): void {
    this.#canvas.addEventListener('dragover', (event) => event.preventDefault())
    this.#canvas.addEventListener('drop', (event) => {
      event.preventDefault()
      const file = event.dataTransfer?.files[0]
      if (file) dropped(file)
    })
  }

  /** Shows an image of the reader's, and asks the student. @param planes `[3, size, size]`. */
  show(planes: Uint8Array): void {
    const { channels, size } = this.#dataset!
    const image = channels === 1 ? whiteOnBlack(planes, size) : planes
    this.#draw(image)
    this.#truth = ''
    this.#ask(image)
  }

  /** Shows the student's answer. */
  answer(probabilities: Float32Array): void {
    const { classNames } = this.#dataset!
    const ranked = [...probabilities]
      .map((probability, label) => ({ probability, name: classNames[label]! }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, ANSWERS)
    element('answer').replaceChildren(
      ...ranked.map(({ name, probability }) => {
        const percent = `${(100 * probability).toFixed(0)} %`
        const line = create('li')
        line.style.setProperty('--share', percent.replace(' ', ''))
        line.append(create('b', name), ` ${percent}`)
        return line
      }),
    )
    element('answer-text').textContent = this.#truth
  }

  #clear(): void {
    const { width, height } = this.#canvas
    this.#context.fillStyle = '#000'
    this.#context.fillRect(0, 0, width, height)
    this.#truth = ''
    element('answer').replaceChildren()
  }

  /** Shows one of the test images, and asks the student. */
  #sample(): void {
    if (!this.#dataset) return
    const { channels, size, classNames, test } = this.#dataset
    const index = Math.floor(Math.random() * test.labels.length)
    const each = channels * size * size
    const image = test.images.slice(index * each, (index + 1) * each)
    this.#draw(image)
    this.#truth = `The image is labelled ${classNames[test.labels[index]!]}.`
    this.#ask(image)
  }

  #draw(image: Uint8Array): void {
    const { channels, size } = this.#dataset!
    const area = size * size
    const pixels = new ImageData(size, size)
    for (let i = 0; i < area; i++)
      for (let channel = 0; channel < 4; channel++)
        pixels.data[4 * i + channel] =
          channel === 3 ? 255 : image[(channels === 1 ? 0 : channel) * area + i]!
    const small = new OffscreenCanvas(size, size)
    small.getContext('2d')!.putImageData(pixels, 0, 0)
    this.#context.drawImage(small, 0, 0, this.#canvas.width, this.#canvas.height)
  }

  #listen(): void {
    const [canvas, context] = [this.#canvas, this.#context]
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
      if (this.#dataset?.channels !== 1) return
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
    for (const end of ['pointerup', 'pointercancel'] as const)
      canvas.addEventListener(end, () => {
        if (!drawing) return
        drawing = false
        this.#truth = ''
        this.#ask(digitOf(canvas))
      })
  }
}

/** Returns the brightness of an image's pixels, turned to white on black as MNIST's digits are. */
function whiteOnBlack(planes: Uint8Array, size: number): Uint8Array {
  const area = size * size
  const grey = Uint8Array.from(
    { length: area },
    (_, i) => (planes[i]! + planes[area + i]! + planes[2 * area + i]!) / 3,
  )
  const mean = grey.reduce((sum, value) => sum + value, 0) / area
  return mean > 127 ? grey.map((value) => 255 - value) : grey
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
