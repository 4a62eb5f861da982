// A teacher as everybody else sees it: pixels in, embeddings out. What it is made of, a Hugging Face checkpoint on one of our
// backends or an ONNX file, is in graph-encoder.ts and onnx-encoder.ts.
import { statSync } from 'node:fs'

import type { Backend } from '@embed-kd/core'

import type { ImageShape } from '../data/dataset.js'
import { createInputWriter, type InputWriter, type ModelInput } from '../data/input.js'
import { UserError, messageOf } from '@embed-kd/core'

export interface Encoder {
  /** As the user gave it. */
  readonly name: string
  /** SHA-256 (hex) of the weights. */
  readonly digest: string
  /** How an embedding is made of the model's output, such as `class token`. */
  readonly pooling: string
  readonly width: number
  /** Classes it scores too; absent where it only embeds. */
  readonly classes?: number
  readonly input: ModelInput
  /**
   * Embeds images [count, channels, height, width], bytes of the shape it was opened for.
   * @throws UserError where an embedding is not finite.
   */
  embed(pixels: Uint8Array, count: number): Promise<Embedded>
  dispose(): Promise<void>
}

export interface Embedded {
  /** [count, width] */
  readonly embeddings: Float32Array
  /** [count, classes] at the temperature it was opened with, where it has classes. */
  readonly probabilities?: Float32Array
}

export interface EncoderOptions {
  /** Runs Hugging Face checkpoints; ONNX files bring their own runtime. */
  readonly backend: Backend
  /** Of the images to come. */
  readonly source: ImageShape
  /** Images in one run of the model. */
  readonly batch: number
  /** Pixels a side that the model shall see; default its own. */
  readonly imageSize?: number
  /** Of the probabilities; default 1. */
  readonly temperature?: number
  /** ONNX: which output is taken, and how an embedding is made of tokens. */
  readonly output?: string
  readonly pooling?: string
  readonly tell?: (message: string) => void
}

/**
 * Opens a teacher: a directory with a checkpoint, an `.onnx` file, or `namespace/name` on the Hugging Face Hub.
 * @throws UserError where it is none of these or cannot be used.
 */
export async function openEncoder(teacher: string, options: EncoderOptions): Promise<Encoder> {
  const found = statSync(teacher, { throwIfNoEntry: false })
  if (found?.isFile()) {
    if (teacher.endsWith('.onnx')) {
      const { OnnxEncoder } = await import('./onnx-encoder.js')
      return OnnxEncoder.open(teacher, options)
    }
    throw new UserError(
      /\.(bin|pt|pth|ckpt|pkl)$/.test(teacher)
        ? `${teacher} is a pickled checkpoint, and loading one can run any code it carries, so it is not read`
        : `${teacher} is a file, but not an .onnx one`,
      'give the directory of a checkpoint with config.json and model.safetensors, or an .onnx file',
    )
  }
  const { isHubId, fetchCheckpoint } = await import('./hf-hub.js')
  if (!found && !isHubId(teacher))
    throw new UserError(
      `there is no teacher ${teacher}`,
      'give the directory of a checkpoint, an .onnx file, or namespace/name on the Hugging Face Hub',
    )
  const directory = found ? teacher : await fetchCheckpoint(teacher, options.tell)
  const { openHfEncoder } = await import('./graph-encoder.js')
  return openHfEncoder(teacher, directory, options)
}

/** @throws UserError at the first embedding that holds NaN or an infinity. */
export function checkFinite(name: string, embeddings: Float32Array): void {
  if (embeddings.every(Number.isFinite)) return
  throw new UserError(
    `the teacher ${name} gave an embedding that is not finite`,
    'check its weights and preprocessing; half-precision exports can overflow',
  )
}

/** @throws UserError where images of that shape cannot become the teacher's input. */
export function inputWriterOf(name: string, source: ImageShape, input: ModelInput): InputWriter {
  try {
    return createInputWriter(source, input)
  } catch (error) {
    throw new UserError(
      `the teacher ${name} cannot be given these images: ${messageOf(error)}`,
      'take another teacher or data set',
    )
  }
}
