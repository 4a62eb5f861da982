// Where kernels run: calls tf's kernels on one tf backend directly and owns the tensors they make along the way.
// No engine, no tape, no scopes: several devices live in one process without switching tf's global backend.
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
   * @throws where tf has no such kernel for this backend.
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

  /** Takes over a tensor that was made outside, with its one reference. */
  adopt(x: TfTensor): TfTensor {
    this.#made.push(x)
    return x
  }

  /** A tensor over `values`, or over memory not yet written. */
  make(type: DType, shape: Shape, values?: HostValues): TfTensor {
    const dtype = type as TfDType
    const dataId = this.tf.write((values ?? null)!, shape as number[], dtype)
    return this.adopt({ dataId, shape: shape as number[], dtype })
  }

  /** Zeros of any dtype. */
  zeros(dtype: DType, shape: Shape): TfTensor {
    return this.make(dtype, shape, hostTensor(dtype as TfDType, shape).data)
  }

  /** The same data seen with another shape, or the same. */
  view(x: TfTensor, shape: Shape = x.shape): TfTensor {
    return sameShape(x.shape, shape)
      ? this.adopt({ ...this.retain(x) })
      : this.run('Reshape', { x }, { shape })
  }

  /** Runs `body` and frees what it made, but for what it returns. */
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

  /** One more reference to the same tensor, for its holder to free. */
  retain(x: TfTensor): TfTensor {
    this.tf.incRef(x.dataId)
    return x
  }

  /** Gives up one reference; the data goes with the last. */
  free(x: TfTensor): void {
    this.tf.disposeData(x.dataId)
  }
}
