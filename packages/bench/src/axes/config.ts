// The configuration of one trial, as a parent process gives it to a child: the axes of a record's trial, with teacher, student
// and data set as a user names them.
import { studentSchema } from '@embed-kd/distill/node'
import { trialSchema, type AxisName } from '@embed-kd/records'
import { z } from 'zod'

export const trialConfigSchema = trialSchema.extend({
  teacher: z.string('give a name').min(1, 'give a name').optional(),
  student: studentSchema,
  init: z.string('give a name').min(1, 'give a name').optional(),
  dataset: z.string('give a name').min(1, 'give a name'),
} satisfies { [Name in AxisName]?: z.ZodType })

export type TrialConfig = z.output<typeof trialConfigSchema>
