// The tensors of a published encoder as our parameters: found by name, checked by shape, stacked, cut and resized.
import {
  UserError,
  hostTensor,
  resizePositions,
  sameShape,
  sizeOf,
  tokenGrid,
  type HostTensor,
  type ParameterSpec,
  type PatchGrid,
  type Shape,
  type ViTConfig,
} from '@embed-kd/core'

import { planeResize, type Interpolation } from '../data/resize.js'
import type { Checkpoint } from './checkpoint.js'
import type { Layer } from './hf-families.js'
import type { Source, TensorNames } from './hf-names.js'

export interface PublishedEncoder {
  readonly checkpoint: Checkpoint
  readonly names: TensorNames
  /** As it will run; its images may have another size than those it was trained on. */
  readonly model: ViTConfig
  /** The patches it was trained on. */
  readonly trainedGrid: PatchGrid
  readonly biasless: readonly Layer[]
  /** `model_type` of its config.json. */
  readonly type: string
}

/** Reads one of our parameters. @throws UserError if a tensor is missing or has another shape. */
export function readParameter(
  encoder: PublishedEncoder,
  name: string,
  { shape }: ParameterSpec,
): HostTensor {
  const special = specials.find(([pattern]) => pattern.test(name))
  if (special) return special[1](encoder, name, shape)
  return readPlain(encoder, name, shape)
}

type Reader = (encoder: PublishedEncoder, name: string, shape: Shape) => HostTensor

/** Parameters that are more than the tensors of a checkpoint in another shape. */
const specials: readonly (readonly [RegExp, Reader])[] = [
  [/^pos_embed$/, readPositions],
  [/^register_tokens$/, readRegisters],
  [/\.attention_bias$/, readRelativePositions],
  [/^patch_embed\.weight$/, readPatchKernel],
]

function readPlain(encoder: PublishedEncoder, name: string, shape: Shape): HostTensor {
  const { checkpoint, names } = encoder
  const source = names.find(name)
  const parts = partsOf(source)
  const expected = parts.length === 1 ? shape : [shape[0]! / parts.length, ...shape.slice(1)]
  const rows = sizeOf(expected)
  const result = hostTensor('float32', shape)
  parts.forEach((part, i) => {
    if (!checkpoint.has(part) && isBiasless(encoder, name, i)) return
    let tensor = readFloats(checkpoint, part)
    if (typeof source === 'object' && 'part' in source) tensor = cut(tensor, source)
    if (!sameShape(tail(tensor.shape, expected.length), expected) || sizeOf(tensor.shape) !== rows)
      throw mismatch(checkpoint, part, tensor.shape, expected)
    result.data.set(tensor.data as Float32Array, i * rows)
  })
  return result
}

const partsOf = (source: Source): readonly string[] =>
  typeof source === 'string' ? [source] : 'part' in source ? [source.name] : source.stack

const stackedLayers: readonly Layer[] = ['query', 'key', 'value']

/** Whether the configuration says that this bias is left out. */
function isBiasless({ biasless }: PublishedEncoder, name: string, part: number): boolean {
  const [, layer] = /^blocks\.\d+\.(?:attn\.)?(in_proj_bias|\w+\.bias)$/.exec(name) ?? []
  if (!layer) return false
  const of = layer === 'in_proj_bias' ? stackedLayers[part]! : layer.replace('.bias', '')
  return biasless.some((candidate) => candidate === of)
}

function readFloats(checkpoint: Checkpoint, name: string): HostTensor {
  const tensor = checkpoint.read(name)
  if (tensor.dtype !== 'float32') throw mismatch(checkpoint, name, tensor.dtype, 'floats')
  return tensor
}

function cut({ shape, data }: HostTensor, { part, of }: { part: number; of: number }): HostTensor {
  const rows = shape[0]! / of
  const size = sizeOf(shape) / of
  const values = (data as Float32Array).slice(part * size, (part + 1) * size)
  return hostTensor('float32', [rows, ...shape.slice(1)], values)
}

const tail = (shape: Shape, rank: number): Shape => shape.slice(Math.max(shape.length - rank, 0))

const mismatch = (
  { directory }: Checkpoint,
  name: string,
  given: Shape | string,
  expected: Shape | string,
): UserError =>
  new UserError(
    `${directory}: tensor ${name} is ${JSON.stringify(given)}, but config.json makes it ${JSON.stringify(expected)}`,
    'give config.json and weights of the same model',
  )

/** Position embeddings as rows, with the leading tokens of the file. */
function positionsOf(
  { checkpoint, names, model, trainedGrid, type }: PublishedEncoder,
  leading: number,
): HostTensor {
  const [name] = partsOf(names.find('pos_embed'))
  const tensor = readFloats(checkpoint, name!)
  const [rows, width] = tail(tensor.shape, 2) as [number, number]
  const { rows: high, columns } = trainedGrid
  if (width !== model.width || rows !== leading + high * columns)
    throw mismatch(checkpoint, name!, tensor.shape, [leading + high * columns, model.width])
  const positions = hostTensor('float32', [rows, width], tensor.data as Float32Array)
  const interpolation = antialiasedPositions[type]
  const resize = interpolation ? antialiasPositions(interpolation) : resizePositions
  return resize(positions, trainedGrid, tokenGrid(model), leading)
}

const isDistilled = ({ type }: PublishedEncoder): boolean => type === 'deit'

function readPositions(encoder: PublishedEncoder, _name: string, shape: Shape): HostTensor {
  const { model } = encoder
  if (!isDistilled(encoder)) return positionsOf(encoder, model.classToken === false ? 0 : 1)
  // The distillation token's position is part of the token.
  const all = positionsOf(encoder, 2).data as Float32Array
  const { width } = model
  const positions = hostTensor('float32', shape)
  positions.data.set(all.subarray(0, width))
  positions.data.set(all.subarray(2 * width), width)
  return positions
}

function readRegisters(encoder: PublishedEncoder, name: string, shape: Shape): HostTensor {
  const tokens = readPlain(encoder, name, shape)
  if (!isDistilled(encoder)) return tokens
  const { width } = encoder.model
  const position = (positionsOf(encoder, 2).data as Float32Array).subarray(width, 2 * width)
  const data = Float32Array.from(tokens.data as Float32Array, (value, i) => value + position[i]!)
  return hostTensor('float32', shape, data)
}

/** Model types whose grids of positions are resized with antialiasing, as images are; all others are sampled. */
const antialiasedPositions: Readonly<Record<string, Interpolation>> = {
  siglip2: 'bilinear',
  siglip2_vision_model: 'bilinear',
  dinov2_with_registers: 'bicubic',
}

/** Returns a function that resizes the positions of a grid of patches; `leading` rows before them stay as they are. */
const antialiasPositions =
  (interpolation: Interpolation) =>
  (positions: HostTensor, from: PatchGrid, to: PatchGrid, leading: number): HostTensor => {
    const [area, target] = [from.rows * from.columns, to.rows * to.columns]
    const [, width] = positions.shape as [number, number]
    const size = ({ rows, columns }: PatchGrid) => ({ height: rows, width: columns })
    const resize = planeResize(size(from), size(to), interpolation)
    const result = hostTensor('float32', [leading + target, width])
    const given = positions.data as Float32Array
    result.data.set(given.subarray(0, leading * width))
    const [plane, resized] = [new Float32Array(area), new Float32Array(target)]
    for (let k = 0; k < width; k++) {
      for (let i = 0; i < area; i++) plane[i] = given[(leading + i) * width + k]!
      resize(plane, 0, resized, 0)
      for (let i = 0; i < target; i++) result.data[(leading + i) * width + k] = resized[i]!
    }
    return result
  }

/**
 * BEiT's table of biases by the distance of two patches, as the biases [heads, T, T] themselves. The last three rows are those of class
 * token to patch, patch to class token, and class token to itself.
 */
function readRelativePositions(encoder: PublishedEncoder, name: string, shape: Shape): HostTensor {
  const { checkpoint, names, model, trainedGrid } = encoder
  const [source] = partsOf(names.find(name))
  const table = readFloats(checkpoint, source!)
  const { rows, columns, tokens } = tokenGrid(model)
  if (rows !== trainedGrid.rows || columns !== trainedGrid.columns)
    throw new UserError(
      `${checkpoint.directory} has relative positions of ${trainedGrid.rows}x${trainedGrid.columns} patches, which cannot be resized to ${rows}x${columns}`,
      'leave out --image-size, or prepare images of the size in config.json',
    )
  // transformers reads the table of a rectangle with its sides exchanged, so there is no one right answer.
  if (rows !== columns)
    throw new UserError(
      `${checkpoint.directory} has relative positions of ${rows}x${columns} patches, which are computed for squares only`,
      'give the model as ONNX',
    )
  const distances = (2 * rows - 1) * (2 * columns - 1)
  const expected = [distances + 3, model.heads]
  if (!sameShape(table.shape, expected)) throw mismatch(checkpoint, source!, table.shape, expected)
  const rowOf = (query: number, key: number): number => {
    if (query === 0) return distances + (key === 0 ? 2 : 0)
    if (key === 0) return distances + 1
    const down = Math.floor((query - 1) / columns) - Math.floor((key - 1) / columns)
    const right = ((query - 1) % columns) - ((key - 1) % columns)
    return (down + rows - 1) * (2 * columns - 1) + right + columns - 1
  }
  const bias = hostTensor('float32', shape)
  for (let query = 0; query < tokens; query++)
    for (let key = 0; key < tokens; key++)
      for (let head = 0; head < model.heads; head++)
        bias.data[(head * tokens + query) * tokens + key] = table.data[
          rowOf(query, key) * model.heads + head
        ] as number
  return bias
}

/** SigLIP 2 multiplies patches of pixels, channels last; others are convolutions. */
function readPatchKernel(encoder: PublishedEncoder, name: string, shape: Shape): HostTensor {
  const { checkpoint, names } = encoder
  const [source] = partsOf(names.find(name))
  if (checkpoint.has(source!) && checkpoint.shape(source!).length !== 2)
    return readPlain(encoder, name, shape)
  const [width, channels, height, breadth] = shape as [number, number, number, number]
  const flat = readPlain(encoder, name, [width, height * breadth * channels])
  const kernel = hostTensor('float32', shape)
  let from = 0
  for (let out = 0; out < width; out++)
    for (let pixel = 0; pixel < height * breadth; pixel++)
      for (let channel = 0; channel < channels; channel++)
        kernel.data[(out * channels + channel) * height * breadth + pixel] = flat.data[
          from++
        ] as number
  return kernel
}
