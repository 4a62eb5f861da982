// The form of a device: its runtime, capabilities, session options and emitters, and how tensors get to it and back. Each
// device has a file beside this one.
import type { Availability, Capabilities, Graph, HostTensor, RunMemory } from '@embed-kd/core'
import type * as OrtModule from 'onnxruntime-common'
import type { InferenceSession, Tensor } from 'onnxruntime-common'
import type { Emitters } from '../onnx/emitter.js'
import type { Plan, Planned } from '../plan.js'
import type { Profile } from '../profile.js'

/** The interface that onnxruntime-node and onnxruntime-web share. */
export type Ort = Pick<typeof OrtModule, 'InferenceSession' | 'Tensor' | 'env'>

/** An npm package that ONNX Runtime comes in. */
export interface Runtime {
  /** Loads the package, once. */
  load(): Promise<Ort>
  /** Advice for when the package cannot be loaded. */
  readonly remedy: string
  versions(ort: Ort): Readonly<Record<string, string>>
  /** Returns whether float16 tensors get through the package's JavaScript. */
  passesFloat16(ort: Ort): boolean
}

export interface Device extends Planned {
  readonly name: string
  readonly runtime: Runtime
  readonly capabilities: Omit<Capabilities, 'excuses'>
  readonly emitters: Emitters
  readonly sessionOptions: InferenceSession.SessionOptions
  /**
   * Whether models hide the shapes of large results (default: false), for a runtime that allocates and frees each tensor by itself;
   * see `ModelBuilder.shape`.
   */
  readonly hidesShapes?: boolean
  /** Plans the memory of a run of a model. Absent if the runtime's management of memory is not known. */
  planMemory?(
    ort: Ort,
    plan: Plan,
    model: Uint8Array,
    options: InferenceSession.SessionOptions,
  ): Promise<RunMemory | undefined>
  /** Makes the profile of a graph. Absent if the runtime's profiler measures until operators are queued, not until they finish. */
  profile?(graph: Graph): Profile
  /** Never throws. */
  probe(ort: Ort): Promise<Availability>
  open(ort: Ort): Promise<Memory>
}

/** Graph optimizers of the runtime that cost more memory or time than they save. */
const harmfulOptimizers = [
  // Undoes the recomputation of activations; core has removed all other duplicates.
  'CommonSubexpressionElimination',
  // Copies the parts of all of a teacher's weights before the first operator that needs one.
  'GatherSliceToSplitFusion',
]

/** Session options of every device. */
export const commonOptions = {
  executionMode: 'sequential',
  // Memory planned for all tensors of a run at once would nearly double the peak.
  enableMemPattern: false,
  extra: {
    // Threads spin while a graph runs, never between runs: idle sessions must not slow the others.
    session: { force_spinning_stop: '1' },
    optimization: { disable_specified_optimizers: harmfulOptimizers.join(';') },
  },
} as const satisfies InferenceSession.SessionOptions

/** Returns the session options of every device, with further graph optimizers of the runtime switched off. */
export const withoutOptimizers = (...names: string[]) => ({
  ...commonOptions,
  extra: {
    ...commonOptions.extra,
    optimization: { disable_specified_optimizers: [...harmfulOptimizers, ...names].join(';') },
  },
})

/** The tensors of a device: inputs and outputs of its sessions. */
export interface Memory {
  /** Dtypes and excuses that were found by trying the device. */
  readonly capabilities: Pick<Capabilities, 'excuses'> & Partial<Pick<Capabilities, 'dtypes'>>
  /** Copies a host tensor to the device. */
  upload(tensor: HostTensor): Promise<Tensor>
  /** Copies a tensor to the host. */
  download(tensor: Tensor): Promise<HostTensor['data']>
  free(tensor: Tensor): void
  /** Resolves when the device has finished all work. */
  synchronize(): Promise<void>
  close(): Promise<void>
}
