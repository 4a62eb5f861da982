// Wrong values of options and arguments: checks that every command needs, and what is printed of them.
import { CommanderError, type Command } from 'commander'

/** Commander's words for a value that a parser refused, or that is none of the choices. */
const REFUSED =
  /^(?:option '(?:-\w, )?(?<flag>--[\w-]+)[^']*' argument|command-argument value) '(?<value>.*)' is invalid(?: for argument '(?<name>[^']*)')?\. (?:Allowed choices are (?<choices>.*)\.|(?<advice>.*))$/s

/** Returns the message of a usage error: what was given, and what was expected. */
export async function usageMessage({ message }: CommanderError): Promise<string> {
  const plain = message.replace(/^error: /, '')
  const { flag, name, value = '', choices, advice } = REFUSED.exec(plain)?.groups ?? {}
  const subject = flag ?? name
  if (subject === undefined) return plain
  const { guess } = await import('@embed-kd/core')
  const expected = choices ? `${guess(value, choices.split(', '))}give one of ${choices}` : advice
  return `${subject} cannot be ${JSON.stringify(value)}; ${expected}`
}

/** Refuses empty texts, which a shell makes of a variable without a value. @throws CommanderError */
export function refuseEmpty(command: Command): void {
  const names = command.options
    .filter((option) => command.getOptionValue(option.attributeName()) === '')
    .map(({ long }) => long!)
  if (command.args.includes('')) names.push('an argument')
  if (names.length === 0) return
  throw new CommanderError(
    2,
    'embed-kd.emptyValue',
    `error: ${names[0]} cannot be ""; give a value, or leave it out`,
  )
}
