// Loads ONNX Runtime for Node. Everything in this repository that uses onnxruntime-node calls `loadOrt`.
import type * as OrtModule from 'onnxruntime-node'
import type { Runtime } from './devices/device.js'

/** The part of the runtime that makes tensors. */
type Tensors = Pick<typeof OrtModule, 'Tensor'>

/**
 * Loads onnxruntime-node with its telemetry off: telemetry would write to a database that all its processes share, and
 * send from it over the network, while steps are timed.
 */
export async function loadOrt() {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
  const ort = await import('onnxruntime-node')
  withoutFloat16Array(() => new ort.Tensor('float32', new Float32Array(1), [1]))
  return ort
}

/**
 * Returns whether the runtime keeps float16 data in a Uint16Array, as `loadOrt` sees to. Node 24 and later have a
 * Float16Array: the runtime's JavaScript half then converts to it, and its native half (1.30) finds a tensor without
 * data. The JavaScript half chooses the array once, with the first tensor of the process, so `loadOrt` makes a tensor
 * while the global is hidden. It comes too late only if the program has made a tensor before.
 */
export const keepsFloat16Words = ({ Tensor }: Tensors): boolean =>
  new Tensor('float16', new Uint16Array(1), [1]).data.constructor === Uint16Array

export const nodeRuntime: Runtime = {
  load: loadOrt,
  remedy: 'install onnxruntime-node for this platform: npm install onnxruntime-node',
  versions: ({ env }) => ({ 'onnxruntime-node': env.versions.node ?? 'unknown' }),
  passesFloat16: keepsFloat16Words,
}

function withoutFloat16Array(body: () => unknown): void {
  const global = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array')
  Reflect.deleteProperty(globalThis, 'Float16Array')
  try {
    body()
  } finally {
    if (global) Object.defineProperty(globalThis, 'Float16Array', global)
  }
}
