// The device that trains in this browser: WebGPU, or WebAssembly with as many threads as the page may have.
import { messageOf, UserError, type Backend } from '@embed-kd/core'

import { devices, type DeviceName, type RunSettings } from './messages.js'

export interface OpenDevice {
  readonly backend: Backend
  readonly name: DeviceName
  /** The adapter, or the number of threads. */
  readonly detail: string
}

/** Opens a device. The runtime is downloaded only now. @throws UserError if the device does not work in this browser. */
export async function openDevice(wanted: RunSettings['device']): Promise<OpenDevice> {
  const { tfjsBackend } = await import('@embed-kd/backend-tfjs')
  const names = wanted === 'best' ? (Object.keys(devices) as DeviceName[]) : [wanted]
  const problems: string[] = []
  for (const name of names)
    try {
      const found = await tfjsBackend.probe(name)
      if (!found.available) throw new Error(found.reason)
      const backend = await tfjsBackend.create(name)
      const detail = name === 'wasm' ? threadsOf(backend) : found.detail
      return { backend, name, detail: detail ?? '' }
    } catch (error) {
      problems.push(`${devices[name]}: ${messageOf(error)}`)
    }
  throw new UserError(
    `this browser cannot train (${problems.join('; ')})`,
    wanted === 'best' ? 'use a current browser' : 'choose another device in the settings',
  )
}

function threadsOf({ versions }: Backend): string {
  const threads = Number(/\d+$/.exec(versions?.['threads'] ?? '1')![0])
  if (threads > 1) return `${threads} threads`
  return crossOriginIsolated
    ? '1 thread'
    : '1 thread: this page was served without the headers that allow more'
}
