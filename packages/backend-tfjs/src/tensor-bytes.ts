// Counts the bytes of all tensors of a tf backend. Every kernel, whoever calls it, makes its tensors through the backend and frees
// them there.
import { util, type DataType, type KernelBackend, type TensorInfo } from '@tensorflow/tfjs-core'

/** tf's native packages make the outputs of kernels elsewhere than other backends. */
interface NativeOutputs {
  createOutputTensor(metadata: object): TensorInfo
}
const isNative = (backend: object): backend is NativeOutputs => 'createOutputTensor' in backend

/** Bytes of all tensors of a tf backend, and their greatest sum since `restart`. */
export class TensorBytes {
  static readonly #counters = new WeakMap<KernelBackend, TensorBytes>()
  readonly #sizes = new WeakMap<object, number>()
  #live = 0
  #peak = 0

  /** Returns the one counter of a tf backend, of which a process may open several devices. */
  static of(backend: KernelBackend): TensorBytes {
    const counter = this.#counters.get(backend) ?? new TensorBytes(backend)
    this.#counters.set(backend, counter)
    return counter
  }

  private constructor(backend: KernelBackend) {
    const write = backend.write.bind(backend)
    const disposeData = backend.disposeData.bind(backend)
    backend.write = (data, shape, dtype) => this.#made(write(data, shape, dtype), shape, dtype)
    if (isNative(backend)) {
      const createOutputTensor = backend.createOutputTensor.bind(backend)
      backend.createOutputTensor = (metadata) => {
        const output = createOutputTensor(metadata)
        this.#made(output.dataId, output.shape, output.dtype)
        return output
      }
    }
    backend.disposeData = (id, force) => {
      const freed = disposeData(id, force)
      if (freed) {
        this.#live -= this.#sizes.get(id) ?? 0
        this.#sizes.delete(id)
      }
      return freed
    }
  }

  #made(id: object, shape: number[], dtype: DataType): object {
    const bytes = util.sizeFromShape(shape) * util.bytesPerElement(dtype)
    this.#sizes.set(id, bytes)
    this.#live += bytes
    this.#peak = Math.max(this.#peak, this.#live)
    return id
  }

  /** Forgets the peak. @returns the bytes alive now. */
  restart(): number {
    this.#peak = this.#live
    return this.#live
  }

  get peak(): number {
    return this.#peak
  }
}
