// The configuration beside the working directory: default options of each command. What the command line gives wins.
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { CommanderError, InvalidArgumentError, type Command, type Option } from 'commander'

/** Names under which the file is found. */
export const configFiles = ['json', 'js', 'mjs', 'ts', 'mts'].map(
  (extension) => `embed-kd.config.${extension}`,
)

/** Options that exclude each other: the command line's replaces the other one of the file. */
const alternatives = [
  ['epochs', 'steps'],
  ['profile', 'config'],
] as const

/**
 * Gives a command the options that the configuration file has for it, before the command line is read.
 * @param commandNames the keys that the file may have.
 * @returns the file, if there is one.
 * @throws UserError if the file cannot be read, or names a command or an option that does not exist.
 */
export async function applyConfigFile(
  command: Command,
  commandNames: readonly string[],
): Promise<string | undefined> {
  const found = configFiles.filter((name) => existsSync(name))
  const [file] = found
  if (file === undefined) return undefined
  // The start of a command without such a file loads nothing of the library.
  const { guess, UserError } = await import('@embed-kd/core')
  if (found.length > 1) throw new UserError(`there are ${found.join(' and ')}`, `keep one of them`)
  const config = await readConfig(file)
  for (const name of Object.keys(config))
    if (!commandNames.includes(name))
      throw new UserError(
        `${file}: there is no command "${name}"`,
        `${guess(name, commandNames)}its keys are commands: ${commandNames.join(', ')}`,
      )
  const options = config[command.name()] ?? {}
  if (!isObject(options))
    throw new UserError(`${file}: ${command.name()} is no object`, 'give options by their names')
  const names = command.options.map((option) => option.attributeName())
  for (const [name, value] of Object.entries(options)) {
    const option = command.options.find((known) => known.attributeName() === name)
    if (!option)
      throw new UserError(
        `${file}: ${command.name()} has no option "${name}"`,
        `${guess(name, names)}its options are ${names.join(', ')}`,
      )
    try {
      command.setOptionValueWithSource(name, parseValue(option, value), 'config')
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error
      throw new UserError(
        `${file}: ${command.name()}.${name} cannot be ${JSON.stringify(value)}`,
        error.message.replace(/^error: (--\S+ cannot be .*?; )?/, ''),
      )
    }
  }
  return file
}

/** Takes back options of the file that the command line gave an alternative to. Call it once the command line is read. */
export function preferCommandLine(command: Command): void {
  for (const pair of alternatives)
    for (const [one, other] of [pair, pair.toReversed()] as [string, string][]) {
      const isReplaced =
        command.getOptionValueSource(one) === 'config' &&
        command.getOptionValueSource(other) === 'cli'
      if (isReplaced) command.setOptionValue(one, undefined)
    }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

async function readConfig(file: string): Promise<Readonly<Record<string, unknown>>> {
  const { messageOf, UserError } = await import('@embed-kd/core')
  const example = 'give something such as {"bench": {"student": "small"}}'
  let value: unknown
  try {
    value = file.endsWith('.json')
      ? JSON.parse(readFileSync(file, 'utf8'))
      : ((await import(pathToFileURL(resolve(file)).href)) as { default?: unknown }).default
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw new UserError(
        `Node ${process.versions.node} cannot import TypeScript: ${file}`,
        'write it as JavaScript or JSON, or use Node 22.18 or later',
      )
    throw new UserError(`${file} cannot be read (${messageOf(error)})`, example)
  }
  if (isObject(value)) return value
  throw new UserError(
    file.endsWith('.json')
      ? `${file} holds no object`
      : `${file} has no object as its default export`,
    example,
  )
}

/** Reads a value as if its words had been given on the command line. */
function parseValue(option: Option, value: unknown): unknown {
  const expected = option.isBoolean() ? 'true or false' : 'a text, a number or a list of them'
  if (option.isBoolean()) {
    if (typeof value === 'boolean') return value
    throw new InvalidArgumentError(`give ${expected}`)
  }
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (items.length === 0 || !items.every((item) => ['string', 'number'].includes(typeof item)))
    throw new InvalidArgumentError(`give ${expected}`)
  const words = items.join(',')
  return option.parseArg ? option.parseArg(words, undefined as never) : words
}
