// The contract between graphs and the backends that run them: PJRT's idea in the size of this project. A backend compiles graphs to
// executables and keeps tensors on its device between runs. It knows nothing of distillation.
import type { Graph, Place } from '../graph/graph.js'
import type { CompositeName } from '../graph/ops.js'
import type { DType, HostTensor, TensorType } from '../tensor/tensor.js'

/** A tensor on a backend's device. Using it after `dispose`, or after it was donated, is an error. */
export interface DeviceBuffer extends TensorType {
  /** Frees the device memory. Disposing twice is allowed and does nothing. */
  dispose(): void
}

/** A compiled graph. */
export interface Executable {
  /**
   * The graph that runs: the compiled one after the backend's own lowering, with the same inputs, outputs and results. Its nodes
   * are the ops that the backend has operators for, so costs are counted on this graph.
   */
  readonly graph: Graph
  /**
   * Runs the graph once. Every input of the graph is given by name and every output comes back by name; outputs
   * belong to the caller, who disposes them. Inputs marked donated are consumed, whether the backend reuses their
   * memory or not; all others stay as they were. May return before the device has finished: see `synchronize`.
   * @throws if an input is missing, unknown, disposed, from another backend, or of the wrong type.
   */
  run(inputs: Readonly<Record<string, DeviceBuffer>>): Promise<Record<string, DeviceBuffer>>
  /** Frees what compiling allocated. Buffers it made stay alive. */
  dispose(): Promise<void>
}

/** Time of one operator of the runtime in one run. */
export interface OperatorTime {
  /** The runtime's name for it: `FusedMatMul`. */
  readonly operator: string
  /** Place of the node that the operator was made for; absent if the runtime made the operator itself. */
  readonly place?: Place
  readonly seconds: number
  /** Floating-point operations; of matrix products only. */
  readonly flops?: number
}

/** An executable that measures the time of its operators. */
export interface ProfiledExecutable extends Executable {
  /**
   * Ends profiling: for each run so far, the operators in the order they ran.
   * @throws if profiling was ended before.
   */
  endProfile(): Promise<readonly (readonly OperatorTime[])[]>
}

/** Bytes and buffers that the caller holds on the device (not counting what a run needs in passing). */
export interface MemoryUse {
  readonly buffers: number
  readonly bytes: number
  /** Bytes that the device's allocator has reserved; absent if the runtime does not tell. */
  readonly reservedBytes?: number
}

/** A conformance case a backend is known to fail. The excuse becomes an error once the case passes. */
export interface Excuse {
  /** Name of the case, or a prefix of names that ends in `*`. */
  readonly case: string
  readonly reason: string
}

export interface Capabilities {
  /** Composites the backend runs itself; the others are decomposed before it sees them. */
  readonly composites: readonly CompositeName[]
  readonly dtypes: readonly DType[]
  /**
   * Relative error of one arithmetic operation on this device (float32's unit roundoff is 2^-24 ≈ 6e-8).
   * `transcendental` is that of exp, log and the roots, and the absolute error of functions bounded by 1 (tanh, sigmoid, erf,
   * sin, cos). Conformance derives its tolerances from these two.
   */
  readonly precision: { readonly arithmetic: number; readonly transcendental: number }
  /** Same executable, inputs and key give the same bits on this device. */
  readonly deterministic: boolean
  /** Donated inputs' memory is really reused during the run, so that planned peaks may count on it. */
  readonly reusesDonated: boolean
  /**
   * Tensors and temporaries are in the memory of this process, so that its resident set shows what a run needs. False for a
   * device with memory of its own.
   */
  readonly hostMemory: boolean
  /** Denormal floats are kept rather than flushed to zero. */
  readonly denormals: boolean
  readonly excuses: readonly Excuse[]
}

export interface Backend {
  /** `ort:cpu` */
  readonly name: string
  readonly capabilities: Capabilities
  /** Versions of the runtime and facts about the device, for records (`{ 'onnxruntime-node': '1.30.0' }`). */
  readonly versions: Readonly<Record<string, string>>
  /**
   * Makes a graph runnable: lowers it, plans it, translates it for the runtime, and compiles the translation.
   * @throws if the graph breaks a contract (`verify`) or needs an op or dtype that the device does not have.
   */
  compile(graph: Graph): Promise<Executable>
  /** Compiles a graph and measures the time of each operator. Absent if the runtime does not tell these times. */
  compileProfiled?(graph: Graph): Promise<ProfiledExecutable>
  /** Copies a host tensor to the device. */
  upload(tensor: HostTensor): Promise<DeviceBuffer>
  /** Copies a buffer to the host, after everything it depends on has run. */
  read(buffer: DeviceBuffer): Promise<HostTensor>
  /** Resolves when all work handed to the device has finished: put it before reading a clock. */
  synchronize(): Promise<void>
  memory(): MemoryUse
  /** Frees everything; the backend is unusable afterwards. */
  dispose(): Promise<void>
}

/** Whether a device can be used here, and if not, the reason and a remedy. */
export type Availability =
  | { readonly available: true; readonly detail?: string }
  | { readonly available: false; readonly reason: string; readonly remedy: string }

/** The object that a backend package exports as `backend`: it finds out about devices and opens them. */
export interface BackendFactory {
  /** `ort` */
  readonly name: string
  /** The first is the default. */
  readonly devices: readonly string[]
  /** Finds out whether a device can be used. Never throws; loads as little as possible. */
  probe(device: string): Promise<Availability>
  /** Opens a device. @throws with cause and remedy if the device cannot be used. */
  create(device: string): Promise<Backend>
}
