// The view of one run: numbers, the map of embeddings, the loss curve, the confusion matrix.
import { methods } from '@embed-kd/core'

import { drawConfusion, drawLoss, drawMap } from './charts.js'
import { create } from './dom.js'
import type { FromWorker, LossPoint, RunSettings, Snapshot } from './messages.js'

const NUMBERS = ['test accuracy', 'loss', 'images/s', 'time left'] as const

const duration = (seconds: number): string =>
  seconds < 60
    ? `${Math.ceil(seconds)} s`
    : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`

export class RunView {
  readonly element = create('article', '', 'card run')
  /** The method's name. */
  readonly label: string
  readonly #values = new Map<string, HTMLElement>()
  readonly #progress = create('progress')
  readonly #canvases = {
    map: create('canvas'),
    loss: create('canvas'),
    confusion: create('canvas'),
  }
  readonly #mistake = create('p', '', 'quiet')
  readonly #batch: number
  readonly #classNames: readonly string[]
  readonly #totalSteps: number
  readonly #points: LossPoint[] = []
  #shown: Snapshot | undefined
  /** Drawings that are due at the next frame. */
  readonly #due = new Set<'loss' | 'snapshot'>()

  constructor(
    { method, student, batch }: Pick<RunSettings, 'method' | 'student' | 'batch'>,
    classNames: readonly string[],
    totalSteps: number,
  ) {
    const { label, teacher } = methods[method]
    this.label = label
    this.#batch = batch
    this.#classNames = classNames
    this.#totalSteps = totalSteps
    this.#progress.max = totalSteps
    this.#progress.value = 0
    this.#progress.ariaLabel = `Progress of ${label}, in steps`
    this.element.ariaLabel = label
    const heading = create('h2', label)
    heading.append(create('span', ` student ${student}`))
    const figures = create('div', '', 'figures')
    figures.append(
      this.#figure(
        'map',
        teacher === 'centroids'
          ? "What the student sees: test images (dots), teacher's vectors (discs)"
          : 'What the student sees: test images (dots), coloured by class',
      ),
      this.#figure('loss', 'Loss, step by step'),
      this.#figure('confusion', 'Test images: true class (rows) and answer (columns)'),
    )
    this.element.append(heading, this.#numbers(), this.#progress, figures, this.#mistake)
    const redraw = () => this.#draw('loss', 'snapshot')
    new ResizeObserver(redraw).observe(this.element)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
  }

  /** Number of steps that were reported. */
  get steps(): number {
    return this.#points.at(-1)?.[0] ?? 0
  }

  /** Test accuracy as shown. */
  get accuracy(): string {
    return this.#values.get('test accuracy')!.textContent ?? ''
  }

  /** Shows the curve of a run that is resumed. */
  resume(points: readonly LossPoint[]): void {
    this.#points.push(...points)
    this.#progress.value = this.steps
  }

  /** Shows a step that was reported. */
  step({ step, loss, imagesPerSecond }: Extract<FromWorker, { type: 'step' }>): void {
    this.#points.push([step, loss])
    this.#progress.value = step
    this.#set('loss', loss.toFixed(3))
    this.#set('images/s', `${Math.round(imagesPerSecond)}`)
    const left = (this.#totalSteps - step) * this.#batch
    this.#set('time left', duration(left / imagesPerSecond))
    this.#draw('loss')
  }

  /** Shows embeddings and confusion. */
  snapshot(snapshot: Snapshot): void {
    this.#shown = snapshot
    this.#set('test accuracy', `${(100 * snapshot.accuracy).toFixed(1)} %`)
    this.#mistake.textContent = this.#commonMistake(snapshot.confusion)
    this.#canvases.confusion.ariaLabel = `Confusion matrix of ${this.label}. ${this.#mistake.textContent}`
    this.#draw('snapshot')
  }

  /** Shows that the run has ended. */
  end(): void {
    this.#progress.value = this.#progress.max
    this.#set('time left', 'done')
  }

  /** Brings the run into sight if the page is one narrow column. */
  scrollIntoView(): void {
    if (!matchMedia('(max-width: 40rem)').matches) return
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    this.element.scrollIntoView({ behavior: still ? 'instant' : 'smooth', block: 'start' })
  }

  #numbers(): HTMLElement {
    const list = create('dl')
    for (const name of NUMBERS) {
      const value = create('dd', '–')
      this.#values.set(name, value)
      const group = create('div')
      group.append(create('dt', name), value)
      list.append(group)
    }
    return list
  }

  #figure(name: 'map' | 'loss' | 'confusion', caption: string): HTMLElement {
    const canvas = this.#canvases[name]
    canvas.role = 'img'
    canvas.ariaLabel = `${caption}, by ${this.label}`
    const figure = create('figure', '', name)
    figure.append(create('figcaption', caption), canvas)
    return figure
  }

  #set(name: (typeof NUMBERS)[number], text: string): void {
    this.#values.get(name)!.textContent = text
  }

  /** Draws parts at the next frame, once however many changes ask for it: new numbers, another size, other colours. */
  #draw(...parts: readonly ('loss' | 'snapshot')[]): void {
    const waiting = this.#due.size > 0
    for (const part of parts) this.#due.add(part)
    if (waiting) return
    requestAnimationFrame(() => {
      const due = new Set(this.#due)
      this.#due.clear()
      if (due.has('loss')) drawLoss(this.#canvases.loss, this.#points, this.#totalSteps)
      if (!this.#shown || !due.has('snapshot')) return
      drawMap(this.#canvases.map, this.#shown.map, this.#classNames)
      drawConfusion(this.#canvases.confusion, this.#shown.confusion, this.#classNames)
    })
  }

  #commonMistake(confusion: Snapshot['confusion']): string {
    let [worst, label, answer] = [0, 0, 0]
    confusion.forEach((row, i) =>
      row.forEach((count, j) => {
        if (i !== j && count > worst) [worst, label, answer] = [count, i, j]
      }),
    )
    if (worst === 0) return 'No test image is classified wrongly.'
    const all = confusion[label]!.reduce((sum, count) => sum + count, 0)
    const [truth, given] = [this.#classNames[label], this.#classNames[answer]]
    return `Most common mistake: ${truth} taken for ${given}, in ${worst} of ${all} images.`
  }
}
