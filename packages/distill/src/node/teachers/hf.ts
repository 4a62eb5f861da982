// A teacher from a Hugging Face checkpoint: a directory with config.json, model.safetensors (whole or in shards) and, mostly,
// preprocessor_config.json. Downloading is hf-hub.ts; what the model computes is core's vision transformer.
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import {
  checkViTConfig,
  classifierParameters,
  flattenTree,
  hostTensor,
  isParameterSpec,
  resizePositions,
  sameShape,
  sizeOf,
  vitParameters,
  type ClassifierConfig,
  type HostTensor,
  type ParameterSpec,
  type Shape,
  type ViTConfig,
} from '@embed-kd/core'

import type { ModelInput } from '../data/input.js'
import { UserError, messageOf } from '@embed-kd/core'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { readHfConfig, type HfConfig } from './hf-config.js'
import { findPrefix, hfNames } from './hf-names.js'
import { readHfPreprocessing } from './hf-preprocessing.js'

export interface HfTeacher {
  readonly model: ViTConfig | ClassifierConfig
  /** By our names; the caller's own, to empty as it uses them. */
  readonly parameters: Map<string, HostTensor>
  readonly input: ModelInput
  /** One per class of a classifier, where config.json has them. */
  readonly classNames: readonly string[]
  /** The files that the weights were read from. */
  readonly weightFiles: readonly string[]
}

const WHOLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

/**
 * Reads all of a checkpoint into memory, as float32.
 * @param imageSize pixels a side that the model shall see; default what preprocessor_config.json says.
 * @throws UserError naming file, cause and remedy.
 */
export function loadHfTeacher(directory: string, imageSize?: number): HfTeacher {
  return withCheckpoint(directory, imageSize, ({ config, checkpoint, prefix, model, input }) => {
    const specs = 'classes' in model ? classifierParameters(model) : vitParameters(model)
    const parameters = new Map(
      [...flattenTree(specs, isParameterSpec)].map(([name, spec]) => [
        name,
        readParameter(name, spec, hfNames(config.family, prefix, name), config, checkpoint),
      ]),
    )
    const { classNames } = config
    const classes = 'classes' in model ? model.classes : 0
    return {
      model,
      parameters,
      input,
      classNames: classNames.length === classes ? classNames : [],
      weightFiles: checkpoint.files,
    }
  })
}

/** What a checkpoint is, without its weights. @throws as loadHfTeacher. */
export const describeHfTeacher = (
  directory: string,
): Pick<HfTeacher, 'model' | 'input' | 'weightFiles'> =>
  withCheckpoint(directory, undefined, ({ model, input, checkpoint: { files } }) => ({
    model,
    input,
    weightFiles: files,
  }))

interface OpenTeacher extends Pick<HfTeacher, 'model' | 'input'> {
  readonly config: HfConfig
  readonly checkpoint: Checkpoint
  readonly prefix: string
}

function withCheckpoint<T>(
  directory: string,
  imageSize: number | undefined,
  use: (teacher: OpenTeacher) => T,
): T {
  const configFile = join(directory, 'config.json')
  const config = readHfConfig(readJson(configFile, 'give a directory with config.json'), configFile)
  const preprocessingFile = join(directory, 'preprocessor_config.json')
  const preprocessing = existsSync(preprocessingFile)
    ? readJson(preprocessingFile, 'mend or remove it')
    : undefined
  const own = readHfPreprocessing(preprocessing, config.family, config.model, preprocessingFile)
  const input = imageSize === undefined ? own : resizedInput(own, imageSize)
  const encoder = { ...config.model, imageSize: input.height }
  try {
    checkViTConfig(encoder)
  } catch (error) {
    throw new UserError(
      `${configFile} with images of ${input.height} pixels: ${messageOf(error)}`,
      'give another image size',
    )
  }
  const checkpoint = openCheckpoint(directory)
  try {
    const prefix = findPrefix(config.family, (name) => checkpoint.has(name))
    if (prefix === undefined)
      throw new UserError(
        `${directory} has no encoder of type ${config.family} in its weights`,
        'give config.json and weights of the same model',
      )
    return use({
      config,
      checkpoint,
      prefix,
      input,
      model: withClassifier(encoder, config, checkpoint),
    })
  } finally {
    checkpoint.close()
  }
}

/** SHA-256 (hex) of files, read as streams; of several, of their digests in order. */
export async function digestFiles(files: readonly string[]): Promise<string> {
  const digests: string[] = []
  for (const file of files) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    digests.push(hash.digest('hex'))
  }
  return digests.length === 1
    ? digests[0]!
    : createHash('sha256').update(digests.join('\n')).digest('hex')
}

function resizedInput(input: ModelInput, size: number): ModelInput {
  const { shorterSide, height } = input
  return {
    ...input,
    height: size,
    width: size,
    // The share of the image that is seen stays the same.
    ...(shorterSide === undefined
      ? {}
      : { shorterSide: Math.round((shorterSide * size) / height) }),
  }
}

/** ViTForImageClassification scores with a linear layer on the class token. Other models' heads see more than that. */
function withClassifier(
  model: ViTConfig,
  { family }: HfConfig,
  checkpoint: Checkpoint,
): ViTConfig | ClassifierConfig {
  if (family !== 'vit' || !checkpoint.has('classifier.weight')) return model
  return { ...model, classes: checkpoint.shape('classifier.weight')[0]! }
}

function readParameter(
  name: string,
  { shape }: ParameterSpec,
  sources: readonly string[],
  { projectionBias }: HfConfig,
  checkpoint: Checkpoint,
): HostTensor {
  if (name.endsWith('in_proj_bias') && !projectionBias) return hostTensor('float32', shape)
  const parts = sources.map((source) => {
    const tensor = checkpoint.read(source)
    if (tensor.dtype !== 'float32') throw mismatch(checkpoint, source, tensor.dtype, 'floats')
    return tensor
  })
  if (name === 'pos_embed') {
    const [rows, width] = tail(parts[0]!.shape, 2)
    const positions = hostTensor('float32', [rows!, width!], parts[0]!.data as Float32Array)
    if (width !== shape[1]) throw mismatch(checkpoint, sources[0]!, parts[0]!.shape, shape)
    return resizePositions(positions, Math.sqrt(shape[0]! - 1))
  }
  const expected = sources.length === 1 ? shape : [shape[0]! / sources.length, ...shape.slice(1)]
  parts.forEach((part, i) => {
    if (
      !sameShape(tail(part.shape, expected.length), expected) ||
      sizeOf(part.shape) !== sizeOf(expected)
    )
      throw mismatch(checkpoint, sources[i]!, part.shape, expected)
  })
  if (parts.length === 1) return hostTensor('float32', shape, parts[0]!.data as Float32Array)
  const stacked = hostTensor('float32', shape)
  parts.forEach((part, i) => stacked.data.set(part.data as Float32Array, i * sizeOf(expected)))
  return stacked
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

interface Checkpoint {
  readonly directory: string
  readonly files: readonly string[]
  has(name: string): boolean
  shape(name: string): Shape
  read(name: string): HostTensor
  close(): void
}

/** @throws UserError where there are no safetensors, a shard is missing, or a tensor is not where the index says. */
function openCheckpoint(directory: string): Checkpoint {
  const files = weightFilesOf(directory)
  const readers = files.map((file) => new SafetensorsReader(file))
  const home = new Map(
    readers.flatMap((reader) => [...reader.entries.keys()].map((name) => [name, reader])),
  )
  const readerOf = (name: string): SafetensorsReader => {
    const reader = home.get(name)
    if (!reader)
      throw new UserError(
        `${directory} has no tensor ${name}`,
        'give config.json and weights of the same model',
      )
    return reader
  }
  return {
    directory,
    files,
    has: (name) => home.has(name),
    shape: (name) => readerOf(name).entry(name).shape,
    read: (name) => readerOf(name).read(name),
    close: () => readers.forEach((reader) => reader.close()),
  }
}

function weightFilesOf(directory: string): string[] {
  if (existsSync(join(directory, WHOLE))) return [join(directory, WHOLE)]
  const index = join(directory, INDEX)
  if (existsSync(index)) {
    const { weight_map } = readJson(index, 'download the checkpoint again') as {
      weight_map?: Record<string, unknown>
    }
    const shards = [...new Set(Object.values(weight_map ?? {}))].map(String).sort()
    // Names are joined to the directory, so they must be names.
    const odd = shards.find((shard) => !/^[\w.-]+\.safetensors$/.test(shard))
    if (shards.length === 0 || odd !== undefined)
      throw new UserError(
        `${index} names ${odd === undefined ? 'no shard' : `the shard ${JSON.stringify(odd)}`}`,
        'download the checkpoint again',
      )
    const missing = shards.find((shard) => !existsSync(join(directory, shard)))
    if (missing !== undefined)
      throw new UserError(
        `${directory} lacks the shard ${missing} that its index names`,
        'download it too',
      )
    return shards.map((shard) => join(directory, shard))
  }
  const pickled = ['pytorch_model.bin', 'pytorch_model.bin.index.json'].find((file) =>
    existsSync(join(directory, file)),
  )
  throw pickled === undefined
    ? new UserError(
        `${directory} has neither ${WHOLE} nor ${INDEX}`,
        'give the directory of a checkpoint saved with save_pretrained',
      )
    : new UserError(
        `${directory} has its weights as ${pickled}, a Python pickle, and loading one can run any code it carries`,
        'so it is not read: save the model again with save_pretrained(…, safe_serialization=True)',
      )
}

function readJson(path: string, remedy: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UserError(`${path} cannot be read as JSON (${messageOf(error)})`, remedy)
  }
}
