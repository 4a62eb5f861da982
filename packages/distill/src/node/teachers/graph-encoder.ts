// A vision transformer of ours at work as a teacher: its weights on a backend, one compiled graph, images prepared as it wants them.
import {
  embeddingWidth,
  embedGraph,
  hostTensor,
  parameterCount,
  vitParameters,
  type Backend,
  type ClassifierConfig,
  type DeviceBuffer,
  type Executable,
  type HostTensor,
  type Pooling,
  type ViTConfig,
} from '@embed-kd/core'

import type { InputWriter, ModelInput } from '../data/input.js'
import { disposeAll, namesOf, upload } from '../../training/training.js'
import {
  checkFinite,
  inputWriterOf,
  type Embedded,
  type Encoder,
  type EncoderOptions,
} from './encoder.js'
import { digestFiles } from './checkpoint.js'
import { loadHfTeacher } from './hf.js'

export interface GraphTeacher {
  readonly name: string
  readonly model: ViTConfig | ClassifierConfig
  /** By name; each is let go of once the device has it. */
  readonly parameters: Map<string, HostTensor>
  /** SHA-256 (hex) of the weights. */
  readonly digest: string
  readonly input: ModelInput
  /** Names of a classifier's classes, if they are known. */
  readonly classNames?: readonly string[]
}

/** A Hugging Face checkpoint in a directory. @throws UserError if it cannot be used. */
export async function openHfEncoder(
  name: string,
  directory: string,
  options: EncoderOptions,
): Promise<Encoder> {
  const { source, imageSize, tell } = options
  const { weightFiles, preprocessing, ...teacher } = loadHfTeacher(directory, {
    source,
    ...(imageSize === undefined ? {} : { imageSize }),
  })
  tell?.(`preprocessing: ${preprocessing}`)
  const digest = await digestFiles(weightFiles)
  return GraphEncoder.open({ name, digest, ...teacher }, options)
}

const poolingNames: Record<Pooling, string> = {
  class: 'class token',
  mean: 'mean of patches',
  normedMean: 'mean of patches',
  attention: 'attention pooling',
}

export class GraphEncoder implements Encoder {
  readonly name: string
  readonly digest: string
  readonly pooling: string
  readonly width: number
  readonly classes?: number
  readonly classNames?: readonly string[]
  readonly input: ModelInput
  readonly parameterCount: number
  readonly patch: number
  readonly #backend: Backend
  readonly #executable: Executable
  readonly #weights: Record<string, DeviceBuffer>
  readonly #batch: number
  readonly #write: InputWriter

  private constructor(
    { name, digest, model, input, classNames }: GraphTeacher,
    backend: Backend,
    executable: Executable,
    weights: Record<string, DeviceBuffer>,
    batch: number,
    write: InputWriter,
  ) {
    this.name = name
    this.digest = digest
    if (classNames && classNames.length > 0) this.classNames = classNames
    const pooling = poolingNames[model.pooling ?? 'class']
    this.pooling = model.projection === undefined ? pooling : `projected ${pooling}`
    this.width = embeddingWidth(model)
    if ('classes' in model) this.classes = model.classes
    this.input = input
    this.parameterCount = parameterCount(vitParameters(model))
    this.patch = model.patchSize
    this.#backend = backend
    this.#executable = executable
    this.#weights = weights
    this.#batch = batch
    this.#write = write
  }

  /** @throws UserError if the images cannot become its input. */
  static async open(
    teacher: GraphTeacher,
    { backend, source, batch, temperature }: EncoderOptions,
  ): Promise<GraphEncoder> {
    const { name, model, parameters, input } = teacher
    const write = inputWriterOf(name, source, input)
    const { channels, height, width } = input
    const shape = { channels, size: height, ...(width === height ? {} : { width }) }
    const executable = await backend.compile(embedGraph(model, batch, shape, temperature))
    const wanted = namesOf(executable.graph)
    const weights: Record<string, DeviceBuffer> = {}
    for (const [parameter, tensor] of parameters) {
      const input = `teacher.${parameter}`
      if (wanted.has(input)) weights[input] = await backend.upload(tensor)
      // The device has its copy; two of all weights would be the most memory of the whole run.
      parameters.delete(parameter)
    }
    return new GraphEncoder(teacher, backend, executable, weights, batch, write)
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
