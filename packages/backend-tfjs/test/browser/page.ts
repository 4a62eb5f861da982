// The page of the browser test: trains on a device of tfjs when the test asks.
import { hostTensor, op, spec, trace } from '@embed-kd/core'
import { tfjsBackend } from '@embed-kd/backend-tfjs'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { findBackend } from '@tensorflow/tfjs-core'
import { losses } from './training.js'

export interface PageResult {
  readonly losses: readonly number[]
  readonly versions: Readonly<Record<string, string>>
  /** Buffers left at the end. */
  readonly buffers: number
}

export interface PageThreads {
  /** Whether the page may share memory between threads. */
  readonly isolated: boolean
  /** Threads of the module after a large matrix product. */
  readonly threads: number
  /** An element of the product. */
  readonly element: number
}

async function train(device: string, steps: number): Promise<PageResult> {
  const backend = await tfjsBackend.create(device)
  const result = {
    losses: await losses(backend, steps),
    versions: backend.versions,
    buffers: backend.memory().buffers,
  }
  await backend.dispose()
  return result
}

/** Returns why each device is not available; undefined for those that are. */
async function reasons(): Promise<Record<string, string | undefined>> {
  const reasons: Record<string, string | undefined> = {}
  for (const device of tfjsBackend.devices) {
    const found = await tfjsBackend.probe(device)
    reasons[device] = found.available ? undefined : found.reason
  }
  return reasons
}

/** Multiplies matrices that are large enough for tfjs:wasm to start its threads. */
async function multiply(): Promise<PageThreads> {
  const backend = await tfjsBackend.create('wasm')
  const size = 512
  const ones = hostTensor('float32', [size, size], new Float32Array(size * size).fill(1))
  const graph = trace('product', { x: spec([size, size]) }, ({ x }) => ({ y: op.matmul(x, x) }))
  const { y } = await (await backend.compile(graph)).run({ x: await backend.upload(ones) })
  const { data } = await backend.read(y!)
  await backend.dispose()
  const { crossOriginIsolated: isolated } = globalThis as { crossOriginIsolated?: boolean }
  // tf's own getThreadsCount tells the number when the module was opened.
  const { tfjs } = (findBackend('wasm') as BackendWasm).wasm
  return { isolated: isolated === true, threads: tfjs.getThreadsCount(), element: data[7]! }
}

Object.assign(globalThis, { train, reasons, multiply })
