// Predictions and embeddings of a model. Its graphs have a fixed number of rows, so images are cut and padded to that number here.
import {
  embedGraph,
  embeddingWidth,
  evalGraph,
  hostTensor,
  packGraph,
  type Backend,
  type ClassifierConfig,
  isClassifier,
  type DeviceBuffer,
  type Executable,
  type HostTensor,
  type ImageShape,
  type ParameterGroup,
} from '@embed-kd/core'

import type { StudentConfig } from '../models/students.js'
import { disposeAll, namesOf, PARAMETERS, upload } from './training.js'

/** Rows of the compiled graphs. Larger batches are no faster on CPUs, and cost memory. */
export const EVALUATION_BATCH = 250

/** Rows of the graphs that predict: a few sizes, so that one image is fast and few graphs are compiled. */
const ENCODER_ROWS = [1, 16, 64, EVALUATION_BATCH]

/** Prefix of the parameters among the inputs of `embedGraph`. */
const ENCODER = 'teacher.'

type Parameters = Readonly<Record<string, DeviceBuffer>>

/** The answers of a model about images, in their order. */
export interface Prediction {
  /** Most probable class of each image. */
  readonly classes: Int32Array
  /** Probabilities `[count, classes]`. */
  readonly probabilities: Float32Array
  /** Embeddings `[count, width]`. */
  readonly embeddings: Float32Array
}

/** Compiled graphs that evaluate a model, with whatever parameters are given to each call. */
export class Evaluation {
  readonly #backend: Backend
  readonly #model: StudentConfig
  readonly #images: ImageShape
  readonly #groups: readonly ParameterGroup[]
  #classifier: Executable | undefined
  /** By their number of rows. */
  readonly #encoders = new Map<number, Executable>()

  /** @param groups groups of parameters that share buffers. */
  constructor(
    backend: Backend,
    model: StudentConfig,
    images: ImageShape,
    groups: readonly ParameterGroup[],
  ) {
    this.#groups = groups
    this.#backend = backend
    this.#model = model
    this.#images = images
  }

  /**
   * Classifies images.
   * @param parameters packed inputs `state.parameters.*`; others are left out.
   * @param images normalised, `[count, channels, size, size]`.
   */
  async classify(parameters: Parameters, images: Float32Array): Promise<Int32Array> {
    const { channels, size } = this.#images
    const model = this.#model
    if (!isClassifier(model)) throw new Error('the model has no classifier')
    this.#classifier ??= await this.#backend.compile(
      packGraph(evalGraph(model, EVALUATION_BATCH, this.#images), this.#groups),
    )
    const executable = this.#classifier
    const taken = select(parameters, namesOf(executable.graph), (name) => name)
    const each = channels * size * size
    const classes = new Int32Array(images.length / each)
    for (let first = 0; first < classes.length; first += EVALUATION_BATCH) {
      const count = Math.min(EVALUATION_BATCH, classes.length - first)
      const inputs = await upload(this.#backend, [
        ['batch.images', padded(images, first, count, EVALUATION_BATCH, this.#images)],
        ['batch.labels', hostTensor('int32', [EVALUATION_BATCH])],
        ['batch.mask', hostTensor('float32', [EVALUATION_BATCH])],
      ])
      const outputs = await executable.run({ ...taken, ...inputs })
      const { data } = await this.#backend.read(outputs['predictions']!)
      classes.set((data as Int32Array).subarray(0, count), first)
      disposeAll(inputs)
      disposeAll(outputs)
    }
    return classes
  }

  /** Returns classes, probabilities and embeddings of images; parameters and images as `classify` takes them. */
  async predict(parameters: Parameters, images: Float32Array): Promise<Prediction> {
    const { embeddings, probabilities } = await this.#encode(parameters, images)
    const { classes } = this.#model as ClassifierConfig
    return { classes: highest(probabilities, classes), probabilities, embeddings }
  }

  /** Returns embeddings `[count, width]` of images; parameters and images as `classify` takes them. */
  async embed(parameters: Parameters, images: Float32Array): Promise<Float32Array> {
    return (await this.#encode(parameters, images)).embeddings
  }

  /** Returns embeddings, and probabilities if the model has a classifier. */
  async #encode(
    parameters: Parameters,
    images: Float32Array,
  ): Promise<Pick<Prediction, 'embeddings' | 'probabilities'>> {
    const { channels, size } = this.#images
    const count = images.length / (channels * size * size)
    const rows = ENCODER_ROWS.find((rows) => rows >= count) ?? EVALUATION_BATCH
    const executable = await this.#encoder(rows)
    const model = select(parameters, namesOf(executable.graph), (name) =>
      name.replace(PARAMETERS, ENCODER),
    )
    const width = embeddingWidth(this.#model)
    const classes = isClassifier(this.#model) ? this.#model.classes : 0
    const embeddings = new Float32Array(count * width)
    const probabilities = new Float32Array(count * classes)
    for (let first = 0; first < count; first += rows) {
      const real = Math.min(rows, count - first)
      const inputs = await upload(this.#backend, [
        ['batch.images', padded(images, first, real, rows, this.#images)],
      ])
      const outputs = await executable.run({ ...model, ...inputs })
      const take = async (output: string, into: Float32Array, columns: number) => {
        const { data } = await this.#backend.read(outputs[output]!)
        into.set((data as Float32Array).subarray(0, real * columns), first * columns)
      }
      await take('embeddings', embeddings, width)
      if (classes > 0) await take('probabilities', probabilities, classes)
      disposeAll(inputs)
      disposeAll(outputs)
    }
    return { probabilities, embeddings }
  }

  async dispose(): Promise<void> {
    await this.#classifier?.dispose()
    for (const executable of this.#encoders.values()) await executable.dispose()
  }

  async #encoder(rows: number): Promise<Executable> {
    const compiled = this.#encoders.get(rows)
    if (compiled) return compiled
    const graph = packGraph(embedGraph(this.#model, rows, this.#images), this.#groups, [ENCODER])
    const executable = await this.#backend.compile(graph)
    this.#encoders.set(rows, executable)
    return executable
  }
}

/** Selects the parameters that a graph takes, under the graph's names. */
function select(
  parameters: Parameters,
  wanted: ReadonlySet<string>,
  rename: (name: string) => string,
): Parameters {
  const entries = Object.entries(parameters).map(
    ([name, buffer]) => [rename(name), buffer] as const,
  )
  return Object.fromEntries(entries.filter(([name]) => wanted.has(name)))
}

/** Returns `count` images from `first` on, and zeros up to `rows` images. */
function padded(
  images: Float32Array,
  first: number,
  count: number,
  rows: number,
  { channels, size }: ImageShape,
): HostTensor {
  const each = channels * size * size
  const tensor = hostTensor('float32', [rows, channels, size, size])
  tensor.data.set(images.subarray(first * each, (first + count) * each))
  return tensor
}

/** Returns the column of the highest value of each row. */
function highest(values: Float32Array, columns: number): Int32Array {
  return Int32Array.from({ length: values.length / columns }, (_, row) => {
    const part = values.subarray(row * columns, (row + 1) * columns)
    return part.indexOf(part.reduce((a, b) => Math.max(a, b)))
  })
}
