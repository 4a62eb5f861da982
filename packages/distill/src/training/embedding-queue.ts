// The queue of a teacher's embeddings of earlier images, which some methods contrast with: first in, first out. A teacher does not
// change, so neither do its embeddings in the queue; the loss does not depend on their order.
import { hostTensor, UserError, type HostTensor } from '@embed-kd/core'

const ROWS = 'teacher.queue'
const FILLED = 'teacher.queued'

export class EmbeddingQueue {
  readonly #rows: Float32Array
  readonly #size: number
  readonly #width: number
  /** Number of embeddings that were put in since the start. */
  #filled = 0
  /** Embeddings of the last batch, which may still be in use: they are put in when the next batch asks. */
  #last: Float32Array | undefined

  /** @param size number of embeddings; @param width width of an embedding. */
  constructor(size: number, width: number) {
    this.#size = size
    this.#width = width
    this.#rows = new Float32Array(size * width)
  }

  /** Returns the queue [size, width] for a batch, without the embeddings of that batch; rows that are not filled yet are zeros. */
  next(embeddings: Float32Array): HostTensor {
    this.#put()
    this.#last = embeddings
    return hostTensor('float32', [this.#size, this.#width], this.#rows)
  }

  /** Returns the content by the names of a state. */
  read(): readonly (readonly [string, HostTensor])[] {
    this.#put()
    return [
      [ROWS, hostTensor('float32', [this.#size, this.#width], this.#rows.slice())],
      [FILLED, hostTensor('int32', [], [this.#filled])],
    ]
  }

  /** Goes on with the content that `read` returned. @throws UserError if the state has no queue. */
  restore(state: ReadonlyMap<string, HostTensor>): void {
    const [rows, filled] = [state.get(ROWS), state.get(FILLED)]
    if (!rows || !filled)
      throw new UserError(
        'the state has no queue of embeddings',
        'restore into a trainer with the same method',
      )
    this.#rows.set(rows.data as Float32Array)
    this.#filled = filled.data[0]!
    this.#last = undefined
  }

  /** Empties the queue. */
  reset(): void {
    this.#rows.fill(0)
    this.#filled = 0
    this.#last = undefined
  }

  #put(): void {
    const [last, width] = [this.#last ?? new Float32Array(), this.#width]
    for (let at = 0; at < last.length; at += width) {
      this.#rows.set(last.subarray(at, at + width), (this.#filled % this.#size) * width)
      this.#filled++
    }
    this.#last = undefined
  }
}
