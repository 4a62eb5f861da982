// Opens whatever a user names as a teacher that embeds images: a checkpoint, an ONNX file, or a repository of either on the hub.
import { UserError } from '@embed-kd/core'

import type { Encoder, EncoderOptions } from './encoder.js'
import { encoderKinds, resolveTeacher } from './resolve.js'

/**
 * Opens a teacher.
 * @param teacher anything that `resolveTeacher` understands, other than a file of embeddings or a published shape.
 * @throws UserError if it is none of these or cannot be used.
 */
export async function openEncoder(teacher: string, options: EncoderOptions): Promise<Encoder> {
  const found = await resolveTeacher(teacher, options)
  switch (found.kind) {
    case 'onnx': {
      const { OnnxEncoder } = await import('./onnx-encoder.js')
      return OnnxEncoder.open(found.file, options)
    }
    case 'checkpoint': {
      const { openHfEncoder } = await import('./graph-encoder.js')
      return openHfEncoder(teacher, found.directory, options)
    }
    case 'embeddings':
      throw new UserError(
        `${teacher} is a file of embeddings, but a teacher that sees images is needed`,
        `give ${encoderKinds}`,
      )
    case 'trained':
      throw new UserError(
        `${teacher} is a teacher that a sweep trains for itself`,
        `train it with embed-kd train-teacher --shape ${teacher}, and give its directory`,
      )
    case 'shape':
      throw new UserError(
        `${teacher} is a published shape, whose random weights teach nothing`,
        `give ${encoderKinds}`,
      )
  }
}
