// A teacher from a Hugging Face checkpoint: a directory with config.json, model.safetensors (whole or in shards) and, mostly, a file
// that says how images are prepared. Downloading is hf-hub.ts; what the model computes is core's vision transformer.
import { join } from 'node:path'

import {
  UserError,
  checkViTConfig,
  classifierParameters,
  embeddingWidth,
  flattenTree,
  isParameterSpec,
  messageOf,
  tokenGrid,
  vitParameters,
  type ClassifierConfig,
  type HostTensor,
  type ViTConfig,
} from '@embed-kd/core'
import { z } from 'zod'

import type { ModelInput } from '../data/input.js'
import type { Size } from '../data/resize.js'
import { listNames, openCheckpoint, scaleNames, type Checkpoint } from './checkpoint.js'
import { families, Unsupported, type Family, type FamilyModel } from './hf-families.js'
import { describeIssues, readHfJson } from './hf-json.js'
import { findPrefixes, TensorNames } from './hf-names.js'
import { findProcessorFile, readPreprocessing, resizedInput } from './hf-preprocessing.js'
import { readParameter, type PublishedEncoder } from './hf-tensors.js'
import { processorOfModel } from './processors.js'

export interface HfTeacher {
  readonly model: ViTConfig | ClassifierConfig
  /** By our names; the caller's own, to empty as it uses them. */
  readonly parameters: Map<string, HostTensor>
  readonly input: ModelInput
  /** One line: what is done to images, and which file says so. */
  readonly preprocessing: string
  /** One for each class of a classifier, if config.json has them. */
  readonly classNames: readonly string[]
  /** The files that the weights were read from. */
  readonly weightFiles: readonly string[]
}

export interface HfOptions {
  /** Pixels along one side that the model shall see (default: what the file of the preprocessing says). */
  readonly imageSize?: number
  /** Size of the images to come; some preprocessings depend on it. */
  readonly source?: Size
}

/**
 * Reads all of a checkpoint into memory, as float32.
 * @throws UserError naming file, cause and remedy.
 */
export function loadHfTeacher(directory: string, options: HfOptions = {}): HfTeacher {
  return withEncoder(directory, options, (encoder, described) => {
    const { model } = described
    const specs = 'classes' in model ? classifierParameters(model) : vitParameters(model)
    const parameters = new Map(
      [...flattenTree(specs, isParameterSpec)].map(([name, spec]) => [
        name,
        readParameter(encoder, name, spec),
      ]),
    )
    return { ...described, parameters }
  })
}

/** What a checkpoint is, without its weights. @throws as loadHfTeacher. */
export const describeHfTeacher = (
  directory: string,
  options: HfOptions = {},
): Omit<HfTeacher, 'parameters'> => withEncoder(directory, options, (_, described) => described)

function withEncoder<T>(
  directory: string,
  { imageSize, source }: HfOptions,
  use: (encoder: PublishedEncoder, described: Omit<HfTeacher, 'parameters'>) => T,
): T {
  const file = join(directory, 'config.json')
  const config = readHfJson(file, 'give a directory with config.json')
  const { type, family } = familyOf(config, file)
  const { model: trained, biasless = [] } = readFamily(family, type, config, file)
  const own = sizeOf(trained)
  const processor = findProcessorFile(directory) ?? {
    path: `the defaults, as there is no preprocessor_config.json in ${directory}`,
    config: family.preprocessing(own, trained) as Record<string, unknown>,
  }
  const read = readPreprocessing(processor, processorOfModel[type] ?? 'ViTImageProcessor', {
    channels: trained.channels,
    size: own,
    ...(source ? { source } : {}),
  })
  const { input, description } = imageSize === undefined ? read : resizedInput(read, imageSize)
  const checkpoint = openCheckpoint(directory)
  try {
    const names = namesOf(family, type, checkpoint)
    const shape = (name: string) => {
      const found = names.find(name)
      return typeof found === 'string' && checkpoint.has(found)
        ? checkpoint.shape(found)
        : undefined
    }
    const complete = family.complete?.(trained, shape) ?? trained
    const resizes = family.resizesImages && imageSize === undefined
    const model = resizes ? complete : withSize(complete, input, file)
    const encoder: PublishedEncoder = {
      checkpoint,
      names,
      model,
      trainedGrid: tokenGrid(trained),
      biasless,
      type,
    }
    const classifier = family.scoresEmbedding && shape('classifier.weight')
    const scores = classifier && classifier[1] === embeddingWidth(model)
    const classNames = classNamesOf(config, file)
    checkBlocks(encoder)
    return use(encoder, {
      model: scores ? { ...model, classes: classifier[0]! } : model,
      input,
      preprocessing: description,
      classNames: scores && classNames.length === classifier[0] ? classNames : [],
      weightFiles: checkpoint.files,
    })
  } finally {
    checkpoint.close()
  }
}

function familyOf(
  config: Readonly<Record<string, unknown>>,
  file: string,
): { type: string; family: Family } {
  const { model_type: type } = config
  const family = typeof type === 'string' && Object.hasOwn(families, type) && families[type]
  if (family) return { type: type as string, family }
  const remedy = `the types known are ${Object.keys(families).join(', ')}; others can be given as ONNX`
  const isTimm = 'architecture' in config || 'pretrained_cfg' in config || type === 'timm_wrapper'
  throw isTimm
    ? new UserError(
        `${file} is that of a timm model (${String(config.architecture)}), which is not computed here`,
        'export the model to ONNX, or give the same weights in the layout of transformers',
      )
    : new UserError(
        `${file}: a model of type ${JSON.stringify(type ?? null)} is not computed here`,
        remedy,
      )
}

function readFamily(family: Family, type: string, config: unknown, file: string): FamilyModel {
  try {
    const read = family.read(config)
    checkViTConfig(read.model)
    return read
  } catch (error) {
    if (error instanceof Unsupported) throw new UserError(`${file}: ${error.message}`, error.remedy)
    throw new UserError(
      `${file} is not the configuration of a ${type}: ${error instanceof z.ZodError ? describeIssues(error) : messageOf(error)}`,
      'give the config.json that was saved with the weights',
    )
  }
}

const sizeOf = ({ imageSize, imageWidth = imageSize }: ViTConfig): Size => ({
  height: imageSize,
  width: imageWidth,
})

/** The model for images of the size that the preprocessing gives. */
function withSize(model: ViTConfig, { height, width }: ModelInput, file: string): ViTConfig {
  const { imageWidth: _, ...rest } = model
  const resized = { ...rest, imageSize: height, ...(width === height ? {} : { imageWidth: width }) }
  try {
    return checkViTConfig(resized)
  } catch (error) {
    throw new UserError(
      `${file} with images of ${width === height ? height : `${height}x${width}`} pixels: ${messageOf(error)}`,
      'give another image size',
    )
  }
}

/**
 * Returns the names of the classes in a config.json in the order of their scores; none if it does not name them.
 * @throws UserError if it numbers them in another way.
 */
export function classNamesOf(
  { id2label = {} }: Readonly<Record<string, unknown>>,
  file: string,
): string[] {
  const labels = id2label as Readonly<Record<string, unknown>>
  const ids = Object.keys(labels)
  if (!ids.every((_, id) => ['string', 'number'].includes(typeof labels[id])))
    throw new UserError(
      `${file}: id2label has the classes ${listNames(ids)}, not numbers from 0 without gaps`,
      'name each class by the position of its score: {"0": "cat", "1": "dog"}',
    )
  return ids.map((_, id) => String(labels[id]))
}

function namesOf({ layout }: Family, type: string, checkpoint: Checkpoint): TensorNames {
  const prefixes = findPrefixes(layout, checkpoint.names)
  const [prefix] = prefixes
  if (prefix === undefined)
    throw new UserError(
      `${checkpoint.directory} has no encoder of type ${type} in its weights: no tensor ends in ${layout.marker}; it has ${listNames(checkpoint.names)}`,
      'give config.json and weights of the same model',
    )
  if (prefixes.length > 1)
    throw new UserError(
      `${checkpoint.directory} has several encoders of type ${type}, with tensors named ${prefixes.map((p) => `${p}${layout.marker}`).join(', ')}`,
      'save one of them in a file of its own',
    )
  return new TensorNames(layout, prefix, (name) => checkpoint.has(name))
}

/** @throws UserError if a block has tensors that nothing reads, or there are more blocks than config.json says. */
function checkBlocks({ checkpoint, names, model, type }: PublishedEncoder): void {
  const specs = vitParameters(model)
  const used = new Set<string>()
  for (const name of flattenTree(specs, isParameterSpec).keys()) {
    const source = names.find(name)
    const parts =
      typeof source === 'string' ? [source] : 'part' in source ? [source.name] : source.stack
    for (const part of parts) for (const read of [part, ...scaleNames(part)]) used.add(read)
  }
  const unread = names
    .blockTensors(checkpoint.names)
    .find((name) => checkpoint.isFloat(name) && !used.has(name))
  if (unread !== undefined)
    throw new UserError(
      `${checkpoint.directory}: a ${type} of ${model.layers} layers as in config.json does not read the tensor ${unread}`,
      'give config.json and weights of the same model, with adapters merged',
    )
}
