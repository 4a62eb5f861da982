// The curves of a record, gathered while a trial trains.
import type { BenchRecord } from '@embed-kd/records'

import type { StepMetrics } from '@embed-kd/distill'

type Curves = NonNullable<BenchRecord['curves']>
type Point = [step: number, value: number]

export class CurveBook {
  readonly epochs: Curves['epochs'] = []
  #loss: Point[] = []
  #class: Point[] = []
  #kd: Point[] = []

  /** Steps count from 1. */
  add(step: number, { loss, classLoss, kdLoss }: StepMetrics): void {
    // Of a step that was not taken.
    if (!Number.isFinite(loss)) return
    this.#loss.push([step, loss])
    if (kdLoss === undefined) return
    this.#class.push([step, classLoss])
    this.#kd.push([step, kdLoss])
  }

  /** Forgets all points, for a training that begins anew. */
  clear(): void {
    this.#loss = []
    this.#class = []
    this.#kd = []
  }

  finish(): Curves {
    return {
      loss: this.#loss,
      // A supervised loss has no parts.
      ...(this.#kd.length === 0 ? {} : { lossParts: { class: this.#class, kd: this.#kd } }),
      epochs: this.epochs,
    }
  }
}
