// The one file of tf's build that has no types.
declare module '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js' {
  /** Source of the workers. */
  export const wasmWorkerContents: string
}
