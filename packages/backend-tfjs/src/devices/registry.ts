// The devices by name. A device's file, and with it its part of tf, is loaded when the device is asked for.
import type { NativePackage } from '../platform/platform.js'
import type { Device, DeviceModule } from './device.js'
import { Unavailable } from '../unavailable.js'

const native = async (name: NativePackage): Promise<DeviceModule> =>
  (await import('./native.js')).nativeDevice(name)

const modules: Readonly<Record<string, () => Promise<DeviceModule>>> = {
  cpu: () => import('./cpu.js'),
  wasm: () => import('./wasm.js'),
  webgpu: () => import('./webgpu.js'),
  node: () => native('@tensorflow/tfjs-node'),
  'node-gpu': () => native('@tensorflow/tfjs-node-gpu'),
}

export const deviceNames: readonly string[] = Object.keys(modules)

/** @throws Unavailable if there is no device of that name. */
export async function deviceModule(name: string): Promise<DeviceModule> {
  const load = modules[name]
  if (!load)
    throw new Unavailable(`tfjs has no device "${name}"`, `choose one of ${deviceNames.join(', ')}`)
  return load()
}

/** @throws Unavailable if the device cannot be used. */
export const openDevice = async (name: string): Promise<Device> => (await deviceModule(name)).open()
