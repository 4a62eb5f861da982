// The page of the browser test, with tfjs.
import { hostTensor, op, spec, trace } from '@embed-kd/core'
import { tfjsBackend } from '@embed-kd/backend-tfjs'
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { findBackend } from '@tensorflow/tfjs-core'
import { offer, type OnPage } from '../../../conformance/test/browser/page.js'

export interface Threads {
  /** Whether the page may share memory between threads. */
  readonly isolated: boolean
  /** Threads of the module after a large matrix product. */
  readonly threads: number
  /** An element of the product. */
  readonly element: number
}

export interface OnTfjsPage extends OnPage {
  /** Multiplies matrices that are large enough for tfjs:wasm to start its threads. */
  multiply(): Promise<Threads>
}

async function multiply(): Promise<Threads> {
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

offer(tfjsBackend, { multiply })
