// A Hugging Face checkpoint at work: its weights on a backend, one compiled graph, its own preprocessing.
import {
  embeddingWidth,
  embedGraph,
  hostTensor,
  type Backend,
  type DeviceBuffer,
  type Executable,
} from '@embed-kd/core'

import type { InputWriter, ModelInput } from '../data/input.js'
import { disposeAll, upload } from '../trial/training.js'
import {
  checkFinite,
  inputWriterOf,
  type Embedded,
  type Encoder,
  type EncoderOptions,
} from './encoder.js'
import { digestFiles, loadHfTeacher } from './hf.js'

export class HfEncoder implements Encoder {
  readonly name: string
  readonly digest: string
  readonly pooling: string
  readonly width: number
  readonly classes?: number
  readonly input: ModelInput
  readonly #backend: Backend
  readonly #executable: Executable
  readonly #weights: Record<string, DeviceBuffer>
  readonly #batch: number
  readonly #write: InputWriter

  private constructor(
    facts: Pick<Encoder, 'name' | 'digest' | 'pooling' | 'width' | 'classes' | 'input'>,
    backend: Backend,
    executable: Executable,
    weights: Record<string, DeviceBuffer>,
    batch: number,
    write: InputWriter,
  ) {
    this.name = facts.name
    this.digest = facts.digest
    this.pooling = facts.pooling
    this.width = facts.width
    if (facts.classes !== undefined) this.classes = facts.classes
    this.input = facts.input
    this.#backend = backend
    this.#executable = executable
    this.#weights = weights
    this.#batch = batch
    this.#write = write
  }

  static async open(
    name: string,
    directory: string,
    { backend, source, batch, imageSize, temperature }: EncoderOptions,
  ): Promise<HfEncoder> {
    const { model, parameters, input, weightFiles } = loadHfTeacher(directory, imageSize)
    const write = inputWriterOf(name, source, input)
    const shape = { channels: input.channels, size: input.height }
    const executable = await backend.compile(embedGraph(model, batch, shape, temperature))
    const weights: Record<string, DeviceBuffer> = {}
    for (const [parameter, tensor] of parameters) {
      weights[`teacher.${parameter}`] = await backend.upload(tensor)
      // The device has its copy; two of all weights would be the most memory of the whole run.
      parameters.delete(parameter)
    }
    const facts = {
      name,
      digest: await digestFiles(weightFiles),
      pooling: model.projection === undefined ? 'class token' : 'projected class token',
      width: embeddingWidth(model),
      ...('classes' in model ? { classes: model.classes } : {}),
      input,
    }
    return new HfEncoder(facts, backend, executable, weights, batch, write)
  }

  async embed(pixels: Uint8Array, count: number): Promise<Embedded> {
    const embeddings = new Float32Array(count * this.width)
    const probabilities = this.classes ? new Float32Array(count * this.classes) : undefined
    const imageBytes = pixels.length / Math.max(count, 1)
    const { channels, height, width } = this.input
    for (let first = 0; first < count; first += this.#batch) {
      const real = Math.min(this.#batch, count - first)
      const images = hostTensor('float32', [this.#batch, channels, height, width])
      this.#write(
        pixels.subarray(first * imageBytes, (first + real) * imageBytes),
        real,
        images.data,
      )
      const inputs = await upload(this.#backend, [['batch.images', images]])
      const outputs = await this.#executable.run({ ...this.#weights, ...inputs })
      const take = async (output: string, into: Float32Array, columns: number) => {
        const { data } = await this.#backend.read(outputs[output]!)
        into.set((data as Float32Array).subarray(0, real * columns), first * columns)
      }
      await take('embeddings', embeddings, this.width)
      if (probabilities) await take('probabilities', probabilities, this.classes!)
      disposeAll(inputs)
      disposeAll(outputs)
    }
    checkFinite(this.name, embeddings)
    return { embeddings, ...(probabilities ? { probabilities } : {}) }
  }

  async dispose(): Promise<void> {
    disposeAll(this.#weights)
    await this.#executable.dispose()
  }
}
