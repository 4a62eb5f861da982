// The contract of backends, modelled on PJRT. A backend compiles graphs to executables, and keeps tensors on its device between
// runs. It knows nothing of distillation.
import type { Graph, Place } from '../graph/graph.js'
import type { CompositeName } from '../graph/ops.js'
import type { DType, HostTensor, TensorType } from '../tensor/tensor.js'

/** A tensor on a backend's device. Using it after `dispose`, or after it was donated, is an error. */
export interface DeviceBuffer extends TensorType {
  /** Frees the device memory. Disposing twice is allowed and does nothing. */
  dispose(): void
}

/** Memory of one run as the runtime manages it, in bytes. `planMemory` has the ideal that it is compared with. */
export interface RunMemory {
  /** Memory that the executable keeps between runs, such as constants. */
  readonly residentBytes: number
  /** Greatest sum of all tensors at any time of a run: inputs, outputs, temporaries and `residentBytes`. */
  readonly peakBytes: number
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
  /**
   * Plans the memory of a run as the runtime manages it: its order of operators, the buffers that it keeps or reuses, and its
   * temporaries. Absent if the backend does not know; undefined if a part of this graph is unknown.
   */
  planMemory?(): Promise<RunMemory | undefined>
  /** Returns the memory of the latest run, counted tensor by tensor. Absent if the backend does not make the tensors itself. */
  countedMemory?(): RunMemory | undefined
  /** Frees the memory of compilation. Buffers from earlier runs stay alive. */
  dispose(): Promise<void>
}

/** Time of one operator of the runtime in one run. */
export interface OperatorTime {
  /** Operator's name in the runtime, such as `FusedMatMul`. */
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

/** Buffers that the caller holds on the device. Temporary memory of a run does not count. */
export interface MemoryUse {
  readonly buffers: number
  readonly bytes: number
  /** Bytes that the device's allocator has reserved; absent if the runtime does not tell. */
  readonly reservedBytes?: number
}

/** Excuse for a conformance case that a backend is known to fail. The excuse becomes an error once the case passes. */
export interface Excuse {
  /** Name of the case, or a prefix of names that ends in `*`. */
  readonly case: string
  readonly reason: string
}

export interface Capabilities {
  /** Composites that the backend runs itself. All others are decomposed before compilation. */
  readonly composites: readonly CompositeName[]
  readonly dtypes: readonly DType[]
  /**
   * Rounding errors of this device, from which conformance derives its tolerances. `arithmetic` is the relative error of one
   * arithmetic operation (float32's unit roundoff is 2^-24 ≈ 6e-8). `transcendental` is the relative error of exp, log and roots,
   * and the absolute error of functions bounded by 1 (tanh, sigmoid, erf, sin, cos).
   */
  readonly precision: { readonly arithmetic: number; readonly transcendental: number }
  /** Whether the same executable and inputs give the same bits in every run. */
  readonly deterministic: boolean
  /** Whether a run reuses the memory of donated inputs, so that planned peaks may count on it. */
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
  /** Resolves when the device has finished all work so far. Await it before reading a clock. */
  synchronize(): Promise<void>
  memory(): MemoryUse
  /** Frees everything; the backend is unusable afterwards. */
  dispose(): Promise<void>
}

/** Whether a device can be used here, and if not, the reason and a remedy. */
export type Availability =
  | { readonly available: true; readonly detail?: string }
  | { readonly available: false; readonly reason: string; readonly remedy: string }

/** How a device is opened. */
export interface DeviceOptions {
  /**
   * Whether the runtime may keep memory that a run has freed for the next run (default: true), which makes runs faster. A process
   * whose memory is measured sets it to false, so that its peak is what its runs need.
   */
  readonly keepsMemory?: boolean
}

/** The object that a backend package exports as `backend`: it finds out about devices and opens them. */
export interface BackendFactory {
  /** Name of the backend without a device, such as `ort`. */
  readonly name: string
  /** Names of the devices. The first is the default. */
  readonly devices: readonly string[]
  /** Finds out whether a device can be used. Never throws; loads as little as possible. */
  probe(device: string): Promise<Availability>
  /** Opens a device. @throws with cause and remedy if the device cannot be used. */
  create(device: string, options?: DeviceOptions): Promise<Backend>
}
