// Embeddings from a store and to it, by the real command: a command that is killed while it writes leaves no object, the same command
// again completes it, and a student learns from it.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, expect, it } from 'vitest'

import { S3Server } from '../../distill/test/s3-server.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, startCli, temporaryDirectory } from './cli.js'

const server = new S3Server()
const environment = { ...process.env }
const directory = temporaryDirectory()
const teacher = fileURLToPath(
  new URL('../../distill/test/fixtures/onnx/plain.onnx', import.meta.url),
)

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = join(directory, 'cache')
  await server.start(['data', 'runs'])
  const local = join(directory, 'tiny')
  writeTinyDataset(local)
  for (const split of ['train', 't10k'])
    for (const what of ['images-idx3', 'labels-idx1']) {
      const name = `${split}-${what}-ubyte`
      server.put(`data/tiny/${name}`, readFileSync(join(local, name)))
    }
})
afterAll(() => {
  server.stop()
  process.env = environment
})

it('embeds from a store into it, and learns from it', { timeout: 120_000 }, async () => {
  const data = ['--dataset', 'idx:s3://data/tiny']
  const embed = (out: string) =>
    startCli(['embed', '--teacher', teacher, ...data, '--kind', 'samples', '--out', out])
  const out = 's3://runs/e.safetensors'

  const killed = embed(out)
  server.before = (request) => {
    if (!request.startsWith('PUT')) return undefined
    killed.child.kill('SIGKILL')
    return new Promise(() => {})
  }
  expect(await killed.result).toMatchObject({ code: null })
  expect(server.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1)
  expect([...server.objects.keys()].filter((name) => name.startsWith('runs/'))).toEqual([])

  server.before = () => {}
  expect((await embed(out).result).code).toBe(0)
  const again = await embed(out).result
  expect(again.stdout).toContain('complete already, made with the same teacher, data and settings')
  expect(server.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(2)

  const file = join(directory, basename(out))
  expect((await embed(file).result).code).toBe(0)
  expect(server.objects.get('runs/e.safetensors')!.bytes.equals(readFileSync(file))).toBe(true)

  const student = 'vit:width=8,layers=1,heads=2,patch=4,image=8'
  const learn = [
    'distill',
    ...data,
    '--method',
    'cached-kd',
    '--student',
    student,
    '--epochs',
    '1',
    '--batch',
    '16',
  ]
  const learnt = runCli(...learn, '--embeddings', out, '--out', join(directory, 'student'))
  expect(await learnt).toMatchObject({ code: 0 })
})

it('keeps the records of a sweep in a store', { timeout: 120_000 }, async () => {
  const out = 's3://runs/sweep'
  const student = 'vit:width=8,layers=1,heads=2,patch=4,image=8'
  const trial = ['--dataset', 'idx:s3://data/tiny', '--student', student, '--batch', '16']
  const bench = (...args: string[]) =>
    runCli('bench', '--method', 'supervised', ...trial, '--steps', '1', '--out', out, ...args)
  const sent = () => [...server.objects.keys()].filter((name) => name.startsWith('runs/sweep/'))

  const done = await bench('--shard', '1/1')
  expect(done.stdout).toContain('records: s3://runs/sweep/records-1-of-1.jsonl')
  expect(done.code).toBe(0)
  expect(sent()).toEqual(['runs/sweep/records-1-of-1.jsonl'])

  // Another machine knows nothing but the store.
  process.env.XDG_CACHE_HOME = join(directory, 'other-cache')
  const refused = await bench('--shard', '1/1')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('has records already') })
  const resumed = await bench('--shard', '1/1', '--resume', '--json')
  expect(resumed.stdout).toContain('"ran":0')

  const all = 's3://runs/sweep/all/records.jsonl'
  expect((await runCli('merge', out, '--out', all)).stdout).toBe(`1 records: ${all}\n`)
  const report = ['report', 's3://runs/sweep/all', '--out', 's3://runs/sweep/report.html']
  expect((await runCli(...report)).stdout).toBe('report: s3://runs/sweep/report.html\n')
  expect(sent()).toHaveLength(3)
})
