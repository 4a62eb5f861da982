// Training batches made ahead in a thread of their own, so that the step does not wait for reading, augmenting, resizing and
// normalising: a backend may block this thread for all of a step. The batches are those of batches.ts, to the byte.

import { Worker } from 'node:worker_threads'

import { UserError } from '@embed-kd/core'
import type { Augmentation } from '../../images/augment.js'
import type { StorePaths } from '../embeddings/stores.js'
import type { Batch } from './batches.js'
import type { ModelInput } from './input.js'
import type { Subset } from './subsets.js'

/** Settings that all batches of a run share. */
export interface Loading {
  readonly subset: Subset
  readonly size: number
  readonly seed: number
  readonly augmentation: Augmentation
  /** Seed of the augmentation (default: `seed`). */
  readonly augmentationSeed?: number
  /** Format of the model's input, which each batch has as `input`. */
  readonly input: ModelInput
  /** Stores of embeddings (embeddings/stores.ts), whose views are trained on; each batch has its own as `embeddings`. */
  readonly store?: StorePaths
}

export interface BatchRequest {
  readonly id: number
  readonly epoch: number
  readonly step: number
}

export type BatchReply =
  | { readonly id: number; readonly batch: Batch }
  | { readonly id: number; readonly error: string; readonly forUser: boolean }

/** The built file, from src/ (tests) and dist/ alike: Node cannot run the source. */
const worker = new URL('../../../dist/node/data/batch-worker.js', import.meta.url)

/** Batches asked for before they are needed. */
const ahead = 3

export class BackgroundBatches {
  readonly #worker: Worker
  readonly #length: number
  /** By epoch and step. */
  readonly #asked = new Map<string, Promise<Batch>>()
  readonly #waiting = new Map<number, { resolve(batch: Batch): void; reject(error: Error): void }>()
  #requests = 0

  /** The thread needs a moment to start: make it before what else takes time, such as compiling. */
  constructor(loading: Loading) {
    const { subset, size } = loading
    this.#length = Math.floor(subset.indices.length / size)
    const { images } = subset.split
    const split = {
      ...subset.split,
      images: images instanceof Uint8Array ? shared(images) : images,
    }
    this.#worker = new Worker(worker, {
      // Not ours: those of a test runner would have it load sources.
      execArgv: [],
      workerData: { ...loading, subset: { ...subset, split } } satisfies Loading,
    })
    this.#worker.unref()
    this.#worker.on('message', (reply: BatchReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if ('batch' in reply) waiting?.resolve(reply.batch)
      else waiting?.reject(new (reply.forUser ? UserError : Error)(reply.error))
    })
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
    })
  }

  /** Has a batch and those after it made, whatever epoch they are of, before anyone waits for them. */
  prepare(epoch: number, step: number): void {
    // One that does not exist is asked for too: the answer is the error.
    this.#ask(epoch, step)
    for (let next = step + 1; next <= step + ahead; next++)
      this.#ask(epoch + Math.floor(next / this.#length), next % this.#length)
  }

  /** The batches of an epoch. */
  epoch(epoch: number) {
    return {
      length: this.#length,
      read: (step: number): Promise<Batch> => {
        this.prepare(epoch, step)
        const batch = this.#asked.get(`${epoch} ${step}`)!
        this.#asked.delete(`${epoch} ${step}`)
        return batch
      },
    }
  }

  async dispose(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(epoch: number, step: number): void {
    const key = `${epoch} ${step}`
    if (this.#asked.has(key)) return
    const id = this.#requests++
    const batch = new Promise<Batch>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    )
    // Whoever reads it hears of an error; until then it is not unhandled.
    batch.catch(() => {})
    this.#asked.set(key, batch)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not a window
    this.#worker.postMessage({ id, epoch, step } satisfies BatchRequest)
  }
}

/** The same memory seen by both threads; a copy where it is not made for that. */
function shared(pixels: Uint8Array): Uint8Array {
  if (pixels.buffer instanceof SharedArrayBuffer) return pixels
  const copy = new Uint8Array(new SharedArrayBuffer(pixels.length))
  copy.set(pixels)
  return copy
}
