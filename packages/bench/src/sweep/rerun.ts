// The shell command that runs one trial again, as records carry it, and back from it to the trial.
import { isDeepStrictEqual } from 'node:util'

import { UserError } from '@embed-kd/core'
import { students } from '@embed-kd/distill'
import type { TrialConfig } from '../trial/config.js'
import { expandGrids, parseGrids } from './grid.js'

const PREFIX = 'embed-kd bench '

/** Fields of a grid that are lists: of words, and all. */
const TEXTS = new Set([
  'backend',
  'method',
  'preset',
  'teacher',
  'student',
  'dataset',
  'rematerialise',
  'precision',
])
const AXES = new Set([...TEXTS, 'batch'])

/** Undefined where the command line cannot say the trial: a student of a configuration file, a path with a comma. */
export function formatRerun(config: TrialConfig): string | undefined {
  const { student, seed, ...rest } = config
  if (!students.some((named) => isDeepStrictEqual(named, student))) return undefined
  if ([config.backend, config.dataset].some((path) => path.includes(','))) return undefined
  const flags = { ...rest, student: student.name, firstSeed: seed, seeds: 1 }
  const words = Object.entries(flags).map(([key, value]) => `${flagOf(key)} ${quote(`${value}`)}`)
  return PREFIX + words.join(' ')
}

/** @throws UserError where `command` is none that formatRerun wrote. */
export function parseRerun(command: string): TrialConfig {
  if (!command.startsWith(PREFIX))
    throw new UserError(`"${command}" is no "${PREFIX}…"`, 'give a record that bench wrote')
  const words = unquote(command.slice(PREFIX.length))
  const grid: Record<string, unknown> = {}
  for (let i = 0; i + 1 < words.length; i += 2) {
    const key = words[i]!.slice(2).replaceAll(/-[a-z]/g, (dashed) => dashed[1]!.toUpperCase())
    const value = TEXTS.has(key) ? words[i + 1]! : Number(words[i + 1])
    grid[key] = AXES.has(key) ? [value] : value
  }
  return expandGrids(parseGrids({ grids: [grid] }, `"${command}"`))[0]!
}

const flagOf = (key: string): string =>
  `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`

/** The words of what `quote` wrote, joined by blanks. */
const unquote = (text: string): string[] =>
  [...text.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\'/g, (_, quoted: string | undefined) => quoted ?? "'"),
  )
