// What the page asks of the browser: to save a file, and to keep the page for times without a network.
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
  // Browsers without it, and pages from plain http, work as long as there is a network.
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  void navigator.serviceWorker.register('./service-worker.js').then(
    () => navigator.serviceWorker.ready.then(() => tell('This page now works offline.')),
    () => undefined,
  )
}
