// ONNX Runtime for the Web: the runtime compiled to WebAssembly, for browsers and for Node. The package is an optional peer: it is
// large, and only these devices need it.
import type { Ort, Runtime } from './devices/device.js'

export type WebOrt = Ort

/** Maximum number of threads: beyond it, the threads of a small model wait for each other more than they compute. */
const MAX_THREADS = 8

/**
 * Returns the runtime of one build of onnxruntime-web.
 * @param load imports the build.
 * @param cores number of cores that its threads may use; a program that sets `env.wasm.numThreads` first has its way.
 */
export const webRuntime = (load: () => Promise<WebOrt>, cores: () => number): Runtime => ({
  async load() {
    const ort = await load().catch(refuse)
    ort.env.wasm.numThreads ??= Math.min(cores(), MAX_THREADS)
    return ort
  },
  remedy: 'install it: npm install onnxruntime-web@1.30.0',
  versions: ({ env }) => ({
    'onnxruntime-web': env.versions.web ?? 'unknown',
    threads: String(env.wasm.numThreads),
  }),
  passesFloat16: () => true,
})

function refuse(error: unknown): never {
  if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
  throw new Error('the npm package onnxruntime-web is not installed')
}
