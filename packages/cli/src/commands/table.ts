// The commands: a line of the help each. The file of a command is loaded once it is asked for, so that --help and --version
// load no runtime.
import type { Command } from 'commander'

import type { ListedCommand } from './completion.js'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

export const commands = {
  bench: {
    summary: 'run a sweep: every method, teacher, batch … of a grid, each in its own process',
    load: async () => (await import('./bench.js')).benchCommand(),
  },
  step: {
    summary:
      'measure one training step: time, memory, and its share of the matrix-product roofline',
    load: async () => (await import('./step.js')).stepCommand(),
  },
  'train-teacher': {
    summary: 'train a teacher on the data set itself',
    load: async () => (await import('./train-teacher.js')).trainTeacherCommand(),
  },
  embed: {
    summary: "write a teacher's embeddings of the training images to a file",
    load: async () => (await import('./embed.js')).embedCommand(),
  },
  distill: {
    summary: 'train a student from embeddings or a teacher, and export it',
    load: async () => (await import('./distill.js')).distillCommand(),
  },
  evaluate: {
    summary: 'judge embeddings: k-NN, linear probe, retrieval, zero-shot, alignment, robustness',
    load: async () => (await import('./evaluate.js')).evaluateCommand(),
  },
  studio: {
    summary: 'serve a page in which a student learns in the browser, live',
    load: async () => (await import('./studio.js')).studioCommand(),
  },
  report: {
    summary: 'make one self-contained HTML file of records',
    load: async () => (await import('./report.js')).reportCommand(),
  },
  merge: {
    summary: 'put the records of several shards or sweeps into one file',
    load: async () => (await import('./merge.js')).mergeCommand(),
  },
  verify: {
    summary: 'run one trial of a set of records again and compare',
    load: async () => (await import('./verify.js')).verifyCommand(),
  },
  doctor: {
    summary: 'tell which backends work here, and what would make the others work',
    load: async () => (await import('./doctor.js')).doctorCommand(),
  },
  bundle: {
    summary: 'put Node, this command and its backends into one archive (Linux)',
    load: async () => (await import('./bundle.js')).bundleCommand(),
  },
  conform: {
    summary: 'run the conformance suite on a backend, also on one of your own',
    load: async () => (await import('./conform.js')).conformCommand(),
  },
  cache: {
    summary: 'list or clear decoded images and downloads',
    load: async () => (await import('./cache.js')).cacheCommand(),
  },
  completion: {
    summary: 'print a script that completes commands and options in your shell',
    load: async () => (await import('./completion.js')).completionCommand(loadAll),
  },
} satisfies Record<string, Entry>

export type CommandName = keyof typeof commands

export const isCommand = (word: string | undefined): word is CommandName =>
  word !== undefined && Object.hasOwn(commands, word)

/** Loads a command and gives it the summary of the table as its description. */
export const loadCommand = async (name: CommandName): Promise<Command> =>
  (await commands[name].load()).description(commands[name].summary)

/** Loads every command. */
const loadAll = (): Promise<ListedCommand[]> =>
  Promise.all(
    (Object.keys(commands) as CommandName[]).map(async (name) => ({
      name,
      summary: commands[name].summary,
      command: await loadCommand(name),
    })),
  )
