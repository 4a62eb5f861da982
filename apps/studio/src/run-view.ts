// What a reader sees of one run: numbers, loss curve, map of embeddings, confusion matrix.
import { methods } from '@embed-kd/core'

import { drawLoss, drawMap, type MapPoint } from './charts.js'
import type { LossPoint, RunSettings, Snapshot } from './messages.js'
import { normaliseRows, principalAxes, project, type Axes } from './projection.js'

const NUMBERS = ['accuracy', 'loss', 'images per second', 'time left'] as const

const create = <K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = '',
  className = '',
): HTMLElementTagNameMap[K] => {
  const element = document.createElement(name)
  element.textContent = text
  element.className = className
  return element
}

const duration = (seconds: number): string =>
  seconds < 60
    ? `${Math.ceil(seconds)} s`
    : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`

export class RunView {
  readonly element = create('article', '', 'card run')
  readonly #values = new Map<string, HTMLElement>()
  readonly #progress = create('progress')
  readonly #loss = create('canvas')
  readonly #map = create('canvas', '', 'map')
  readonly #matrix = create('table')
  readonly #batch: number
  readonly #classNames: readonly string[]
  readonly #points: LossPoint[]
  #axes: Axes | undefined
  #mapPoints: readonly MapPoint[] = []
  #totalSteps = 1
  #drawing = false

  constructor(
    { method, student, batch }: RunSettings,
    classNames: readonly string[],
    points: readonly LossPoint[],
  ) {
    this.#batch = batch
    this.#classNames = classNames
    this.#points = [...points]
    const { label } = methods[method]
    this.element.append(create('h2', `${label}, student ${student}`))
    const list = create('dl')
    for (const name of NUMBERS) {
      const value = create('dd', '–')
      this.#values.set(name, value)
      const group = create('div')
      group.append(create('dt', name), value)
      list.append(group)
    }
    this.#progress.ariaLabel = `Progress of ${label}`
    this.#progress.value = 0
    this.#loss.role = 'img'
    this.#loss.ariaLabel = `Loss of ${label} over the steps`
    this.#map.role = 'img'
    this.#map.ariaLabel = `Embeddings of test images by ${label} in two dimensions, coloured by class`
    const figure = (canvas: HTMLCanvasElement, caption: string) => {
      const found = create('figure')
      found.append(create('figcaption', caption), canvas)
      return found
    }
    this.element.append(
      list,
      this.#progress,
      figure(this.#loss, 'Loss'),
      figure(
        this.#map,
        methods[method].teacher === 'centroids'
          ? "Test images (dots) and the teacher's centroids (rings) in the student's space"
          : "Test images in the student's space",
      ),
      this.#matrix,
    )
    const draw = () => this.#draw()
    new ResizeObserver(draw).observe(this.element)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  }

  /** Shows a step that was reported. */
  step(step: number, totalSteps: number, loss: number, imagesPerSecond: number): void {
    this.#points.push([step, loss])
    this.#totalSteps = totalSteps
    this.#progress.max = totalSteps
    this.#progress.value = step
    this.#set('loss', loss.toFixed(3))
    this.#set('images per second', `${Math.round(imagesPerSecond)}`)
    this.#set('time left', duration(((totalSteps - step) * this.#batch) / imagesPerSecond))
    this.#draw()
  }

  /** Draws at the next frame, once, whatever asked for it: new numbers, another size or other colours. */
  #draw(): void {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      this.#drawing = false
      drawLoss(this.#loss, this.#points, this.#totalSteps)
      if (this.#mapPoints.length > 0) drawMap(this.#map, this.#mapPoints)
    })
  }

  /** Shows embeddings and confusion. */
  snapshot({ width, embeddings, labels, centroids, confusion, accuracy }: Snapshot): void {
    this.#set('accuracy', `${(100 * accuracy).toFixed(1)} %`)
    const rows = new Float32Array(embeddings.length + centroids.length)
    rows.set(embeddings)
    rows.set(centroids, embeddings.length)
    normaliseRows(rows, width)
    this.#axes = principalAxes(rows, width, this.#axes)
    const perClass = centroids.length / width / this.#classNames.length
    this.#mapPoints = project(rows, width, this.#axes).map((at, i): MapPoint => {
      if (i < labels.length) return { at, label: labels[i]! }
      const label = Math.floor((i - labels.length) / perClass)
      return { at, label, name: this.#classNames[label]! }
    })
    this.#draw()
    this.#showConfusion(confusion)
  }

  /** Shows that the run has ended. */
  end(): void {
    this.#progress.value = this.#progress.max
    this.#set('time left', 'done')
  }

  /** Test accuracy as shown. */
  get accuracy(): string {
    return this.#values.get('accuracy')!.textContent ?? ''
  }

  #set(name: (typeof NUMBERS)[number], text: string): void {
    this.#values.get(name)!.textContent = text
  }

  #showConfusion(confusion: Snapshot['confusion']): void {
    const head = create('tr')
    head.append(create('td'))
    for (const name of this.#classNames) {
      const cell = create('th', name.slice(0, 6))
      cell.scope = 'col'
      head.append(cell)
    }
    const rows = confusion.map((counts, label) => {
      const row = create('tr')
      const name = create('th', this.#classNames[label]!.slice(0, 6))
      name.scope = 'row'
      row.append(name)
      const total = counts.reduce((sum, count) => sum + count, 0)
      counts.forEach((count, predicted) => {
        const cell = create('td', count === 0 ? '' : `${count}`)
        const share = total === 0 ? 0 : count / total
        // Shares as tints that leave the numbers legible on both grounds.
        const hue = predicted === label ? '64 150 210' : '210 80 60'
        cell.style.background = `rgb(${hue} / ${Math.min(0.45, share)})`
        row.append(cell)
      })
      return row
    })
    this.#matrix.replaceChildren(
      create('caption', 'Test images by true class (rows) and predicted class (columns)'),
      head,
      ...rows,
    )
  }
}
