// The command itself: what it loads, exit codes, errors as JSON, standard input, completion.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, temporaryDirectory } from './cli.js'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const QUICK = fileURLToPath(new URL('../../../docs/results/quick.jsonl', import.meta.url))

/** Runs the command to its end, with text on its standard input. */
const run = (
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: object } = {},
) =>
  spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    ...options,
    env: { ...process.env, ...options.env },
  })

/** The packages in node_modules of which a run loads any file. */
function packagesLoaded(...args: string[]): string[] {
  const directory = temporaryDirectory()
  run(args, { env: { NODE_V8_COVERAGE: directory } })
  const urls = readdirSync(directory).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
      result: { url: string }[]
    }
    return result.map(({ url }) => url)
  })
  expect(urls.some((url) => url.endsWith('/cli.js'))).toBe(true)
  const names = urls.flatMap((url) => {
    const own = /\/packages\/([^/]+)\/dist\//.exec(url)?.[1]
    return own ?? /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []
  })
  return [...new Set(names)].toSorted()
}

describe('embed-kd', () => {
  it.each([['--version'], ['--help']])('%s loads no runtime', (flag) => {
    expect(packagesLoaded(flag)).toEqual(['cli', 'commander'])
  })

  it('ends with 0, with 1 if something failed, with 2 if it was used wrongly', async () => {
    const codes = async (...args: string[]) => (await runCli(...args)).code
    expect(await codes('--version')).toBe(0)
    expect(await codes('bench', '--help')).toBe(0)
    expect(await codes('report', '/no/such/place')).toBe(1)
    expect(await codes('report')).toBe(2)
    expect(await codes('bench', '--batch', 'many')).toBe(2)
    expect(await codes('frobnicate')).toBe(2)
  })

  it.each([
    [['bnech'], /unknown command 'bnech'\n\(Did you mean bench\?\)/],
    [['report', 'x', '--titel', 'y'], /unknown option '--titel'\n\(Did you mean --title\?\)/],
    [
      ['bench', '--steps', '1', '--student', 'smal'],
      /unknown student "smal"; did you mean small\?/,
    ],
    [['bench', '--steps', '1', '--dataset', 'minst'], /did you mean mnist\?/],
    [['bench', '--steps', '1', '--teacher', 'vit-bse-16'], /did you mean vit-base-16\?/],
    [['bench', '--profile', 'quik'], /did you mean quick\?/],
    [['doctor', '--backend', 'tjfs'], /did you mean tfjs\?/],
    [['doctor', '--backend', 'ort:cup'], /did you mean cpu\?/],
  ])('guesses what %j means', async (args, message) => {
    expect((await runCli(...args)).stderr).toMatch(message)
  })

  it('tells errors as JSON under --json', async () => {
    const failed = await runCli('report', '/no/such/place', '--json')
    expect(JSON.parse(failed.stdout)).toEqual({
      error: expect.stringContaining('/no/such/place cannot be read'),
    })
    expect(failed).toMatchObject({ code: 1, stderr: '' })
    const wrong = await runCli('report', '--json')
    expect(JSON.parse(wrong.stdout)).toEqual({ error: expect.stringContaining('records') })
    expect(wrong).toMatchObject({ code: 2, stderr: '' })
  })

  it('shows the stack of an error under --verbose alone', async () => {
    expect((await runCli('report', '/no')).stderr).not.toMatch(/^\s+at /m)
    expect((await runCli('report', '/no', '--verbose')).stderr).toMatch(/^\s+at /m)
  })

  it('reads records from standard input', () => {
    const out = join(temporaryDirectory(), 'all.jsonl')
    const input = readFileSync(QUICK, 'utf8')
    const { status, stdout } = run(['merge', '-', '--out', out], { input })
    const count = input.trim().split('\n').length
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${count} records: ${out}\n` })
  })

  it('keeps quiet', () => {
    const cwd = temporaryDirectory()
    const config = writeConfig(cwd, tinyGrid(writeTinyDataset(join(cwd, 'data')), { steps: 1 }))
    const args = ['bench', '--config', config, '--quiet', '--out', 'out']
    const { status, stdout, stderr } = run(args, { cwd })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('1 of 1 trials have a record: 1 ok')
  })

  it('prints what is compiled, planned and run under EMBED_KD_DEBUG', () => {
    const args = ['conform', '--backend', 'reference', '--case', 'matmul/1x1x1']
    const lines = (level: string) => run(args, { env: { EMBED_KD_DEBUG: level } }).stderr
    expect(lines('1')).toMatch(/^\[embed-kd\] reference:cpu compiled .*: \d+ nodes/)
    expect(lines('1')).not.toContain('planned')
    expect(lines('4')).toMatch(
      /planned: resident .*\n(.*matmul.*\n|.*\n)*\[embed-kd\] reference:cpu ran /,
    )
  })
})

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

describe('completion', () => {
  it.runIf(has('bash'))('for bash completes commands and options', () => {
    const script = run(['completion', 'bash']).stdout
    const complete = (...words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _embed_kd; echo "\${COMPREPLY[@]}"`,
          'bash',
          'embed-kd',
          ...words,
        ],
        { encoding: 'utf8' },
      ).trim()
    expect(complete('be')).toBe('bench')
    expect(complete('report', '--ti')).toBe('--title')
    expect(complete('distill', '--embedd')).toBe('--embeddings')
  })

  it.each(['zsh', 'fish'])(
    'for %s names every command and is a script that it can read',
    (shell) => {
      const script = run(['completion', shell]).stdout
      for (const word of ['bench', 'train-teacher', 'conform', 'micro-batch'])
        expect(script).toContain(word)
      if (has(shell))
        execFileSync(shell, ['-n', '-c', script], { stdio: ['ignore', 'ignore', 'inherit'] })
    },
  )
})
