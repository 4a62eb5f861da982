// Which files of a directory or a repository make a teacher: a checkpoint with config.json and safetensors, or one ONNX model.
import { UserError } from '@embed-kd/core'

export type ModelFiles =
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'onnx'; readonly file: string }

const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$/
const CONFIGURATIONS = [
  'config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'model.safetensors.index.json',
]
const ONNX = /^(onnx\/)?[^/\\]+\.onnx$/

/** Endings of ONNX files by the names of their element types, as transformers.js has them. */
const suffixes: Readonly<Record<string, string>> = {
  fp32: '',
  fp16: '_fp16',
  int8: '_int8',
  uint8: '_uint8',
  q8: '_quantized',
  quantized: '_quantized',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
}

/** Image encoders, the preferred one first; a whole model of images and texts is not one. */
const stems = ['vision_model', 'model']

/**
 * @param paths of all files, relative to the directory, with `/`.
 * @param wanted path of the ONNX file, or an element type such as fp16.
 * @throws UserError if there is no file of that name, or several could be meant.
 */
export function chooseModelFiles(
  place: string,
  paths: readonly string[],
  wanted: string | undefined,
): ModelFiles | undefined {
  const onnx = paths.filter((path) => ONNX.test(path)).sort()
  if (
    wanted === undefined &&
    paths.some((path) => WEIGHTS.test(path) || path === CONFIGURATIONS[3])
  )
    return { kind: 'checkpoint' }
  if (wanted === undefined && onnx.length === 0) return undefined
  const suffix = suffixes[wanted ?? 'fp32']
  const named =
    suffix === undefined
      ? onnx.filter((path) => path === wanted || path === `onnx/${wanted}`)
      : stems.flatMap((stem) =>
          ['onnx/', '']
            .map((folder) => `${folder}${stem}${suffix}.onnx`)
            .filter((path) => onnx.includes(path)),
        )
  const file = named[0] ?? (wanted === undefined && onnx.length === 1 ? onnx[0] : undefined)
  if (file !== undefined) return { kind: 'onnx', file }
  throw new UserError(
    wanted === undefined
      ? `${place} has several ONNX files`
      : `${place} has no ONNX file ${wanted}`,
    onnx.length === 0
      ? 'leave out --onnx-file'
      : `choose one with --onnx-file: ${onnx.join(', ')}${wanted === undefined ? '' : `, or an element type: ${Object.keys(suffixes).join(', ')}`}`,
  )
}

/** Returns whether a file of a repository is needed for the model that was chosen. An ONNX model names its external data itself. */
export function isNeeded(path: string, chosen: ModelFiles): boolean {
  if (chosen.kind === 'checkpoint') return WEIGHTS.test(path) || CONFIGURATIONS.includes(path)
  return path === chosen.file || CONFIGURATIONS.slice(0, 3).includes(path)
}
