// The command `embed-kd`: it loads the subcommand that is asked for, and turns errors into one line and an exit code:
// 0 if all went well, 1 if something failed, 2 if the command line cannot be understood.
import { readFileSync } from 'node:fs'

import { Command, CommanderError } from 'commander'

import { commands, isCommand, loadCommand } from './commands/table.js'
import { applyConfigFile, preferCommandLine } from './config-file.js'
import { refuseEmpty, usageMessage } from './usage-error.js'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

const words = process.argv.slice(2)
const asksFor = (flag: string) => words.includes(flag)

const program = new Command('embed-kd')
  .description(
    'Can a student learn from a file of teacher embeddings? Sweeps teacher size, batch and method for memory, throughput ' +
      'and accuracy, on pluggable backends.',
  )
  .version(version)
  .option('--quiet', 'print results and errors only, no progress')
  .option('--verbose', 'print what is compiled, and the stack of every error')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    'after',
    `
Exit codes: 0 success, 1 failure, 2 wrong usage. With --json, errors are JSON too: {"error": "…"} on standard output.

Configuration: default options of each command are read from embed-kd.config.json, .js, .mjs or .ts in the working directory,
for example {"bench": {"student": "small", "batch": [16, 64]}}. Options of the command line win.

Environment:
  EMBED_KD_DEBUG=1…4  print to standard error: 1 graphs that are compiled, 2 their planned memory too, 3 each run, 4 the graphs
`,
  )
  .exitOverride()
  // Errors are printed once, below.
  .configureOutput({ outputError: () => {} })

let running: Command | undefined
for (const name of Object.keys(commands))
  if (isCommand(name)) {
    const asked = name === words.find((word) => isCommand(word))
    const command = asked ? await loadCommand(name) : new Command(name)
    command.description(commands[name].summary).copyInheritedSettings(program)
    if (asked) running = command
    program.addCommand(command)
  }

// A reader that has seen enough (| head) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const writeError = process.stderr.write.bind(process.stderr)
program.hook('preAction', (_, command) => {
  preferCommandLine(command)
  refuseEmpty(command)
  if (asksFor('--quiet')) process.stderr.write = () => true
  if (asksFor('--verbose')) process.env['EMBED_KD_DEBUG'] ??= '1'
})

try {
  const help = asksFor('--help') || asksFor('-h')
  const file = running && !help && (await applyConfigFile(running, Object.keys(commands)))
  if (file && asksFor('--verbose')) process.stderr.write(`configuration: ${file}\n`)
  await program.parseAsync()
} catch (error) {
  process.stderr.write = writeError
  process.exitCode = await complain(error)
}

/** Prints an error the way the command line asks for. Returns the exit code. */
async function complain(error: unknown): Promise<number> {
  if (error instanceof CommanderError) {
    // Help and version, which were printed, end in the same way.
    if (error.exitCode === 0) return 0
    const message = await usageMessage(error)
    const hint = '(embed-kd COMMAND --help shows the options and examples)'
    if (error.code === 'commander.help') return 2
    print(message, `error: ${message}\n${hint}`)
    return 2
  }
  const { describeError, messageOf, UserError } = await import('@embed-kd/core')
  const stack = asksFor('--verbose') ? `\n${(error as Error)?.stack ?? ''}` : ''
  // A file system that refuses is no bug of ours, wherever it does.
  const shown = isSystemError(error)
    ? new UserError(messageOf(error), 'check the path, its permissions and the free space')
    : error
  print(messageOf(shown), `${describeError(shown)}${stack}`)
  return 1
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'errno' in error
}

function print(message: string, text: string): void {
  if (asksFor('--json')) process.stdout.write(`${JSON.stringify({ error: message })}\n`)
  else process.stderr.write(`${text}\n`)
}
