// The thread behind background.ts: it makes the batches it is asked for, and nothing else.

import { parentPort, workerData } from 'node:worker_threads'

import { SampleStore } from '../embeddings/samples.js'
import { isForUser, messageOf } from '@embed-kd/core'
import type { BatchReply, BatchRequest, Loading } from './background.js'
import { createBatch, trainingBatches, type Batches } from './batches.js'
import { createInputWriter } from './input.js'

const loading = workerData as Loading
const { subset, size, seed, augmentation, augmentationSeed = seed, input, store: path } = loading
const write = createInputWriter(subset.shape, input)

let opened: SampleStore | undefined
const openStore = (): SampleStore | undefined =>
  path === undefined ? undefined : (opened ??= SampleStore.open(path))

const viewOf = (epoch: number) => openStore()?.viewOf(epoch) ?? { seed: augmentationSeed, epoch }

/** Of the epoch asked for last: its order is drawn once. */
let current: { readonly epoch: number; readonly batches: Batches } | undefined

function batchesOf(epoch: number): Batches {
  if (current?.epoch !== epoch) {
    const options = { size, seed, epoch, augmentation, view: viewOf(epoch) }
    current = { epoch, batches: trainingBatches(subset, options) }
  }
  return current.batches
}

async function make({ id, epoch, step }: BatchRequest): Promise<BatchReply> {
  try {
    const batch = await batchesOf(epoch).read(step, createBatch(subset.shape, size))
    const images = new Float32Array(size * input.channels * input.height * input.width)
    write(batch.pixels, batch.count, images)
    const embeddings = openStore()?.read(batch, viewOf(epoch)).data as Float32Array | undefined
    return { id, batch: { ...batch, input: images, ...(embeddings ? { embeddings } : {}) } }
  } catch (error) {
    return { id, error: messageOf(error), forUser: isForUser(error) }
  }
}

parentPort!.on('message', async (request: BatchRequest) => {
  const reply = await make(request)
  const arrays = 'batch' in reply ? Object.values(reply.batch).filter(ArrayBuffer.isView) : []
  parentPort!.postMessage(
    reply,
    arrays.map(({ buffer }) => buffer as ArrayBuffer),
  )
})
