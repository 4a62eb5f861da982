// Tensors in host memory, for providers that take and return them there. A run has finished when it returns.
import type { HostTensor } from '@embed-kd/core'
import type { Tensor } from 'onnxruntime-common'
import type { Memory, Ort } from './device.js'

export const hostMemory = (ort: Ort): Memory => ({
  capabilities: { excuses: [] },
  upload: async ({ dtype, shape, data }) => new ort.Tensor(dtype, data.slice(), shape),
  download: async (tensor) => dataOf(tensor).slice(),
  free: (tensor) => release(tensor.data as HostTensor['data']),
  synchronize: async () => {},
  close: async () => {},
})

/** Returns a tensor's data; float16 as words, which the runtime has as numbers if JavaScript has a Float16Array. */
function dataOf({ type, data }: Tensor): HostTensor['data'] {
  if (type !== 'float16') return data as HostTensor['data']
  const { buffer, byteOffset, length } = data as Uint16Array
  return new Uint16Array(buffer, byteOffset, length)
}

const { port1: nowhere, port2 } = new MessageChannel()
port2.close()

/**
 * Frees an array's memory at once, by transferring it to a port that nobody holds. The garbage collector would free it later, and
 * a training step leaves a whole state behind: the states that wait would add to the peak.
 */
const release = (array: ArrayBufferView): void =>
  nowhere.postMessage(null, [array.buffer as ArrayBuffer])
