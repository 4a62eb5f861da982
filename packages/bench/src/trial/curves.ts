// The curves of a record, collected while a trial trains.
import type { BenchRecord } from '@embed-kd/records'

import type { StepMetrics } from '@embed-kd/distill'

type Curves = NonNullable<BenchRecord['curves']>
type Point = [step: number, value: number]

export class CurveBook {
  readonly epochs: Curves['epochs'] = []
  #loss: Point[] = []
  #class: Point[] = []
  #kd: Point[] = []

  /** Adds the losses of a step, counted from 1. */
  add(step: number, { loss, classLoss, kdLoss }: StepMetrics): void {
    // Mixed precision skipped the step.
    if (!Number.isFinite(loss)) return
    this.#loss.push([step, loss])
    if (kdLoss === undefined || classLoss === undefined) return
    this.#class.push([step, classLoss])
    this.#kd.push([step, kdLoss])
  }

  /** Removes all points, for a training that begins anew. */
  clear(): void {
    this.#loss = []
    this.#class = []
    this.#kd = []
  }

  /** Returns the curves as a record has them. */
  finish(): Curves {
    return {
      loss: this.#loss,
      ...(this.#kd.length === 0 ? {} : { lossParts: { class: this.#class, kd: this.#kd } }),
      epochs: this.epochs,
    }
  }
}
