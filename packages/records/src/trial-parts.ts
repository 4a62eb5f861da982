// How a record describes the teacher, the student and the data set of a trial. A configuration only names them.
import { z } from 'zod'

const text = z.string().min(1)
const count = z.int().positive()

const kindsOfOne = ['trained', 'random', 'pretrained', 'embeddings'] as const

/** Fields of a teacher, the same for an only teacher and for one of several. */
const teacherFacts = {
  name: text.describe('for example vit-base-16, or the name of a file without its path'),
  parameterCount: count.optional().describe('absent if unknown, as of a file of embeddings'),
  imageSize: count.optional().describe('height of the input, in pixels; absent if unknown'),
  patch: count.optional().describe('side of a patch, in pixels; absent if it has no patches'),
  embeddingWidth: count.describe('width of an embedding; of those of several teachers together'),
  accuracy: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('accuracy of the teacher alone, on the test split'),
  digest: text.optional().describe("digest of the teacher's weights, model or embeddings"),
}

export const teacherSchema = z
  .strictObject({
    ...teacherFacts,
    kind: z
      .enum([...kindsOfOne, 'several'])
      .describe(
        'trained by the sweep itself, random weights (cost only), a model that was brought along, a file of embeddings, or several teachers at once',
      ),
    place: z
      .literal('beside')
      .optional()
      .describe('beside: a live teacher runs beside the training graph; in the graph if absent'),
    members: z
      .array(
        z.strictObject({
          ...teacherFacts,
          kind: z.enum(kindsOfOne),
          weight: z
            .number()
            .positive()
            .describe('weight of the loss of this teacher; only ratios count'),
        }),
      )
      .min(2)
      .optional()
      .describe('each of several teachers; absent if there is one'),
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

export const initSchema = z.strictObject({
  name: text.describe('name of a directory without its path, or of a repository on the hub'),
  digest: text.describe('SHA-256 of the files of weights'),
})

export const moduleSchema = z.strictObject({
  specifier: text.describe('path from the working directory of the sweep, or name of a package'),
  digest: text.describe('SHA-256 of the module and of the files that it imports by relative paths'),
})

export const datasetSchema = z.strictObject({
  name: text,
  classes: z.int().nonnegative().describe('number of classes; 0 if the images have no labels'),
  trainSize: count.describe('images of the training split that the trial trained on'),
  poolSize: count
    .optional()
    .describe('training images of which a share was labelled; absent if all of them were'),
  testSize: z.int().nonnegative().describe('images of the test split that the trial used'),
  digest: text.optional().describe('digest of the images and labels'),
})
