// How a record describes the teacher, the student and the data set of a trial. A configuration only names them.
import { z } from 'zod'

const text = z.string().min(1)
const count = z.int().positive()

export const teacherSchema = z
  .strictObject({
    name: text.describe('for example vit-base-16, or the name of a file without its path'),
    kind: z
      .enum(['trained', 'random', 'pretrained', 'embeddings'])
      .describe(
        'trained by the sweep itself, random weights (cost only), a model that was brought along, or a file of embeddings',
      ),
    place: z
      .literal('beside')
      .optional()
      .describe('beside: a live teacher runs beside the training graph; in the graph if absent'),
    parameterCount: count.optional().describe('absent if unknown, as of a file of embeddings'),
    imageSize: count.optional().describe('height of the input, in pixels; absent if unknown'),
    patch: count.optional().describe('side of a patch, in pixels; absent if it has no patches'),
    embeddingWidth: count,
    accuracy: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('accuracy of the teacher alone, on the test split'),
    digest: text.optional().describe("digest of the teacher's weights, model or embeddings"),
  })
  .describe('absent if the method needs no teacher')

export const studentSchema = z.strictObject({
  name: text,
  imageSize: count.describe('side of the square input, in pixels'),
  patch: count.describe('side of a patch, in pixels'),
  width: count,
  layers: count,
  heads: count,
  parameterCount: count,
})

export const moduleSchema = z.strictObject({
  specifier: text.describe('path from the working directory of the sweep, or name of a package'),
  digest: text.describe('SHA-256 of the module and of the files that it imports by relative paths'),
})

export const datasetSchema = z.strictObject({
  name: text,
  classes: count,
  trainSize: count.describe('images of the training split that the trial trained on'),
  poolSize: count
    .optional()
    .describe('training images of which a share was labelled; absent if all of them were'),
  testSize: z.int().nonnegative().describe('images of the test split that the trial used'),
  digest: text.optional().describe('digest of the images and labels'),
})
