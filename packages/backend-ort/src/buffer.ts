// A tensor that a caller holds: alive until it is disposed of, or consumed as a donated input.
import {
  bytesOf,
  formatType,
  type DeviceBuffer,
  type DType,
  type MemoryUse,
  type Shape,
  type TensorType,
} from '@embed-kd/core'
import type { Tensor } from 'onnxruntime-node'

/** The live buffers of one backend. */
export class Heap {
  readonly #live = new Set<OrtBuffer>()
  readonly #owner: string
  /** Gives a tensor's memory back. */
  readonly free: (tensor: Tensor) => void

  /** @param owner the backend's name, for errors. */
  constructor(owner: string, free: (tensor: Tensor) => void) {
    this.#owner = owner
    this.free = free
  }

  add(type: TensorType, tensor: Tensor): OrtBuffer {
    const buffer = new OrtBuffer(type, tensor, (disposed, keepsMemory) => {
      this.#live.delete(disposed)
      if (!keepsMemory) this.free(tensor)
    })
    this.#live.add(buffer)
    return buffer
  }

  /** @throws where `buffer` is not a live one of this backend; `what` says which it is. */
  own(buffer: DeviceBuffer, what: string): OrtBuffer {
    if (buffer instanceof OrtBuffer && this.#live.has(buffer) && !buffer.disposed) return buffer
    throw new Error(
      buffer instanceof OrtBuffer && buffer.disposed
        ? `${what} (${formatType(buffer)}) was disposed, or donated to an earlier run`
        : `${what} belongs to another backend; upload its data to ${this.#owner} first`,
    )
  }

  use(): MemoryUse {
    const live = [...this.#live].filter((buffer) => !buffer.disposed)
    return { buffers: live.length, bytes: live.reduce((sum, buffer) => sum + bytesOf(buffer), 0) }
  }

  disposeAll(): void {
    for (const buffer of this.#live) buffer.dispose()
  }
}

export class OrtBuffer implements DeviceBuffer {
  readonly dtype: DType
  readonly shape: Shape
  readonly tensor: Tensor
  readonly #onEnd: (self: OrtBuffer, keepsMemory: boolean) => void
  #readers = 0
  #disposed = false

  constructor(
    { dtype, shape }: TensorType,
    tensor: Tensor,
    onEnd: (self: OrtBuffer, keepsMemory: boolean) => void,
  ) {
    this.dtype = dtype
    this.shape = [...shape]
    this.tensor = tensor
    this.#onEnd = onEnd
  }

  get disposed(): boolean {
    return this.#disposed
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    if (this.#readers === 0) this.#onEnd(this, false)
  }

  /** Ends the buffer and hands its memory over. */
  take(): Tensor {
    this.#disposed = true
    this.#onEnd(this, true)
    return this.tensor
  }

  /** From now on someone reads the memory, which therefore stays until `release`, disposed of or not. */
  retain(): void {
    this.#readers++
  }

  release(): void {
    this.#readers--
    if (this.#disposed && this.#readers === 0) this.#onEnd(this, false)
  }
}

/** Keeps the memory of `buffers` while `read` runs. */
export async function holding<T>(
  buffers: readonly OrtBuffer[],
  read: () => Promise<T>,
): Promise<T> {
  for (const buffer of buffers) buffer.retain()
  try {
    return await read()
  } finally {
    for (const buffer of buffers) buffer.release()
  }
}
