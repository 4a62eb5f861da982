// ONNX Runtime as a backend, in Node: `ort:cpu`, `ort:webgpu`, `ort:cuda` and `ort:wasm`. Bundlers for browsers take browser.ts
// instead.
import { nodeDevices } from './devices/node.js'
import { ortFactory } from './factory.js'
import { loadOrt } from './runtime.js'

export const ortBackend = ortFactory(nodeDevices)

export { loadOrt, ortBackend as backend }
