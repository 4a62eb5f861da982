// Default options of commands from the configuration beside the working directory.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

import { writeTinyDataset } from '../../distill/test/tiny.js'
import { temporaryDirectory } from './cli.js'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const dataset = writeTinyDataset(join(temporaryDirectory(), 'data'))

/** Runs the command in a directory with these files. */
function run(files: Readonly<Record<string, string>>, ...args: string[]) {
  const cwd = temporaryDirectory()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}
const json = (config: unknown) => ({ 'embed-kd.config.json': JSON.stringify(config) })
const options = { dataset, method: ['supervised'], student: 'small', batch: [8, 16], steps: 2 }

describe('a configuration file', { timeout: 60_000 }, () => {
  it('gives a command its default options, and the command line wins', () => {
    const trials = (...args: string[]) => {
      const { stdout } = run(json({ bench: options }), 'bench', '--dry-run', '--json', ...args)
      const printed = JSON.parse(stdout) as { trials: { trial: { batch: number } & object }[] }
      return printed.trials.map(({ trial }) => trial)
    }
    expect(trials()).toMatchObject([
      { batch: 8, steps: 2, student: { name: 'small' } },
      { batch: 16, steps: 2 },
    ])
    const longer = trials('--epochs', '3', '--batch', '4')
    expect(longer).toMatchObject([{ batch: 4, epochs: 3, student: { name: 'small' } }])
    expect(longer[0]).not.toHaveProperty('steps')
  })

  it('serves options that a command cannot do without, and flags', () => {
    const doctor = { json: true, backend: 'reference' }
    const config = { merge: { out: 'all.jsonl' }, doctor }
    expect(run(json(config), 'merge', 'nowhere').stderr).toContain('nowhere cannot be read')
    expect(JSON.parse(run(json(config), 'doctor').stdout)).toBeTypeOf('object')
  })

  it.each([
    ['js', 'export default { bench: { steps: "no" } }'],
    ['json', '{ "bench": { "steps": "no" } }'],
  ])('may be .%s, and --verbose says which was read', (extension, text) => {
    const file = `embed-kd.config.${extension}`
    const wrong = run({ [file]: text }, 'bench')
    expect(wrong.stderr).toBe(
      `error: ${file}: bench.steps cannot be "no"; give a whole number from 1 on\n`,
    )
    const good = run({ [file]: text.replace('"no"', '1') }, 'report', 'nowhere', '--verbose')
    expect(good.stderr).toMatch(`configuration: ${file}\nerror: nowhere cannot be read`)
  })

  it('may be TypeScript if Node can import it', () => {
    const text = 'export default { bench: { steps: "no" } } satisfies object'
    const { stderr } = run({ 'embed-kd.config.ts': text }, 'bench')
    expect(stderr).toContain(
      (process.features as { typescript?: unknown }).typescript
        ? 'bench.steps cannot be "no"'
        : `Node ${process.versions.node} cannot import TypeScript: embed-kd.config.ts; write it as`,
    )
  })

  it.each([
    [json({ bensh: {} }), 'there is no command "bensh"; did you mean bench? its keys are commands'],
    [json({ bench: { bach: 1 } }), 'bench has no option "bach"; did you mean batch? its options'],
    [json({ bench: { json: 'yes' } }), 'bench.json cannot be "yes"; give true or false'],
    [json({ bench: { student: {} } }), 'bench.student cannot be {}; give a text, a number or'],
    [json({ bench: 5 }), 'embed-kd.config.json: bench is no object'],
    [json([]), 'embed-kd.config.json holds no object; give something such as {"bench"'],
    [{ 'embed-kd.config.json': '{' }, 'embed-kd.config.json cannot be read (Expected'],
    [{ 'embed-kd.config.js': 'export const x = 1' }, 'has no object as its default export'],
    [{ 'embed-kd.config.js': 'throw new Error("boom")' }, 'cannot be read (boom)'],
    [
      { ...json({}), 'embed-kd.config.js': '' },
      'there are embed-kd.config.json and embed-kd.config.js; keep one of them',
    ],
  ])('is refused with the reason: %j', (files, message) => {
    const { status, stderr } = run(files, 'bench')
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^error: .*\n$/)
    expect(status).toBe(1)
  })

  it('does not stand in the way of help', () => {
    expect(run({ 'embed-kd.config.json': '{' }, 'bench', '--help').status).toBe(0)
    expect(run({ 'embed-kd.config.json': '{' }, '--version').status).toBe(0)
  })
})
