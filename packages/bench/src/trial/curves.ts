// The curves of a record, collected while a trial trains.
import type { StepMetrics } from '@embed-kd/distill'
import type { BenchRecord } from '@embed-kd/records'

type Curves = NonNullable<BenchRecord['curves']>

export class CurveBook {
  readonly epochs: Curves['epochs'] = []
  #loss: Curves['loss'] = []

  /** Adds the loss of a step, counted from 1; that of a step that mixed precision skipped is none. */
  add(step: number, { loss }: StepMetrics): void {
    if (Number.isFinite(loss)) this.#loss.push([step, loss])
  }

  /** Removes all points, for a training that begins anew. */
  clear(): void {
    this.#loss = []
  }

  /** Returns the curves as a record has them. */
  finish(): Curves {
    return { loss: this.#loss, epochs: this.epochs }
  }
}
