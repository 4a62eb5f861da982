// A teacher as everybody else sees it: pixels in, embeddings out. Encoders of checkpoints are in graph-encoder.ts, those of ONNX files
// in onnx-encoder.ts; open.ts opens either.
import { UserError, messageOf, type Backend } from '@embed-kd/core'

import type { ImageShape } from '../data/dataset.js'
import { createInputWriter, type InputWriter, type ModelInput } from '../data/input.js'

export interface Encoder {
  /** As the user gave it. */
  readonly name: string
  /** SHA-256 (hex) of the weights. */
  readonly digest: string
  /** How an embedding is made of the model's output, such as `class token`. */
  readonly pooling: string
  readonly width: number
  /** Number of classes it scores too; absent if it only embeds. */
  readonly classes?: number | undefined
  /** Names of those classes in the order of their scores; absent if they are not known. */
  readonly classNames?: readonly string[] | undefined
  readonly input: ModelInput
  /** Number of weights, if it is known. */
  readonly parameterCount?: number
  /** Side of a patch in pixels; absent if the model is not known to have patches. */
  readonly patch?: number
  /**
   * Embeds images [count, channels, height, width], bytes of the shape it was opened for.
   * @throws UserError if an embedding is not finite.
   */
  embed(pixels: Uint8Array, count: number): Promise<Embedded>
  dispose(): Promise<void>
}

export interface Embedded {
  /** [count, width] */
  readonly embeddings: Float32Array
  /** [count, classes] at the temperature it was opened with, if it has classes. */
  readonly probabilities?: Float32Array
}

/** How a model is read as an encoder, as users choose it. */
export interface EncoderChoice {
  /** Side in pixels to which images are resized for the model (default: as its preprocessing says). */
  readonly imageSize?: number | undefined
  /** Path of the ONNX file in a model's directory or repository, or its element type, such as `fp16`. */
  readonly onnxFile?: string | undefined
  /** Output of an ONNX model to take. */
  readonly output?: string | undefined
  /** Pooling of an ONNX model's tokens: `cls` or `mean`. */
  readonly pooling?: string | undefined
}

export interface EncoderOptions extends EncoderChoice {
  /** Runs Hugging Face checkpoints; ONNX files bring their own runtime. */
  readonly backend: Backend
  /** Shape of the images to come. */
  readonly source: ImageShape
  /** Number of images in one run of the model. */
  readonly batch: number
  /** Temperature of the probabilities (default: 1). */
  readonly temperature?: number
  /** Receives lines for the user, such as which preprocessing is used. */
  readonly tell?: ((message: string) => void) | undefined
}

/** @throws UserError at the first embedding that holds NaN or an infinity. */
export function checkFinite(name: string, embeddings: Float32Array): void {
  if (embeddings.every(Number.isFinite)) return
  throw new UserError(
    `the teacher ${name} gave an embedding that is not finite`,
    'check its weights and preprocessing; half-precision exports can overflow',
  )
}

/** @throws UserError if images of that shape cannot become the teacher's input. */
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
