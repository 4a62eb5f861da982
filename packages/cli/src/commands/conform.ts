// `embed-kd conform`: runs the conformance suite on each given backend.
// Prints, as a table or JSON, which cases passed, were excused or failed.
import { conform, conformanceCases, formatResults, type CaseResult } from '@embed-kd/conformance'
import { Command } from 'commander'

import { openBackend } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import { list } from './options.js'

interface ConformOptions {
  readonly backend: string[]
  readonly case?: string
  readonly json?: boolean
}

export const conformCommand = (): Command =>
  new Command('conform')
    .requiredOption(
      '--backend <list>',
      'backends to test, separated by commas: backend:device (embed-kd doctor lists them) or ./plug-in.js',
      list,
    )
    .option('--case <prefix>', 'prefix of the names of the cases to run (default: all cases)')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      `
Prints for each family of cases how many passed, are excused by the backend, or failed, and how much of the allowed error was
used; then the reasons of the excused, and each failure with the first element that differs. Exit code 1 if any failed.
docs/write-a-backend.md goes from an empty file to a green table.

Examples:
  embed-kd conform --backend ort:cpu
  embed-kd conform --backend ./my-backend.js --case matmul/
`,
    )
    .action(runSuite)

async function runSuite({ backend: specs, case: prefix, json }: ConformOptions): Promise<void> {
  const found: { backend: string; results: CaseResult[] }[] = []
  for (const spec of specs) {
    const backend = await openBackend(spec)
    try {
      const results: CaseResult[] = []
      for await (const result of conform(backend, casesOf(backend.capabilities, prefix)))
        results.push(result)
      found.push({ backend: backend.name, results })
      if (!json) process.stdout.write(`${formatResults(backend.name, results)}\n`)
    } finally {
      await backend.dispose()
    }
  }
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`)
  if (found.some(({ results }) => results.some(({ status }) => status === 'failed')))
    process.exitCode = 1
}

/** Returns the cases whose names begin with the prefix, or undefined (the whole suite) without one. @throws if none matches. */
function casesOf(capabilities: Parameters<typeof conformanceCases>[0], prefix: string | undefined) {
  if (prefix === undefined) return undefined
  const all = conformanceCases(capabilities)
  const cases = all.filter(({ name }) => name.startsWith(prefix))
  if (cases.length > 0) return cases
  const families = new Set(all.map(({ name }) => name.slice(0, name.indexOf('/') + 1)))
  throw new UserError(
    `no case is called ${prefix}…`,
    `names begin with one of ${[...families].join(', ')}`,
  )
}
