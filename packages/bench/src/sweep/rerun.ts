// The shell command that runs one trial again, as records hold it, and the trial that such a command says.
import { homedir } from 'node:os'

import { UserError } from '@embed-kd/core'

import type { TrialConfig } from '../axes/config.js'
import { flagOf, formatAxisValue, isSwitch, parseAxisValues } from '../axes/words.js'
import { expandGrids, gridAxes, parseGrids } from './grid.js'

const PREFIX = 'embed-kd bench '

/** Returns the command; undefined if no command line says the trial: a student of a configuration file, a path with a comma. */
export function formatRerun(config: TrialConfig): string | undefined {
  const { seed } = config
  const words: string[] = []
  for (const name of gridAxes) {
    if (config[name] === undefined || (name === 'student' && config.init !== undefined)) continue
    const word = formatAxisValue(config, name)
    if (word === undefined || (name !== 'student' && word.includes(','))) return undefined
    words.push(flagOf(name), ...(isSwitch(name) ? [] : [quote(word)]))
  }
  return `${PREFIX}${words.join(' ')} --first-seed ${seed} --seeds 1`
}

/** Returns the trial of a command. @throws UserError if `command` is none that `formatRerun` wrote. */
export function parseRerun(command: string): TrialConfig {
  if (!command.startsWith(PREFIX))
    throw new UserError(`"${command}" is no "${PREFIX}…"`, 'give a record that bench wrote')
  // Records hold no home directories.
  const words = unquote(command.slice(PREFIX.length).replaceAll('$HOME', homedir()))
  const grid: Record<string, unknown> = {}
  for (let i = 0; i < words.length;) {
    const flag = words[i++]!
    const name = gridAxes.find((axis) => flagOf(axis) === flag)
    if (name && isSwitch(name)) grid[name] = [true]
    else if (name) grid[name] = parseAxisValues(name, words[i++] ?? '')
    else grid[fieldOf(flag)] = Number(words[i++])
  }
  return expandGrids(parseGrids({ grids: [grid] }, `"${command}"`))[0]!
}

const fieldOf = (flag: string): string =>
  flag.slice(2).replaceAll(/-[a-z]/g, (dashed) => dashed[1]!.toUpperCase())

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`

/** Returns the words that `quote` wrote, joined by blanks. */
const unquote = (text: string): string[] =>
  [...text.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\'/g, (_, quoted: string | undefined) => quoted ?? "'"),
  )
