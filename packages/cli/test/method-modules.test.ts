// A method from a module of the user's, beside built-in ones: in a sweep, in the command that runs its trial again, in a step.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, temporaryDirectory } from './cli.js'

const directory = temporaryDirectory()
const dataset = writeTinyDataset(join(directory, 'tiny'))
const example = new URL('../../../examples/custom-method.mjs', import.meta.url).pathname
const common = `--dataset ${dataset} --student small --batch 16`.split(' ')

interface Line {
  readonly id: string
  readonly status: string
  readonly rerunCommand: string
  readonly trial: {
    readonly method: string
    readonly methodModule?: { readonly specifier: string; readonly digest: string }
  }
}
const records = (out: string): Line[] =>
  readFileSync(join(out, 'records.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

describe('a method from a module', { timeout: 180_000 }, () => {
  it('is trained in a sweep beside a built-in one, and verified', async () => {
    const out = join(directory, 'sweep')
    const methods = ['--method', `embed-kd,${example}`, '--epochs', '1', '--out', out]
    const sweep = await runCli('bench', ...methods, ...common)
    expect(sweep.stdout).toContain('2 of 2 trials have a record: 2 ok')
    expect(sweep.stdout).toContain('pull-kd, teacher trained-s')
    const [builtIn, own] = records(out)
    expect(builtIn!.trial.methodModule).toBeUndefined()
    expect(own!.trial).toMatchObject({
      method: 'pull-kd',
      methodModule: { specifier: expect.stringMatching(/^\.\.?\/.*custom-method\.mjs$/) },
    })
    expect(own!.rerunCommand).toContain(`--method ${own!.trial.methodModule!.specifier} `)
    const verified = await runCli('verify', out, '--id', own!.id, '--cache', join(out, 'cache'))
    expect(verified.stdout).toContain('reproduced')
    expect(verified.code).toBe(0)
  })

  it('is another method once its module was edited', async () => {
    const out = join(directory, 'edited')
    const file = join(directory, 'shrink.mjs')
    const write = (factor: number) =>
      writeFileSync(
        file,
        `export default { label: 'Shrink', description: 'shrinks embeddings', teacher: 'none',
          loss: ({ embedding, op }) => op.mul(op.mean(op.mul(embedding, embedding)), ${factor}) }`,
      )
    const bench = async () => {
      const sweep = ['--method', file, '--steps', '1', '--out', out, '--resume', ...common]
      return (await runCli('bench', ...sweep, '--json')).stdout
    }
    write(1)
    expect(JSON.parse(await bench())).toMatchObject({ trials: 1, ran: 1, statuses: { ok: 1 } })
    expect(JSON.parse(await bench())).toMatchObject({ trials: 1, ran: 0 })
    write(2)
    expect(JSON.parse(await bench())).toMatchObject({ trials: 1, ran: 1, statuses: { ok: 1 } })
    const digests = records(out).map(({ trial }) => trial.methodModule!.digest)
    expect(new Set(digests).size).toBe(2)
    const report = await runCli('report', out, '--out', join(directory, 'report.html'))
    expect(report.code).toBe(0)
  })

  it('is measured by step, and its mistakes are one line', async () => {
    const step = (method: string) =>
      runCli('step', '--method', method, '--samples', '2', '--json', ...common)
    const measured = await step(example)
    expect(JSON.parse(measured.stdout)).toMatchObject({
      status: 'ok',
      trial: { method: 'pull-kd', teacher: { name: 'vit-base-16' } },
    })
    const file = join(directory, 'broken.mjs')
    writeFileSync(
      file,
      `export default { label: 'Broken', description: 'fails', teacher: 'none',
        loss: ({ embedding, op }) => op.matmul(embedding, embedding) }`,
    )
    const { code, stdout } = await step(file)
    expect(JSON.parse(stdout)).toEqual({
      error: expect.stringMatching(/the loss of .*broken\.mjs fails: matmul .*; change line 2/),
    })
    expect(code).toBe(1)
  })

  it('may be TypeScript if Node can import it', async () => {
    const file = join(directory, 'typed.ts')
    const text = `export default { label: 'Typed', description: 'shrinks embeddings', teacher: 'none',
      loss: ({ embedding, op }) => op.mean(op.mul(embedding, embedding)) } satisfies object`
    writeFileSync(file, text)
    const planned = await runCli('bench', '--method', file, '--steps', '1', '--dry-run', ...common)
    if ((process.features as { typescript?: unknown }).typescript)
      expect(planned.stdout).toContain('typed, small student')
    else
      expect(planned).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`Node ${process.versions.node} cannot import TypeScript`),
      })
  })
})
