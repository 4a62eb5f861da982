// The worker behind parquet-reader.ts: it answers one request at a time, and may be terminated at any.

import { parentPort } from 'node:worker_threads'

import { messageOf } from '@embed-kd/core'
import type { ParquetReply, ParquetRequest } from './parquet-reader.js'
import { readFacts, readImages, readValues, UnsupportedCodecError } from './parquet-table.js'

const answers = {
  facts: ({ path }: ParquetRequest) => readFacts(path),
  values: ({ path, column, end }: ParquetRequest) => readValues(path, column, end),
  images: ({ path, column, begin, end }: ParquetRequest) => readImages(path, column, begin, end),
} satisfies Record<ParquetRequest['what'], (request: ParquetRequest) => Promise<unknown>>

parentPort!.on('message', async (request: ParquetRequest) => {
  let reply: ParquetReply
  const moved: ArrayBuffer[] = []
  try {
    const value = await answers[request.what](request)
    if ('begins' in value)
      moved.push(value.bytes.buffer as ArrayBuffer, value.begins.buffer as ArrayBuffer)
    reply = { value }
  } catch (error) {
    const remedy = error instanceof UnsupportedCodecError ? error.remedy : undefined
    reply = { error: messageOf(error), remedy }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not a window
  parentPort!.postMessage(reply, moved)
})
