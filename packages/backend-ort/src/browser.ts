// ONNX Runtime as a backend, in a browser: `ort:wasm` and `ort:webgpu`.
import { browserDevices } from './devices/browser.js'
import { ortFactory } from './factory.js'

export const ortBackend = ortFactory(browserDevices)

export { ortBackend as backend }
