// Calls tf's kernels on one tf backend directly, and owns the tensors that they make along the way. Without tf's engine and tape,
// several devices live in one process and tf's global backend is never switched.
import { hostTensor, sameShape, type DType, type HostTensor, type Shape } from '@embed-kd/core'
import {
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type TensorInfo,
} from '@tensorflow/tfjs-core'

/** A tf tensor: an id that the tf backend knows, seen with a shape and a dtype. Holds one reference to its data. */
export type TfTensor = TensorInfo

/** core's dtypes that tf has; `verify` and `checkHostTensor` refuse float16. */
export type TfDType = Exclude<DType, 'float16'>

/** The typed arrays tf keeps host values in. */
export type HostValues = Extract<HostTensor, { dtype: TfDType }>['data']

/** tf's kernels on one tf backend. */
export class Workspace {
  readonly tf: KernelBackend
  readonly #registry: string
  #made: TfTensor[] = []

  /** @param registry the name that the kernels of `tf` are registered by: cpu, wasm, webgpu, tensorflow. */
  constructor(tf: KernelBackend, registry: string) {
    this.tf = tf
    this.#registry = registry
  }

  /**
   * Runs one tf kernel.
   * @throws if tf has no such kernel for this backend.
   */
  run(
    kernel: string,
    inputs: Readonly<Record<string, TfTensor>> | readonly TfTensor[],
    attrs: object = {},
  ): TfTensor {
    const found = getKernel(kernel, this.#registry)
    if (!found) throw new Error(`tf's ${this.#registry} backend has no kernel ${kernel}`)
    const { dataId, shape, dtype } = found.kernelFunc({
      inputs: inputs as unknown as NamedTensorInfoMap,
      attrs: attrs as NamedAttrMap,
      backend: this.tf,
    }) as TfTensor
    return this.adopt({ dataId, shape, dtype })
  }

  /** Takes over a tensor that was made elsewhere, with its one reference. */
  adopt(x: TfTensor): TfTensor {
    this.#made.push(x)
    return x
  }

  /** Makes a tensor of `values`, or of memory that is not written yet. */
  make(type: DType, shape: Shape, values?: HostValues): TfTensor {
    const dtype = type as TfDType
    const dataId = this.tf.write((values ?? null)!, shape as number[], dtype)
    return this.adopt({ dataId, shape: shape as number[], dtype })
  }

  /** Makes a tensor of zeros. */
  zeros(dtype: DType, shape: Shape): TfTensor {
    return this.make(dtype, shape, hostTensor(dtype as TfDType, shape).data)
  }

  /** Returns the same data under another shape. */
  view(x: TfTensor, shape: Shape = x.shape): TfTensor {
    return sameShape(x.shape, shape)
      ? this.adopt({ ...this.retain(x) })
      : this.run('Reshape', { x }, { shape })
  }

  /** Runs `body` and frees the tensors that it made, except those that it returns. */
  scope(body: () => readonly TfTensor[]): readonly TfTensor[] {
    const outer = this.#made
    this.#made = []
    let kept: readonly TfTensor[] = []
    try {
      kept = body()
      return kept
    } finally {
      for (const x of this.#made) if (!kept.includes(x)) this.free(x)
      this.#made = outer
    }
  }

  /** Adds a reference to a tensor, for its holder to free. */
  retain(x: TfTensor): TfTensor {
    this.tf.incRef(x.dataId)
    return x
  }

  /** Drops one reference; the data is freed with the last one. */
  free(x: TfTensor): void {
    this.tf.disposeData(x.dataId)
  }
}
