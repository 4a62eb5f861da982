// Graphs as ONNX models, for any runtime. Nothing here loads ONNX Runtime, so that browsers can export models too.
export { exportBatch, exportOnnx } from './export.js'
