// The description of a student in a configuration file, as a schema.
import { z } from 'zod'

import type { Student } from '../models/students.js'

const positive = z.int().positive()

export const studentSchema = z.strictObject({
  name: z.string().min(1),
  imageSize: positive.describe('side of the square input in pixels; other images are resized'),
  patch: positive.describe('side of a patch in pixels; divides imageSize'),
  width: positive.describe("width of the student's embeddings"),
  layers: positive.describe('number of blocks'),
  heads: positive.describe('number of attention heads; divides width'),
}) satisfies z.ZodType<Student>
