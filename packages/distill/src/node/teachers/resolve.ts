// What a user names as a teacher, the same everywhere: a published shape, a directory, an ONNX file, a repository on the hub, or a file
// of embeddings. Whether a command can use that kind is for the command to say.
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { guess, publishedViT, UserError, vitShapes } from '@embed-kd/core'

import { looksLikeEmbeddings } from '../embeddings/describe.js'
import { shardsOf } from '../embeddings/shards.js'
import { cachedModel, fetchModel, listDirectory, parseHubId, type FetchOptions } from './hf-hub.js'
import { chooseModelFiles } from './model-files.js'

export type ResolvedTeacher =
  /** A published shape, with random weights. */
  | { readonly kind: 'shape'; readonly name: string }
  /** A teacher that a sweep trains. */
  | { readonly kind: 'trained'; readonly name: string }
  /** A directory with config.json and safetensors, downloaded if need be: also a student exported here. */
  | { readonly kind: 'checkpoint'; readonly directory: string }
  | { readonly kind: 'onnx'; readonly file: string }
  /** A file of embeddings, such as `embed-kd embed` writes, or the name of its shards. */
  | { readonly kind: 'embeddings'; readonly file: string }

/** Teachers that a sweep trains on the data set itself. */
export const trainedNames = ['trained-s', 'trained-m'] as const

export const shapeNames = Object.keys(vitShapes).flatMap((shape) => [`${shape}-16`, `${shape}-32`])

/** What can be given beside the names of teachers, for help texts and remedies. */
export const teacherPaths = [
  'the directory of a checkpoint or of a run',
  'an .onnx file',
  'a file of embeddings (.safetensors)',
  'namespace/name on the Hugging Face Hub',
] as const

/** Teachers that see images, in a sentence. */
export const encoderKinds =
  'the directory of a checkpoint or of a run of train-teacher or distill, an .onnx file, or namespace/name on the Hugging Face Hub'

/** Everything that can be given, in a sentence. */
export const teacherKinds = `a published shape such as vit-base-16, ${teacherPaths.slice(0, -1).join(', ')}, or ${teacherPaths.at(-1)}`

/**
 * Finds a teacher by its name. What lies on disk goes first.
 * @throws UserError if there is none, or the files cannot be read here.
 */
export async function resolveTeacher(
  teacher: string,
  options: FetchOptions = {},
): Promise<ResolvedTeacher> {
  const local = resolveLocalTeacher(teacher, options.onnxFile)
  if (local) return local
  const hub = parseHubId(teacher)
  if (!hub)
    throw new UserError(
      `there is no teacher ${teacher}`,
      `${guess(teacher, shapeNames)}give ${teacherKinds}`,
    )
  const onnxFile = options.onnxFile ?? (hub.file?.endsWith('.onnx') ? hub.file : undefined)
  const rest = onnxFile === undefined ? {} : { onnxFile }
  return inDirectory(await fetchModel(hub, { ...options, ...rest }), onnxFile)
}

/** As resolveTeacher, without a network: undefined if nothing of that name is on disk or in the hub's cache. */
export function resolveKnownTeacher(teacher: string): ResolvedTeacher | undefined {
  const local = resolveLocalTeacher(teacher)
  if (local) return local
  const hub = parseHubId(teacher)
  const directory = hub && cachedModel(hub)
  if (directory === undefined) return undefined
  return inDirectory(directory, hub?.file?.endsWith('.onnx') ? hub.file : undefined)
}

/**
 * Returns the name of a teacher for records and reports: that of a repository on the hub, or the last part of a path. Paths of one
 * machine say nothing on another.
 */
export function shortTeacherName(teacher: string): string {
  const path = teacher.replace(/^hf:(\/\/)?/, '')
  const hub = existsSync(path) ? undefined : parseHubId(path)
  if (hub) return hub.revision === 'main' ? hub.name : `${hub.name}@${hub.revision}`
  return basename(path.replace(/[\\/]+$/, ''))
}

/** As resolveTeacher, without the hub: undefined if nothing of that name is here. */
export function resolveLocalTeacher(
  teacher: string,
  onnxFile?: string,
): ResolvedTeacher | undefined {
  // Sweeps once had directories behind this prefix, and it does no harm before other names.
  const path = teacher.replace(/^hf:(\/\/)?/, '')
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return inDirectory(path, onnxFile)
  if (found) return inFile(path)
  if (path.endsWith('.safetensors') && shardsOf(path).length > 0)
    return { kind: 'embeddings', file: path }
  if (publishedViT(path)) return { kind: 'shape', name: path }
  if (trainedNames.some((name) => name === path)) return { kind: 'trained', name: path }
  if (
    /^[./~]|\\|\.(onnx|safetensors)$|\/.*\/(?!.*huggingface)/.test(path) &&
    !/^https?:/.test(path)
  )
    throw new UserError(`there is no file or directory ${path}`, 'check the path')
  return undefined
}

function inDirectory(directory: string, onnxFile: string | undefined): ResolvedTeacher {
  const paths = listDirectory(directory)
  const chosen = chooseModelFiles(directory, paths, onnxFile)
  if (chosen?.kind === 'onnx') return { kind: 'onnx', file: join(directory, chosen.file) }
  // What train-teacher and distill leave behind has its checkpoint in a folder.
  const inside = ['teacher', 'student'].map((folder) => join(directory, folder))
  const run = chosen ? undefined : inside.find((at) => existsSync(join(at, 'config.json')))
  if (run !== undefined) return { kind: 'checkpoint', directory: run }
  // Directories without weights have their errors from the reader of checkpoints.
  return { kind: 'checkpoint', directory }
}

function inFile(file: string): ResolvedTeacher {
  if (file.endsWith('.onnx')) return { kind: 'onnx', file }
  if (file.endsWith('.safetensors')) {
    if (basename(file) === 'model.safetensors' && existsSync(join(dirname(file), 'config.json')))
      return { kind: 'checkpoint', directory: dirname(file) }
    if (looksLikeEmbeddings(file)) return { kind: 'embeddings', file }
  }
  throw new UserError(
    /\.(bin|pt|pth|ckpt|pkl)$/.test(file)
      ? `${file} is a pickled checkpoint, and loading one can run any code it carries, so it is not read`
      : `${file} is neither an .onnx file nor a file of embeddings`,
    'give the directory of a checkpoint with config.json and model.safetensors, or an .onnx file',
  )
}
