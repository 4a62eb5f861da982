// The training step of a workload on a backend: the state stays on the device, the loss is read after each step.
import {
  initialState,
  trainGraph,
  type Backend,
  type DeviceBuffer,
  type HostTensor,
} from '@embed-kd/core'
import type { Workload } from './workload.js'

export interface Runner {
  /** Runs one step and waits for it. @returns the loss. */
  step(): Promise<number>
  dispose(): Promise<void>
}

export async function openStep(
  backend: Backend,
  { config, parameters, inputs }: Workload,
): Promise<Runner> {
  const executable = await backend.compile(trainGraph(config))
  const upload = async (tensors: ReadonlyMap<string, HostTensor>) => {
    const buffers: Record<string, DeviceBuffer> = {}
    for (const [name, tensor] of tensors) buffers[name] = await backend.upload(tensor)
    return buffers
  }
  const held = await upload(inputs)
  let state = await upload(initialState(parameters))
  return {
    async step() {
      const outputs = await executable.run({ ...state, ...held })
      const loss = await backend.read(outputs['metrics.loss']!)
      await backend.synchronize()
      state = {}
      for (const [name, buffer] of Object.entries(outputs))
        if (name.startsWith('state.')) state[name] = buffer
        else buffer.dispose()
      return loss.data[0]!
    },
    async dispose() {
      for (const buffer of [...Object.values(state), ...Object.values(held)]) buffer.dispose()
      await executable.dispose()
    },
  }
}
