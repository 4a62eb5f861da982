// Checks of a trainer's options. Programs in JavaScript have no types to keep them from mistakes. The sizes of a step are checked with
// its configuration.
import { checkInteger, checkNumber, describeValue, methodNames, UserError } from '@embed-kd/core'

import type { AnyOptions } from './trainer-options.js'

/** Options without a default, and what to give. */
const required = {
  backend: "give a backend, such as await openBackend('ort:cpu')",
  student: "give a student, such as 'small'",
  images: 'give the sizes of the images, such as { channels: 3, size: 32 }',
  method: `give one of ${methodNames.join(', ')}, or what defineMethod returns`,
} as const satisfies Partial<Record<keyof AnyOptions, string>>

/** @throws UserError that names the first option with a value that makes no sense. */
export function checkOptions(options: AnyOptions): void {
  for (const [name, remedy] of Object.entries(required))
    if (options?.[name as keyof typeof required] === undefined)
      throw new UserError(`Trainer.create was given no \`${name}\``, remedy)
  const { backend, classes, batch, seed, ema, totalSteps } = options
  if (typeof backend.compile !== 'function')
    throw new UserError(`the backend is ${describeValue(backend)}`, required.backend)
  if (classes !== undefined) checkInteger('classes', classes)
  if (batch !== undefined) checkInteger('batch', batch)
  if (seed !== undefined) checkInteger('seed', seed, 0)
  if (ema !== undefined) checkNumber('ema', ema, { least: 0, most: 1, open: 'most' })
  if (totalSteps !== undefined) checkInteger('totalSteps', totalSteps)
}
