// How a record describes the teacher, the student and the data set of a trial. A configuration only names them.
import { z } from 'zod'

const text = z.string().min(1)
const count = z.int().positive()

export const teacherSchema = z
  .strictObject({
    name: text.describe('for example vit-base-16'),
    kind: z
      .enum(['trained', 'random', 'pretrained'])
      .describe('trained by the sweep itself, random weights (cost only), or published weights'),
    parameterCount: count
      .optional()
      .describe('absent if the trial had a file of embeddings that does not tell'),
    imageSize: count
      .optional()
      .describe('side of the square input, in pixels; absent as parameterCount'),
    patch: count.optional().describe('side of a patch, in pixels; absent as parameterCount'),
    embeddingWidth: count,
    accuracy: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('accuracy of the teacher alone, on the test split'),
    digest: text.optional().describe("digest of the teacher's weights"),
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
