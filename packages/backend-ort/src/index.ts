// ONNX Runtime (onnxruntime-node) as a backend: `ort:cpu`, `ort:webgpu`, `ort:cuda`. The runtime is loaded when a device
// is first asked for.
import type { Availability, Backend, BackendFactory } from '@embed-kd/core'
import { OrtBackend } from './backend.js'
import { cpu } from './devices/cpu.js'
import { cuda } from './devices/cuda.js'
import type { Device } from './devices/device.js'
import { webgpu } from './devices/webgpu.js'
import { loadOrt } from './runtime.js'

const devices: readonly Device[] = [cpu, webgpu, cuda]

function deviceOf(name: string): Device {
  const device = devices.find((device) => device.name === name)
  if (!device)
    throw new Error(
      `ort has no device "${name}"; choose one of ${devices.map((d) => d.name).join(', ')}`,
    )
  return device
}

export const ortBackend: BackendFactory = {
  name: 'ort',
  devices: devices.map((device) => device.name),
  async probe(name: string): Promise<Availability> {
    try {
      const device = deviceOf(name)
      return await device.probe(await loadOrt())
    } catch (error) {
      return {
        available: false,
        reason: (error as Error).message,
        remedy: 'install onnxruntime-node for this platform: npm install onnxruntime-node',
      }
    }
  },
  async create(name: string): Promise<Backend> {
    const device = deviceOf(name)
    const ort = await loadOrt()
    const availability = await device.probe(ort)
    if (!availability.available)
      throw new Error(`ort:${name} cannot be used: ${availability.reason}; ${availability.remedy}`)
    return OrtBackend.open(ort, device)
  },
}

export { loadOrt, ortBackend as backend }
