// The thread behind background.ts: it makes the batches it is asked for, and nothing else.

import { parentPort, workerData } from 'node:worker_threads'

import { SampleStores } from '../embeddings/stores.js'
import { isForUser, messageOf } from '@embed-kd/core'
import type { BatchReply, BatchRequest, Loading } from './background.js'
import { createBatch, trainingBatches, type Batch, type Batches } from './batches.js'
import { createInputWriter } from './input.js'

const loading = workerData as Loading
const { subset, size, seed, augmentation, augmentationSeed = seed, input, store: paths } = loading
const write = createInputWriter(subset.shape, input)

let opened: SampleStores | undefined
const openStores = (): SampleStores | undefined =>
  paths === undefined ? undefined : (opened ??= SampleStores.open(paths))

const viewOf = (epoch: number) => openStores()?.viewOf(epoch) ?? { seed: augmentationSeed, epoch }

/** The batches of the latest epoch: the order of an epoch is drawn once. */
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
    const embeddings = openStores()?.read(batch, viewOf(epoch))
    return { id, batch: { ...batch, input: images, ...(embeddings ? { embeddings } : {}) } }
  } catch (error) {
    return { id, error: messageOf(error), forUser: isForUser(error) }
  }
}

parentPort!.on('message', async (request: BatchRequest) => {
  const reply = await make(request)
  const { embeddings = {}, ...rest } = 'batch' in reply ? reply.batch : ({} as Partial<Batch>)
  const rows = embeddings instanceof Float32Array ? [embeddings] : Object.values(embeddings)
  const values: readonly unknown[] = [...rows, ...Object.values(rest)]
  const buffers = values.filter(ArrayBuffer.isView).map(({ buffer }) => buffer as ArrayBuffer)
  parentPort!.postMessage(reply, buffers)
})
