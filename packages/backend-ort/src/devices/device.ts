// What a device is to the rest of this package: what it promises, its session options, its emitters, and how its
// tensors come and go. One file per device beside this one.
import type { Availability, Capabilities, HostTensor } from '@embed-kd/core'
import type * as OrtModule from 'onnxruntime-node'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Emitters } from '../onnx/emitter.js'
import type { Planned } from '../plan.js'

export type Ort = typeof OrtModule

export interface Device extends Planned {
  readonly name: string
  readonly capabilities: Omit<Capabilities, 'excuses'>
  readonly emitters: Emitters
  readonly sessionOptions: InferenceSession.SessionOptions
  /** Whether an operator has finished when the runtime's profiler says so; on a GPU it has only been handed over. */
  readonly profiles: boolean
  /** Never throws. */
  probe(ort: Ort): Promise<Availability>
  open(ort: Ort): Promise<Memory>
}

/** What sessions have in common on every device. */
export const commonOptions = {
  executionMode: 'sequential',
  // Both keep memory for later that a step of fixed shapes does not need: together they double the peak.
  enableMemPattern: false,
  enableCpuMemArena: false,
  extra: {
    // Threads spin while a graph runs, never between runs: idle sessions must not slow the others.
    session: { force_spinning_stop: '1' },
    // What is to be recomputed would be found to be there already; all other duplicates are gone before.
    optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
  },
} as const satisfies InferenceSession.SessionOptions

/** The tensors of a device: inputs and outputs of its sessions. */
export interface Memory {
  /** What this very device is found to have, and not to keep of the contract. */
  readonly capabilities: Pick<Capabilities, 'excuses'> & Partial<Pick<Capabilities, 'dtypes'>>
  /** A tensor whose memory is not the caller's. */
  upload(tensor: HostTensor): Promise<Tensor>
  /** A copy on the host. */
  download(tensor: Tensor): Promise<HostTensor['data']>
  free(tensor: Tensor): void
  /** Resolves when the device has finished what it was given. */
  synchronize(): Promise<void>
  close(): Promise<void>
}
