// Any ONNX image encoder as a teacher: one image input, one output that is taken, run by ONNX Runtime itself. Its preprocessing
// is that of a preprocessor_config.json beside the file.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type * as Ort from 'onnxruntime-node'
import type { InferenceSession, Tensor } from 'onnxruntime-node'

import type { InputWriter, ModelInput } from '../data/input.js'
import { UserError, messageOf } from '@embed-kd/core'
import {
  checkFinite,
  inputWriterOf,
  type Embedded,
  type Encoder,
  type EncoderOptions,
} from './encoder.js'
import { readHfPreprocessing } from './hf-preprocessing.js'
import { digestFiles } from './hf.js'

const poolings = ['cls', 'mean'] as const
type Pooling = (typeof poolings)[number]

/** An output's axes after the batch: a vector, or tokens of vectors. */
interface Output {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

export class OnnxEncoder implements Encoder {
  readonly name: string
  readonly digest: string
  readonly pooling: string
  readonly width: number
  readonly input: ModelInput
  readonly #ort: typeof Ort
  readonly #session: InferenceSession
  readonly #output: string
  readonly #tokens: Pooling | undefined
  /** Images in one run: as many as the caller said, or as the file allows. */
  readonly #batch: number
  readonly #fixed: boolean
  readonly #write: InputWriter

  private constructor(
    facts: Pick<Encoder, 'name' | 'digest' | 'pooling' | 'width' | 'input'>,
    run: {
      ort: typeof Ort
      session: InferenceSession
      output: string
      tokens: Pooling | undefined
      batch: number
      fixed: boolean
      write: InputWriter
    },
  ) {
    this.name = facts.name
    this.digest = facts.digest
    this.pooling = facts.pooling
    this.width = facts.width
    this.input = facts.input
    this.#ort = run.ort
    this.#session = run.session
    this.#output = run.output
    this.#tokens = run.tokens
    this.#batch = run.batch
    this.#fixed = run.fixed
    this.#write = run.write
  }

  /** @throws UserError where the file is no image encoder, or more than one output could be meant. */
  static async open(file: string, options: EncoderOptions): Promise<OnnxEncoder> {
    const { loadOrt } = await import('@embed-kd/backend-ort')
    const ort = await loadOrt()
    let session: InferenceSession
    try {
      session = await ort.InferenceSession.create(file, { enableMemPattern: false })
    } catch (error) {
      throw new UserError(
        `${file} cannot be opened by ONNX Runtime (${messageOf(error)})`,
        'check that it is a whole ONNX model, with its external data beside it',
      )
    }
    const [fixedBatch, channels, height] = imageAxes(file, session)
    const input = readInput(file, channels, options.imageSize ?? height)
    if (height !== undefined && height !== input.height)
      throw new UserError(
        `${file} takes images of ${height} pixels, its preprocessing makes them ${input.height}`,
        `give --image-size ${height}`,
      )
    const write = inputWriterOf(file, options.source, input)
    const { name: output, shape } = chooseOutput(file, session, options.output)
    const tokens = choosePooling(file, output, shape, options.pooling)
    // Axes can have names instead of sizes, so the width is known only of a result.
    const batch = fixedBatch ?? options.batch
    const black = new ort.Tensor(
      'float32',
      new Float32Array(batch * input.channels * input.height ** 2),
      [batch, input.channels, input.height, input.height],
    )
    const result = (await session.run({ [session.inputNames[0]!]: black }, [output]))[output]!
    const facts = {
      name: file,
      digest: await digestFiles(filesOf(file)),
      pooling: tokens === undefined ? output : `${tokens} of ${output}`,
      width: result.dims.at(-1)!,
      input,
    }
    const fixed = fixedBatch !== undefined
    return new OnnxEncoder(facts, { ort, session, output, tokens, batch, fixed, write })
  }

  async embed(pixels: Uint8Array, count: number): Promise<Embedded> {
    const embeddings = new Float32Array(count * this.width)
    const imageBytes = pixels.length / Math.max(count, 1)
    const { channels, height, width } = this.input
    for (let first = 0; first < count; first += this.#batch) {
      const real = Math.min(this.#batch, count - first)
      const rows = this.#fixed ? this.#batch : real
      const images = new Float32Array(rows * channels * height * width)
      this.#write(pixels.subarray(first * imageBytes, (first + real) * imageBytes), real, images)
      const tensor = new this.#ort.Tensor('float32', images, [rows, channels, height, width])
      const results = await this.#session.run({ [this.#session.inputNames[0]!]: tensor }, [
        this.#output,
      ])
      const result = results[this.#output]!
      for (let i = 0; i < real; i++) this.#pool(result, i, embeddings, (first + i) * this.width)
      result.dispose()
    }
    checkFinite(this.name, embeddings)
    return { embeddings }
  }

  /** Writes the embedding of row `i` of a result. */
  #pool({ data, dims }: Tensor, i: number, into: Float32Array, at: number): void {
    const values = data as Float32Array
    const { width } = this
    const tokens = dims.length === 3 ? dims[1]! : 1
    const begin = i * tokens * width
    if (this.#tokens !== 'mean') {
      into.set(values.subarray(begin, begin + width), at)
      return
    }
    for (let token = 0; token < tokens; token++)
      for (let k = 0; k < width; k++) into[at + k]! += values[begin + token * width + k]! / tokens
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}

/** Batch, channels and side of the one input, undefined where the file leaves them open. */
function imageAxes(
  file: string,
  session: InferenceSession,
): [batch: number | undefined, channels: number, height: number | undefined] {
  const inputs = session.inputMetadata
  const [first] = inputs
  if (
    inputs.length !== 1 ||
    !first?.isTensor ||
    first.type !== 'float32' ||
    first.shape.length !== 4
  )
    throw new UserError(
      `${file} is no image encoder: its inputs are ${inputs.map((i) => (i.isTensor ? describe(i) : i.name)).join(', ')}`,
      'give a model with one float32 input [batch, channels, height, width]',
    )
  const known = first.shape.map((axis) => (typeof axis === 'number' && axis > 0 ? axis : undefined))
  return [known[0], known[1] ?? 3, known[2]]
}

const describe = ({ name, shape }: Output): string => `${name} [${shape.join(', ')}]`

function chooseOutput(file: string, session: InferenceSession, wanted: string | undefined): Output {
  const outputs = session.outputMetadata.flatMap((output) => (output.isTensor ? [output] : []))
  const listing = outputs.map(describe).join(', ')
  const usable = outputs.filter(
    ({ shape, type }) => type === 'float32' && (shape.length === 2 || shape.length === 3),
  )
  if (wanted !== undefined) {
    const output = usable.find(({ name }) => name === wanted)
    if (output) return output
    throw new UserError(
      `${file} has no output ${wanted} of embeddings or tokens; its outputs are ${listing}`,
      'give one of them with --output',
    )
  }
  if (usable.length === 1) return usable[0]!
  throw new UserError(
    usable.length === 0
      ? `${file} has no output of embeddings [batch, width] or tokens [batch, tokens, width]; its outputs are ${listing}`
      : `${file} has several outputs that could be the embedding: ${listing}`,
    'choose with --output',
  )
}

function choosePooling(
  file: string,
  output: string,
  shape: Output['shape'],
  wanted: string | undefined,
): Pooling | undefined {
  const known = poolings.find((pooling) => pooling === wanted)
  if (wanted !== undefined && !known)
    throw new UserError(`there is no pooling ${wanted}`, `choose one of ${poolings.join(', ')}`)
  if (shape.length === 2) {
    if (!known) return undefined
    throw new UserError(
      `${file}: the output ${output} is an embedding already, there is nothing to pool`,
      'leave out --pooling',
    )
  }
  if (known) return known
  throw new UserError(
    `${file}: the output ${output} [${shape.join(', ')}] has one vector for each token`,
    'say with --pooling what the embedding is: cls (the first token) or mean (of all)',
  )
}

/** @param size the side that is wanted, or that the file fixes. */
function readInput(file: string, channels: number, size: number | undefined): ModelInput {
  // Exports have the model in a folder of its own, below its configuration.
  const places = [dirname(file), dirname(dirname(file))].map((at) =>
    join(at, 'preprocessor_config.json'),
  )
  const path = places.find((place) => existsSync(place))
  if (path === undefined)
    throw new UserError(
      `${file} does not say how its images are prepared, and there is no ${places[0]}`,
      'write one, such as {"size": 224, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}',
    )
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UserError(`${path} cannot be read as JSON (${messageOf(error)})`, 'mend the file')
  }
  const input = readHfPreprocessing(config, 'vit', { imageSize: size ?? 224, channels }, path)
  if (size === undefined || size === input.height) return input
  const { shorterSide, ...rest } = input
  const scaled = shorterSide && { shorterSide: Math.round((shorterSide * size) / input.height) }
  return { ...rest, height: size, width: size, ...scaled }
}

/** The model and the files of its external data. */
function filesOf(file: string): string[] {
  const name = basename(file)
  const data = readdirSync(dirname(file)).filter(
    (other) => other.startsWith(`${name}_data`) || other === `${name}.data`,
  )
  return [file, ...data.sort().map((other) => join(dirname(file), other))]
}
