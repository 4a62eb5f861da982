// The inputs and outputs of an ONNX image encoder: which of them count, how their axes lie, and how an embedding is made of an output.
import { UserError, fromFloat16, toFloat16 } from '@embed-kd/core'
import type * as Ort from 'onnxruntime-node'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { EncoderChoice } from './encoder.js'

export const poolings = ['cls', 'mean'] as const
export type OnnxPooling = (typeof poolings)[number]

/** Element types of images, and of embeddings. */
const imageTypes = ['float32', 'float16', 'float64', 'uint8'] as const
const embeddingTypes = ['float32', 'float16', 'float64'] as const
export type ImageType = (typeof imageTypes)[number]

interface Value {
  readonly name: string
  readonly type: string
  readonly shape: readonly (number | string)[]
}

const tensorsOf = (values: readonly InferenceSession.ValueMetadata[]): Value[] =>
  values.flatMap((value) => (value.isTensor ? [value] : []))

const describe = ({ name, type, shape }: Value): string => `${name} ${type} [${shape.join(', ')}]`
const list = (values: readonly Value[]): string => values.map(describe).join(', ')

/** How images are laid out, and which axes the file fixes. */
export interface ImageInput {
  readonly name: string
  readonly type: ImageType
  readonly channelsLast: boolean
  readonly channels: number
  readonly batch?: number
  readonly height?: number
  readonly width?: number
}

/** @throws UserError if the file does not take images and nothing else. */
export function findImageInput(file: string, session: InferenceSession): ImageInput {
  const inputs = tensorsOf(session.inputMetadata)
  const [first] = inputs
  const type = imageTypes.find((candidate) => candidate === first?.type)
  if (inputs.length === 1 && first && first.shape.length === 4 && type) {
    const known = first.shape.map((axis) =>
      typeof axis === 'number' && axis > 0 ? axis : undefined,
    )
    const channelsLast = !isChannels(known[1]) && isChannels(known[3])
    const [batch, channels, height, width] = channelsLast
      ? [known[0], known[3], known[1], known[2]]
      : known
    if (channels === undefined || isChannels(channels))
      return {
        name: first.name,
        type,
        channelsLast,
        channels: channels ?? 3,
        ...(batch === undefined ? {} : { batch }),
        ...(height === undefined ? {} : { height }),
        ...(width === undefined ? {} : { width }),
      }
  }
  const isText = inputs.some(({ name }) => /^(input_ids|attention_mask)$/.test(name))
  const isWhole = isText && inputs.some(({ shape }) => shape.length === 4)
  throw new UserError(
    `${file} ${isWhole ? 'encodes images and texts together' : 'is no image encoder'}: its inputs are ${list(inputs)}`,
    isWhole
      ? 'give the image encoder alone: repositories have it as vision_model.onnx beside this file'
      : `give a model with one input [batch, channels, height, width] or [batch, height, width, channels] of ${imageTypes.join(', ')}`,
  )
}

const isChannels = (axis: number | undefined): boolean => axis === 1 || axis === 3 || axis === 4

/** The output that is taken, and how an embedding is made of its axes after the batch. */
export interface ChosenOutput {
  readonly name: string
  readonly pooling?: OnnxPooling
  /** For the description of an embedding: `pooler_output`, `mean of last_hidden_state`. */
  readonly description: string
}

/** Name of the output with the scores of classes before any softmax, as transformers and this project call it. */
const SCORES = 'logits'

/** Outputs that are the embedding by the names of transformers and of this project. */
const embeddingNames = ['image_embeds', 'embeddings', 'pooler_output']

/** @throws UserError if the output is not there, several could be meant, or it cannot be pooled so. */
export function chooseOutput(
  file: string,
  session: InferenceSession,
  { output: wanted, pooling }: Pick<EncoderChoice, 'output' | 'pooling'>,
): ChosenOutput {
  const known = poolings.find((candidate) => candidate === pooling)
  if (pooling !== undefined && !known)
    throw new UserError(`there is no pooling ${pooling}`, `choose one of ${poolings.join(', ')}`)
  const outputs = tensorsOf(session.outputMetadata)
  const usable = outputs.filter(
    ({ shape, type }) =>
      embeddingTypes.some((candidate) => candidate === type) &&
      shape.length >= 2 &&
      shape.length <= 4,
  )
  const output =
    wanted === undefined ? preferred(usable, known) : usable.find(({ name }) => name === wanted)
  if (!output) throw outputError(file, outputs, usable, wanted)
  const kind = kindOf(output)
  if (kind === 'vector') {
    // The mean of a map of one place is its vector.
    if (!known || (known === 'mean' && output.shape.length === 4))
      return { name: output.name, description: output.name }
    throw new UserError(
      `${file}: the output ${describe(output)} is an embedding already, there is nothing to pool`,
      'leave out --pooling',
    )
  }
  if (kind === 'map' && known === 'cls')
    throw new UserError(
      `${file}: the output ${describe(output)} has a vector for each place of the image, and no class token`,
      'give --pooling mean',
    )
  if (known) return { name: output.name, pooling: known, description: `${known} of ${output.name}` }
  throw new UserError(
    `${file}: the output ${describe(output)} has one vector for each ${kind === 'map' ? 'place of the image' : 'token'}`,
    kind === 'map'
      ? 'give --pooling mean to average them'
      : 'say with --pooling what the embedding is: cls (the first token) or mean (of all)',
  )
}

/** Returns the name of the output with the scores of classes [batch, classes]; undefined if the file has none. */
export function findScores(session: InferenceSession): string | undefined {
  const isScores = ({ name, type, shape }: Value) =>
    name === SCORES && shape.length === 2 && embeddingTypes.some((candidate) => candidate === type)
  return tensorsOf(session.outputMetadata).find(isScores)?.name
}

/** One vector for an image, one for each token, or one for each place of a map. Axes of one count as absent. */
function kindOf({ shape }: Pick<Value, 'shape'>): 'vector' | 'tokens' | 'map' {
  const axes = shape.slice(1)
  if (axes.length === 1) return 'vector'
  if (axes.length === 3) return axes.filter((axis) => axis === 1).length >= 2 ? 'vector' : 'map'
  return 'tokens'
}

function preferred(usable: readonly Value[], pooling: OnnxPooling | undefined): Value | undefined {
  const vectors = usable.filter((value) => kindOf(value) === 'vector')
  const others = usable.filter((value) => kindOf(value) !== 'vector')
  if (pooling !== undefined && others.length > 0) return others.length === 1 ? others[0] : undefined
  for (const name of embeddingNames) {
    const named = vectors.find((value) => value.name === name)
    if (named) return named
  }
  // Beside scores of classes, the only other vector is the embedding.
  const embeddings = vectors.filter(({ name }) => name !== SCORES)
  if (embeddings.length === 1) return embeddings[0]
  if (vectors.length > 0) return vectors.length === 1 ? vectors[0] : undefined
  return others.length === 1 ? others[0] : undefined
}

function outputError(
  file: string,
  outputs: readonly Value[],
  usable: readonly Value[],
  wanted: string | undefined,
): UserError {
  if (wanted !== undefined)
    return new UserError(
      `${file} has no output ${wanted} of embeddings, tokens or maps; its outputs are ${list(outputs)}`,
      'give one of them with --output',
    )
  return usable.length === 0
    ? new UserError(
        `${file} has no output of embeddings [batch, width], tokens [batch, tokens, width] or maps [batch, width, height, width]; its outputs are ${list(outputs)}`,
        `export the model with an embedding of ${embeddingTypes.join(', ')}`,
      )
    : new UserError(
        `${file} has several outputs that could be the embedding: ${list(usable)}`,
        'choose with --output',
      )
}

/**
 * A tensor of the file's type and layout.
 * @param images [count, channels, height, width]
 */
export function imageTensor(
  ort: typeof Ort,
  { type, channelsLast, channels }: ImageInput,
  images: Float32Array,
  [count, height, width]: readonly [number, number, number],
): Tensor {
  const laid = channelsLast ? toChannelsLast(images, channels, height * width) : images
  const dims = channelsLast ? [count, height, width, channels] : [count, channels, height, width]
  switch (type) {
    case 'float32':
      return new ort.Tensor('float32', laid, dims)
    case 'float16':
      return new ort.Tensor('float16', Uint16Array.from(laid, toFloat16), dims)
    case 'float64':
      return new ort.Tensor('float64', Float64Array.from(laid), dims)
    case 'uint8':
      return new ort.Tensor('uint8', Uint8Array.from(laid, Math.round), dims)
  }
}

function toChannelsLast(images: Float32Array, channels: number, area: number): Float32Array {
  const laid = new Float32Array(images.length)
  for (let image = 0; image < images.length; image += channels * area)
    for (let channel = 0; channel < channels; channel++)
      for (let i = 0; i < area; i++)
        laid[image + i * channels + channel] = images[image + channel * area + i]!
  return laid
}

/** Returns a copy of a result's values. */
export function floatsOf({ data, type }: Tensor): Float32Array {
  if (type !== 'float16') return Float32Array.from(data as Float32Array | Float64Array)
  const { buffer, byteOffset, length } = data as Uint16Array
  return Float32Array.from(new Uint16Array(buffer, byteOffset, length), fromFloat16)
}

/** Sizes of the image that a map was made of. */
interface Sides {
  readonly height: number
  readonly width: number
}

/**
 * Returns whether a map has its vectors along the first axis [width, height, breadth], not along the last [height, breadth, width];
 * undefined if both or neither can be. The two axes of places have the proportions of the image, rounded. The layout of the input tells
 * nothing: some encoders take channels first and give them last.
 */
function isAcross(
  [first, second, last]: readonly [number, number, number],
  image: Sides,
): boolean | undefined {
  const arePlaces = (rows: number, columns: number) =>
    Math.abs(rows - (image.height * columns) / image.width) < 1 &&
    Math.abs(columns - (image.width * rows) / image.height) < 1
  const [across, along] = [arePlaces(second, last), arePlaces(first, second)]
  return across === along ? undefined : across
}

/**
 * Returns embeddings [count, width] of a result whose first axis is the batch.
 * @throws UserError if the axes of a map cannot be told apart.
 */
export function poolResult(
  file: string,
  tensor: Tensor,
  { name, pooling }: ChosenOutput,
  image: Sides,
): { embeddings: Float32Array; width: number } {
  const { dims } = tensor
  const values = floatsOf(tensor)
  const [count = 0, ...axes] = dims
  const rest = axes.reduce((product, axis) => product * axis, 1)
  if (pooling === undefined) return { embeddings: values, width: rest }
  const across = axes.length === 3 && isAcross(axes as [number, number, number], image)
  if (across === undefined)
    throw new UserError(
      `${file}: which axis of the output ${name} [${dims.join(', ')}] is the width of the embedding cannot be told for images of ${image.height}x${image.width}`,
      'choose another output with --output, or export the model with one vector for each image',
    )
  const width = across ? axes[0]! : axes.at(-1)!
  const vectors = rest / width
  const embeddings = new Float32Array(count * width)
  const [step, stride] = across ? [vectors, 1] : [1, width]
  const taken = pooling === 'cls' ? 1 : vectors
  for (let i = 0; i < count; i++)
    for (let k = 0; k < width; k++) {
      let sum = 0
      for (let vector = 0; vector < taken; vector++)
        sum += values[i * rest + k * step + vector * stride]!
      embeddings[i * width + k] = sum / taken
    }
  return { embeddings, width }
}
