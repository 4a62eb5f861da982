// Options of the axes of a trial, from the table of axes: the same flag, help and check of values in every command.
import { isForUser, messageOf } from '@embed-kd/core'
import { CommanderError, Option, type Command } from 'commander'

import {
  defaultWords,
  flagOf,
  gridAxes,
  isSwitch,
  type GivenAxis,
  optionOf,
  parseAxisValue,
  parseAxisValues,
  valueInTrial,
  type TrialConfig,
} from '@embed-kd/bench'

/** Adds an option with a list of values for each axis of a grid. Values that are not given are left to the grid. */
export function addGridAxes(command: Command): Command {
  for (const name of gridAxes) {
    const help = `${optionOf(name).help} (default: ${defaultWords(name)})`
    const parse = usage((words: string) => parseAxisValues(name, words))
    command.addOption(
      isSwitch(name)
        ? new Option(flagOf(name), help)
        : new Option(`${flagOf(name)} <list>`, help).argParser(parse),
    )
  }
  return command
}

/** Returns a parser whose errors are those of a command line that cannot be understood. */
export const usage =
  <T>(parse: (words: string) => T) =>
  (words: string): T => {
    try {
      return parse(words)
    } catch (error) {
      if (!isForUser(error)) throw error
      throw new CommanderError(2, 'embed-kd.invalidValue', `error: ${messageOf(error)}`)
    }
  }

/** How a command's option of an axis differs from the table. */
export interface AxisOverride {
  /** Help text without the default. */
  readonly help?: string
  readonly default?: string | number
  /** What help calls the default, if the command has no value to show. */
  readonly otherwise?: string
  /** Flag without its value, such as `--samples`. */
  readonly flag?: string
}

/** The parsed options of some axes: the values that a trial would have. */
export type AxisValues<Name extends GivenAxis> = Pick<TrialConfig, Name>

/** Adds an option with one value for each of the axes. */
export function addAxisOptions<Name extends GivenAxis>(
  command: Command,
  names: readonly Name[],
  overrides: { readonly [Axis in Name]?: AxisOverride } = {},
): Command {
  for (const name of names) {
    const option = optionOf(name)
    const override: AxisOverride = overrides[name] ?? {}
    const flag = override.flag ?? flagOf(name)
    const initial = override.default ?? (override.otherwise ? undefined : option.default?.[0])
    const words = initial === undefined ? (override.otherwise ?? defaultWords(name)) : `${initial}`
    const parse = (word: string) => valueInTrial(name, parseAxisValue(name, word, flag))
    const value = initial === undefined ? undefined : parse(`${initial}`)
    const help = override.help ?? option.help
    if (isSwitch(name)) {
      command.addOption(new Option(flag, `${help} (default: ${words})`))
      continue
    }
    const made = new Option(
      `${flag} <${option.placeholder}>`,
      value === undefined ? `${help} (default: ${words})` : help,
    ).argParser(usage(parse))
    command.addOption(value === undefined ? made : made.default(value, words))
    // Commander keeps an empty string if a parser returns undefined, as for a value that no trial has.
    command.on(`option:${made.name()}`, () => {
      if (command.getOptionValue(made.attributeName()) === '')
        command.setOptionValue(made.attributeName(), undefined)
    })
  }
  return command
}
