// Runs the built command as a user would. Tests of it are end to end: nothing of src/ is imported here.
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))

export interface CliResult {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the command; `result` resolves when it has ended. */
export function startCli(
  args: readonly string[],
  stdin: 'ignore' | 'pipe' = 'ignore',
): {
  child: ChildProcess
  result: Promise<CliResult>
} {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: [stdin, 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk))
  const result = new Promise<CliResult>((resolve) =>
    child.on('close', (code) => resolve({ code, ...text })),
  )
  return { child, result }
}

export const runCli = (...args: string[]): Promise<CliResult> => startCli(args).result

export { temporaryDirectory } from '../../distill/test/temporary.js'
