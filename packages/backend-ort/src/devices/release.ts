// Frees host memory at once. The collector frees an ArrayBuffer when it gets to it, and a training step leaves a whole
// state behind each time: the few that would be waiting for it add to the peak.
import { MessageChannel } from 'node:worker_threads'

const { port1: nowhere, port2 } = new MessageChannel()
port2.close()

/** Detaches the array's buffer and frees it: what is transferred to a port that nobody holds is gone. */
export const release = (array: ArrayBufferView): void =>
  nowhere.postMessage(null, [array.buffer as ArrayBuffer])
