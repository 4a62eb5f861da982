// The tensors of a checkpoint directory: model.safetensors, whole or in shards. What they mean is for others to know.
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { UserError, type HostTensor, type Shape } from '@embed-kd/core'

import { SafetensorsReader } from '../files/safetensors-file.js'
import { readHfJson } from './hf-json.js'

const WHOLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

export interface Checkpoint {
  readonly directory: string
  readonly files: readonly string[]
  /** Names of all tensors. */
  readonly names: readonly string[]
  has(name: string): boolean
  /** Whether a tensor holds floating point numbers, of any width. */
  isFloat(name: string): boolean
  shape(name: string): Shape
  /** A tensor as float32; those of eight bits are multiplied by the scale beside them. */
  read(name: string): HostTensor
  close(): void
}

/** @throws UserError if there are no safetensors or a shard is missing. */
export function openCheckpoint(directory: string): Checkpoint {
  const files = weightFilesOf(directory)
  const readers = files.map((file) => new SafetensorsReader(file))
  const home = new Map(
    readers.flatMap((reader) => [...reader.entries.keys()].map((name) => [name, reader])),
  )
  const readerOf = (name: string): SafetensorsReader => {
    const reader = home.get(name)
    if (!reader)
      throw new UserError(
        `${directory} has no tensor ${name}; it has ${listNames([...home.keys()])}`,
        'give config.json and weights of the same model',
      )
    return reader
  }
  const storageOf = (name: string) => readerOf(name).entry(name).storage
  return {
    directory,
    files,
    names: [...home.keys()],
    has: (name) => home.has(name),
    isFloat: (name) => /^B?F\d/.test(storageOf(name)),
    shape: (name) => readerOf(name).entry(name).shape,
    read(name) {
      const tensor = readerOf(name).read(name)
      if (!storageOf(name).startsWith('F8')) return tensor
      const scale = scaleNames(name).find((candidate) => home.has(candidate))
      return scale ? scaled(tensor, readerOf(scale).read(scale), directory, scale) : tensor
    },
    close: () => readers.forEach((reader) => reader.close()),
  }
}

/** Where the scale of a tensor of eight bits can be. */
export const scaleNames = (name: string): readonly string[] => [
  `${name}_scale`,
  `${name}_scale_inv`,
  name.replace(/weight$/, 'scale_weight'),
]

/** One scale for the whole tensor, or one for each row. */
function scaled(
  tensor: HostTensor,
  scale: HostTensor,
  directory: string,
  name: string,
): HostTensor {
  const rows = scale.data.length
  if (rows !== 1 && rows !== tensor.shape[0])
    throw new UserError(
      `${directory}: the scales ${name} [${scale.shape.join(', ')}] are neither one nor one for each row`,
      'save the weights as F16 or F32',
    )
  const rowLength = tensor.data.length / rows
  const data = Float32Array.from(
    tensor.data as Float32Array,
    (value, i) => value * (scale.data[Math.floor(i / rowLength)] as number),
  )
  return { dtype: 'float32', shape: tensor.shape, data }
}

/** The first names, for errors. */
export const listNames = (names: readonly string[], most = 6): string =>
  names.length === 0
    ? 'none'
    : names.slice(0, most).join(', ') +
      (names.length > most ? ` and ${names.length - most} more` : '')

function weightFilesOf(directory: string): string[] {
  if (existsSync(join(directory, WHOLE))) return [join(directory, WHOLE)]
  const index = join(directory, INDEX)
  if (existsSync(index)) {
    const { weight_map } = readHfJson(index, 'download the checkpoint again') as {
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

/** SHA-256 (hex) of files, read as streams; of several files, of their digests in order. */
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
