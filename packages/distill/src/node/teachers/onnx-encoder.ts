// Any ONNX image encoder as a teacher, run by ONNX Runtime itself. Its preprocessing is that of the files beside it. Before it is used,
// two different images tell whether its output follows the images at all.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { UserError, messageOf, Random } from '@embed-kd/core'
import type * as Ort from 'onnxruntime-node'
import type { InferenceSession } from 'onnxruntime-node'

import type { InputWriter, ModelInput } from '../data/input.js'
import { digestFiles } from './checkpoint.js'
import {
  checkFinite,
  inputWriterOf,
  type Embedded,
  type Encoder,
  type EncoderOptions,
} from './encoder.js'
import { classNamesOf } from './hf.js'
import { readHfJson } from './hf-json.js'
import {
  describeInput,
  findProcessorFile,
  readPreprocessing,
  resizedInput,
  type Preprocessing,
} from './hf-preprocessing.js'
import { readOnnxFile } from './onnx-file.js'
import {
  chooseOutput,
  findImageInput,
  findScores,
  floatsOf,
  imageTensor,
  poolResult,
  type ChosenOutput,
  type ImageInput,
} from './onnx-values.js'
import { processorOfModel } from './processors.js'

interface Parts {
  readonly ort: typeof Ort
  readonly session: InferenceSession
  readonly image: ImageInput
  readonly output: ChosenOutput
  /** Name of the output with the scores of classes, if there is one. */
  readonly scores?: string
  readonly temperature: number
}

type Facts = Pick<Encoder, 'name' | 'digest' | 'input' | 'parameterCount'>

export class OnnxEncoder implements Encoder {
  readonly name: string
  readonly digest: string
  readonly pooling: string
  readonly input: ModelInput
  readonly parameterCount?: number
  readonly #parts: Parts
  readonly #write: InputWriter
  readonly #classNames: readonly string[]
  #width = 0
  #classes: number | undefined
  /** Number of images in one run. */
  #batch: number
  /** Whether runs have that many images always. */
  #fixed: boolean

  private constructor(
    facts: Facts,
    parts: Parts,
    batch: number,
    write: InputWriter,
    classNames: readonly string[],
  ) {
    this.name = facts.name
    this.digest = facts.digest
    this.input = facts.input
    if (facts.parameterCount !== undefined) this.parameterCount = facts.parameterCount
    this.#classNames = classNames
    this.pooling = parts.output.description
    this.#parts = parts
    this.#write = write
    this.#fixed = parts.image.batch !== undefined
    this.#batch = parts.image.batch ?? batch
  }

  get width(): number {
    return this.#width
  }

  get classes(): number | undefined {
    return this.#classes
  }

  /** Names that config.json gives; undefined if it does not name as many classes as the model scores. */
  get classNames(): readonly string[] | undefined {
    return this.#classNames.length === this.#classes ? this.#classNames : undefined
  }

  /** @throws UserError if the file is no image encoder, or more than one output could be meant. */
  static async open(file: string, options: Omit<EncoderOptions, 'backend'>): Promise<OnnxEncoder> {
    const { files, parameterCount } = readOnnxFile(file)
    const { loadOrt } = await import('@embed-kd/backend-ort')
    const ort = await loadOrt()
    let session: InferenceSession
    try {
      session = await ort.InferenceSession.create(file, {
        enableMemPattern: false,
        // Errors are thrown; the runtime need not print them as well.
        logSeverityLevel: 4,
      })
    } catch (error) {
      throw new UserError(
        `${file} cannot be opened by ONNX Runtime (${oneLine(error)})`,
        'check that it is a whole ONNX model, with its external data beside it',
      )
    }
    try {
      const image = findImageInput(file, session)
      const output = chooseOutput(file, session, options)
      const { input, description } = readInput(file, image, options)
      const write = inputWriterOf(file, options.source, input)
      const facts = { name: file, digest: await digestFiles(files), input, parameterCount }
      const scores = findScores(session)
      const { temperature = 1, batch } = options
      const parts = { ort, session, image, output, ...(scores ? { scores } : {}), temperature }
      const encoder = new OnnxEncoder(facts, parts, batch, write, readClassNames(foldersOf(file)))
      await encoder.#probe(options.tell)
      options.tell?.(`preprocessing: ${description}`)
      return encoder
    } catch (error) {
      await session.release()
      throw error
    }
  }

  async embed(pixels: Uint8Array, count: number): Promise<Embedded> {
    const { width } = this
    const embeddings = new Float32Array(count * width)
    const classes = this.#classes
    const probabilities = classes === undefined ? undefined : new Float32Array(count * classes)
    const imageBytes = pixels.length / Math.max(count, 1)
    const size = this.#imageSize
    for (let first = 0; first < count; first += this.#batch) {
      const real = Math.min(this.#batch, count - first)
      const rows = this.#fixed ? this.#batch : real
      const images = new Float32Array(rows * size)
      this.#write(pixels.subarray(first * imageBytes, (first + real) * imageBytes), real, images)
      const result = await this.#run(images)
      if (result.rows !== rows || result.width !== width) throw this.#batchError(rows, result.dims)
      embeddings.set(result.embeddings.subarray(0, real * width), first * width)
      probabilities?.set(
        softmax(result.scores!.subarray(0, real * classes!), classes!, this.#parts.temperature),
        first * classes!,
      )
    }
    checkFinite(this.name, embeddings)
    if (!probabilities) return { embeddings }
    checkFinite(this.name, probabilities)
    return { embeddings, probabilities }
  }

  async dispose(): Promise<void> {
    await this.#parts.session.release()
  }

  get #imageSize(): number {
    const { channels, height, width } = this.input
    return channels * height * width
  }

  async #run(images: Float32Array) {
    const { ort, session, image, output, scores } = this.#parts
    const { height, width } = this.input
    const count = images.length / this.#imageSize
    const feed = imageTensor(ort, image, images, [count, height, width])
    const wanted = new Set([output.name, ...(scores === undefined ? [] : [scores])])
    const results = await session
      .run({ [image.name]: feed }, [...wanted])
      .catch((error: unknown) => {
        throw new UserError(
          `${this.name} fails on ${count === 1 ? 'an image' : `${count} images`} of ${height}x${width} (${oneLine(error)})`,
          'check the model in another runtime, or give another image size',
        )
      })
    const result = results[output.name]!
    const { dims } = result
    const pooled = poolResult(this.name, result, output, this.input)
    const scored = scores === undefined ? undefined : results[scores]!
    const read = { ...pooled, rows: dims[0] ?? 0, dims }
    const ofClasses = scored && { scores: floatsOf(scored), scoreDims: scored.dims }
    for (const name of wanted) results[name]!.dispose()
    return { ...read, ...ofClasses }
  }

  /** Runs two different images, alone and together: their embeddings must differ and stay with their images. */
  async #probe(tell: EncoderOptions['tell']): Promise<void> {
    const size = this.#imageSize
    const bytes = this.#parts.image.type === 'uint8'
    const random = new Random(1)
    const noise = Float32Array.from({ length: size }, () =>
      bytes ? random.int(256) : 2 * random.uniform() - 1,
    )
    const images = (...noisy: readonly boolean[]) => {
      const batch = new Float32Array(noisy.length * size)
      noisy.forEach((is, i) => is && batch.set(noise, i * size))
      return batch
    }
    const rest = this.#fixed ? Array.from({ length: this.#batch - 1 }, () => false) : []
    const first = await this.#run(images(true, ...rest))
    const rows = 1 + rest.length
    if (first.rows !== rows) throw this.#batchError(rows, first.dims)
    this.#width = first.width
    const { scoreDims } = first
    if (scoreDims) {
      if (scoreDims[0] !== rows) throw this.#batchError(rows, scoreDims, this.#parts.scores)
      this.#classes = scoreDims[1]!
    }
    checkFinite(this.name, first.embeddings)
    const alone = first.embeddings.subarray(0, first.width)
    // With a batch of one, the other image is a run of its own.
    const other = this.#fixed
      ? await this.#run(images(false, ...rest.map((_, i) => i === 0)))
      : await this.#run(images(false))
    checkFinite(this.name, other.embeddings)
    const black = other.embeddings.subarray(0, first.width)
    const apart = distance(alone, black)
    if (!(apart > 1e-5 * largest(alone, black)))
      throw new UserError(
        `${this.name}: the output ${this.#parts.output.name} [${first.dims.join(', ')}] is the same for two different images`,
        'choose an output that depends on the image with --output',
      )
    const swapped = this.#fixed
      ? rest.length > 0
        ? other
        : undefined
      : await this.#together(images(false, true), tell)
    if (!swapped) return
    if (swapped.rows !== Math.max(rows, 2)) throw this.#batchError(Math.max(rows, 2), swapped.dims)
    const second = swapped.embeddings.subarray(first.width, 2 * first.width)
    if (distance(second, alone) > 0.1 * apart) throw this.#batchError(swapped.rows, swapped.dims)
  }

  /** Runs two images in one batch. A file can name its batch axis and still be made for one image: then images run one by one. */
  async #together(images: Float32Array, tell: EncoderOptions['tell']) {
    if (this.#batch === 1) return undefined
    const result = await this.#run(images).catch((error: unknown) => {
      if (error instanceof UserError) return undefined
      throw error
    })
    if (result && result.rows !== 1) return result
    tell?.(
      `${this.name} takes one image at a time, whatever its batch axis is called: images run one by one`,
    )
    this.#batch = 1
    this.#fixed = true
    return undefined
  }

  #batchError(rows: number, dims: readonly number[], output = this.#parts.output.name): UserError {
    return new UserError(
      `${this.name}: the output ${output} [${dims.join(', ')}] of ${rows} image${rows === 1 ? '' : 's'} does not have the batch as its first axis`,
      'choose another output with --output, or export the model with the batch first',
    )
  }
}

/** Returns the probabilities [count, classes] of scores at a temperature. */
function softmax(scores: Float32Array, classes: number, temperature: number): Float32Array {
  const out = new Float32Array(scores.length)
  for (let row = 0; row < scores.length; row += classes) {
    const values = scores.subarray(row, row + classes)
    const most = values.reduce((a, b) => Math.max(a, b))
    const powers = Array.from(values, (value) => Math.exp((value - most) / temperature))
    const sum = powers.reduce((a, b) => a + b)
    powers.forEach((power, i) => (out[row + i] = power / sum))
  }
  return out
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)

const largest = (...rows: readonly Float32Array[]): number =>
  Math.max(...rows.map((row) => distance(row, new Float32Array(row.length))))

const oneLine = (error: unknown): string => messageOf(error).trim().replace(/\s+/g, ' ')

/** Where the files of a model's configuration lie: beside the model, or in the folder above, as exports have it. */
const foldersOf = (file: string): readonly string[] => [dirname(file), dirname(dirname(file))]

/** Returns the names of the classes that config.json gives; none if nothing names them. */
function readClassNames(folders: readonly string[]): readonly string[] {
  const file = configurationOf(folders)
  return file === undefined ? [] : classNamesOf(readHfJson(file, 'fix or remove the file'), file)
}

const configurationOf = (folders: readonly string[]): string | undefined =>
  folders.map((folder) => join(folder, 'config.json')).find((path) => existsSync(path))

/** How images are prepared: by the files beside the model, or in the folder above, as exports have it. */
function readInput(
  file: string,
  { type, channels, height, width }: ImageInput,
  { imageSize, source }: Pick<EncoderOptions, 'imageSize' | 'source'>,
): Preprocessing {
  const folders = foldersOf(file)
  const processor = folders.map(findProcessorFile).find((found) => found !== undefined)
  if (!processor)
    throw new UserError(
      `${file} does not say how its images are prepared, and there is no preprocessor_config.json in ${folders[0]}`,
      'write one, such as {"size": 224, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}',
    )
  const fixed = height !== undefined && width !== undefined ? { height, width } : undefined
  const side = imageSize === undefined ? undefined : { height: imageSize, width: imageSize }
  const size = fixed ?? side
  const read = readPreprocessing(processor, modelProcessor(folders), {
    channels,
    source,
    ...(size ? { size } : {}),
  })
  const { input, description } = imageSize === undefined ? read : resizedInput(read, imageSize)
  for (const [own, made] of [
    [height, input.height],
    [width, input.width],
  ])
    if (own !== undefined && own !== made)
      throw new UserError(
        `${file} takes images of ${height}x${width} pixels, its preprocessing makes them ${input.height}x${input.width}`,
        height === width
          ? `give --image-size ${height}`
          : `write "size": {"height": ${height}, "width": ${width}} into ${processor.path}`,
      )
  if (type !== 'uint8') return { input, description }
  const bytes = {
    ...input,
    mean: input.mean.map(() => 0),
    std: input.std.map(() => 1 / 255),
  }
  return {
    input: bytes,
    description: `${describeInput(bytes)} (${processor.path}; the model takes bytes, so normalising is its own business)`,
  }
}

/** The class that transformers takes for the model beside the file; a plain one if nothing tells. */
function modelProcessor(folders: readonly string[]): string {
  const file = configurationOf(folders)
  const { model_type: type } = file ? readHfJson(file, 'fix or remove the file') : {}
  if (typeof type !== 'string') return 'ViTImageProcessor'
  return processorOfModel[type] ?? `${type} (a model without a known processor)`
}
