// Two services of the browser: it saves a file, and keeps the page for times without a network.
import type { ExportName } from './messages.js'

const fileNames: Readonly<Record<ExportName, string>> = {
  onnx: 'model.onnx',
  safetensors: 'model.safetensors',
  record: 'studio.jsonl',
}

export function downloadFile(name: ExportName, bytes: Uint8Array): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([bytes as BlobPart]))
  link.download = fileNames[name]
  link.click()
  URL.revokeObjectURL(link.href)
}

/** Keeps the page's files in this browser, in the background. @param tell called once all of them are kept. */
export function registerOffline(tell: (text: string) => void): void {
  // Browsers without service workers, and pages from plain http, need a network at every visit.
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  void navigator.serviceWorker.register('./service-worker.js').then(
    () => navigator.serviceWorker.ready.then(() => tell('This page now works offline.')),
    () => undefined,
  )
}
