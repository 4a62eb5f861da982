// Values of axes as words of a command line, and back.
import { isDeepStrictEqual } from 'node:util'

import { guess, UserError } from '@embed-kd/core'
import { findStudent } from '@embed-kd/distill'
import { axes, type Axis } from '@embed-kd/records'
import { z } from 'zod'

import { trialConfigSchema, type TrialConfig } from './config.js'
import { optionOf, type GivenAxis } from './table.js'

/** Returns an axis or field of a grid as a flag: `--micro-batch`. */
export const flagOf = (field: string): string =>
  `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Returns the schema of one value of an axis in a grid. */
export function itemSchema(name: GivenAxis): z.ZodType {
  const { item } = optionOf(name)
  const inTrial: z.ZodType = trialConfigSchema.shape[name]
  return item ?? (inTrial instanceof z.ZodOptional ? (inTrial.unwrap() as z.ZodType) : inTrial)
}

/** Whether the flag of an axis stands alone and means true. */
export const isSwitch = (name: GivenAxis): boolean => optionOf(name).placeholder === undefined

/**
 * Reads one value of an axis from a word.
 * @throws UserError naming the flag and saying what to give instead.
 */
export function parseAxisValue(name: GivenAxis, word: string, flag = flagOf(name)): unknown {
  const schema = itemSchema(name)
  const text = word.trim()
  const value = schema instanceof z.ZodNumber && text !== '' ? Number(text) : text
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const meant = schema instanceof z.ZodEnum ? guess(text, schema.options.map(String)) : ''
  throw new UserError(
    `${flag} cannot be ${JSON.stringify(word)}`,
    meant + result.error.issues[0]!.message,
  )
}

/**
 * Reads the values of an axis from words with commas between them. A description of a student has commas of its own.
 * @throws UserError as `parseAxisValue` does.
 */
export const parseAxisValues = (name: GivenAxis, words: string, flag = flagOf(name)): unknown[] =>
  words.split(/,(?!\s*\w+=)/).map((word) => parseAxisValue(name, word, flag))

/** Returns the value that a trial has if a user gives this one: undefined for the name of the axis's absence. */
export const valueInTrial = (name: GivenAxis, value: unknown): unknown =>
  value === (axes[name] as Axis).absent ? undefined : value

/** Returns a trial's value as a word; undefined if no word says it. */
export function formatAxisValue(config: TrialConfig, name: GivenAxis): string | undefined {
  const { format = String } = optionOf(name)
  if (name === 'method') return config.methodModule?.specifier ?? config.method
  if (name !== 'student') return format(config[name])
  const { name: word } = config.student
  try {
    return isDeepStrictEqual(findStudent(word), config.student) ? word : undefined
  } catch {
    return undefined
  }
}

/** Returns the default of an axis in words, for help texts. */
export function defaultWords(name: GivenAxis, values = optionOf(name).default): string {
  return values ? values.join(', ') : (optionOf(name).otherwise ?? 'none')
}
