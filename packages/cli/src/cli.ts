// The command `embed-kd`. Each subcommand is a file in commands/; this one only puts them together and turns errors into
// one line and an exit code.
import { readFileSync } from 'node:fs'

import { Command } from 'commander'

import { benchCommand } from './commands/bench.js'
import { bundleCommand } from './commands/bundle.js'
import { conformCommand } from './commands/conform.js'
import { distillCommand } from './commands/distill.js'
import { doctorCommand } from './commands/doctor.js'
import { embedCommand } from './commands/embed.js'
import { mergeCommand } from './commands/merge.js'
import { reportCommand } from './commands/report.js'
import { stepCommand } from './commands/step.js'
import { trainTeacherCommand } from './commands/train-teacher.js'
import { verifyCommand } from './commands/verify.js'
import { describeError } from '@embed-kd/core'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

const program = new Command('embed-kd')
  .description(
    'Can a student learn from a file of teacher embeddings? Sweeps teacher size, batch and method for memory, throughput ' +
      'and accuracy, on pluggable backends.',
  )
  .version(version)
  .showHelpAfterError('(embed-kd COMMAND --help shows the options and examples)')
for (const command of [
  benchCommand,
  stepCommand,
  trainTeacherCommand,
  embedCommand,
  distillCommand,
  reportCommand,
  mergeCommand,
  verifyCommand,
  doctorCommand,
  bundleCommand,
  conformCommand,
])
  program.addCommand(command().copyInheritedSettings(program))

// A reader that has seen enough (| head) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
