// Loads ONNX Runtime, with its telemetry off: it would write to a database of all its processes, and send from it over the
// network, while steps are timed.

export function loadOrt() {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
  return import('onnxruntime-node')
}
