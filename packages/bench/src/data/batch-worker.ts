// The thread behind background.ts: it makes the batches it is asked for, and nothing else.

import { parentPort, workerData } from 'node:worker_threads'

import type { BatchReply, BatchRequest, Loading } from './background.js'
import { createBatch, trainingBatches, type Batches } from './batches.js'
import { createInputWriter } from './input.js'

const { subset, size, seed, augmentation, input } = workerData as Loading
const write = createInputWriter(subset.shape, input)

/** Of the epoch asked for last: its order is drawn once. */
let current: { readonly key: string; readonly batches: Batches } | undefined

function batchesOf({ epoch, view }: BatchRequest): Batches {
  const key = `${epoch} ${view.seed} ${view.epoch}`
  if (current?.key !== key)
    current = { key, batches: trainingBatches(subset, { size, seed, epoch, augmentation, view }) }
  return current.batches
}

parentPort!.on('message', (request: BatchRequest) => {
  const { id, step } = request
  try {
    const batch = batchesOf(request).read(step, createBatch(subset.shape, size))
    const images = new Float32Array(size * input.channels * input.height * input.width)
    write(batch.pixels, batch.count, images)
    const buffers = [batch.pixels, batch.labels, batch.mask, batch.indices, images]
    parentPort!.postMessage(
      { id, batch: { ...batch, input: images } } satisfies BatchReply,
      buffers.map(({ buffer }) => buffer as ArrayBuffer),
    )
  } catch (error) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not a window
    parentPort!.postMessage({ id, error: (error as Error).message } satisfies BatchReply)
  }
})
