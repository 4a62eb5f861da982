// The forward pass of a Hugging Face teacher on a backend, for tests that compare teachers with transformers.
import {
  classScores,
  classifierParameters,
  parameterInputs,
  spec,
  trace,
  vitEmbedding,
  vitParameters,
  type Backend,
  type ClassifierParameters,
  type DeviceBuffer,
  type HostTensor,
} from '@embed-kd/core'
import type { HfTeacher } from '../src/node/teachers/hf.js'

/** Returns the embeddings of prepared images, or the scores of a classifier. */
export async function forward(
  backend: Backend,
  { model, parameters }: HfTeacher,
  images: HostTensor,
): Promise<HostTensor> {
  const specs = 'classes' in model ? classifierParameters(model) : vitParameters(model)
  const inputs = {
    teacher: parameterInputs(specs, { role: 'teacher' }),
    images: spec(images.shape),
  }
  const graph = trace('teacher', inputs, ({ teacher, images: pixels }) => {
    const embedding = vitEmbedding(model, teacher, pixels)
    if (!('classifier' in teacher)) return { out: embedding }
    return { out: classScores(teacher as ClassifierParameters, embedding) }
  })
  const executable = await backend.compile(graph)
  const feeds: Record<string, DeviceBuffer> = { images: await backend.upload(images) }
  for (const [name, tensor] of parameters) feeds[`teacher.${name}`] = await backend.upload(tensor)
  const { out } = await executable.run(feeds)
  const result = await backend.read(out!)
  await executable.dispose()
  return result
}
