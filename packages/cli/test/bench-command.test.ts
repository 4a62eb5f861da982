// The command end to end, as built: sweeps that finish, go on, are split up, and stop.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseRecords, recordSchema, type BenchRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { runCli, startCli, temporaryDirectory } from './cli.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const example = fileURLToPath(new URL('../../../examples/float32-backend.js', import.meta.url))
const mishaps = fileURLToPath(new URL('fixtures/mishaps.js', import.meta.url))
const directory = temporaryDirectory()
const dataset = writeTinyDataset(join(directory, 'data'))
const cache = join(directory, 'cache')
let outs = 0
const newOut = () => join(directory, `out-${outs++}`)

const recordsIn = (out: string, file = 'records.jsonl'): BenchRecord[] =>
  parseRecords(readFileSync(join(out, file), 'utf8')).records

describe('embed-kd bench', () => {
  it(
    'trains teachers and students, and ends in records and a report',
    { timeout: 120_000 },
    async () => {
      const methods = ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd', 'cached-kd']
      const config = writeConfig(
        temporaryDirectory(),
        tinyGrid(dataset, { method: methods, epochs: 10 }),
      )
      const out = newOut()
      const { code, stdout, stderr } = await runCli(
        'bench',
        '--config',
        config,
        '--out',
        out,
        '--cache',
        cache,
      )
      expect(stderr).toContain('training teacher trained-s on')
      expect(stdout).toContain('against teacher-kd, equal seeds')
      expect(stdout).toContain(`report: ${join(out, 'report.html')}`)
      expect(code).toBe(0)
      const records = recordsIn(out)
      expect(records.map(({ trial }) => trial.method)).toEqual(methods)
      for (const record of records) {
        expect(recordSchema.safeParse(record).error).toBeUndefined()
        expect(record).toMatchObject({ status: 'ok', costOnly: false, trial: { epochs: 10 } })
        expect(record.curves!.epochs).toHaveLength(10)
        // Three bright quarters are easily told apart; a third would be chance.
        expect(record.accuracy).toBeGreaterThan(0.6)
        expect(record.environment.packages).toHaveProperty('onnxruntime-node')
        expect(record.environment.loadAverage).toHaveLength(3)
      }
      const [supervised, , , embed, cached] = records
      expect(supervised!.trial.teacher).toBeUndefined()
      expect(embed!.trial.teacher).toMatchObject({ kind: 'trained', digest: expect.any(String) })
      expect(embed!.trial.teacher!.accuracy).toBeGreaterThan(0.6)
      // A file has a header, and label and key of each image.
      for (const [record, rows] of [
        [embed!, 3],
        [cached!, 120],
      ] as const) {
        expect(record.embeddings!.images).toBe(120)
        expect(record.embeddings!.bytes).toBeGreaterThan(rows * 64 * 4)
        expect(record.embeddings!.bytes).toBeLessThan(rows * 64 * 4 + 4096)
      }
      expect(existsSync(join(out, 'report.html'))).toBe(true)
    },
  )

  it('trains in mixed precision where float16 is, and says what has none', async () => {
    const config = writeConfig(
      temporaryDirectory(),
      tinyGrid(dataset, { backend: ['ort:cpu', example], steps: 2 }),
    )
    const out = newOut()
    const args = ['bench', '--config', config, '--out', out, '--precision']
    const none = 'float32-backend.js has no float16 here, which mixed-float16 computes in; choose'
    const dry = await runCli(...args, 'mixed-float16', '--dry-run')
    expect(dry.stdout).toMatch(/mixed-float16, float32:js, seed 0 .* not here$/m)
    expect(dry.stdout).toContain(none)
    expect(await runCli(...args, 'float32,mixed-float16')).toMatchObject({ code: 0 })
    const [wide, half, widePlugin, halfPlugin] = recordsIn(out)
    expect([wide, half, widePlugin].map((record) => record!.status)).toEqual(['ok', 'ok', 'ok'])
    expect(wide!.trial.precision ?? wide!.lossScale ?? wide!.roofline!.dtype).toBeUndefined()
    expect(half).toMatchObject({
      trial: { precision: 'mixed-float16' },
      roofline: { dtype: 'float16', share: expect.any(Number) },
      lossScale: { last: 65536, skippedSteps: 0 },
    })
    const planned = ({ cost }: BenchRecord) => cost!.planned!.peakBytes
    expect(planned(half!)).toBeLessThan(planned(wide!))
    const [a, b] = [wide, half].map((record) => record!.curves!.loss.map(([, loss]) => loss))
    expect(b).not.toEqual(a)
    b!.slice(0, 3).forEach((loss, i) => expect(Math.abs(loss / a![i]! - 1)).toBeLessThan(0.01))
    expect(halfPlugin).toMatchObject({ status: 'skipped', reason: expect.stringContaining(none) })
  })

  it(
    'augments training images, with stored embeddings of the very same pixels',
    { timeout: 180_000 },
    async () => {
      const method = ['embed-kd', 'cached-kd']
      const augment = ['none', 'flip+crop:2']
      const grid = tinyGrid(dataset, { method, augment, epochs: 2 })
      const out = newOut()
      const config = writeConfig(temporaryDirectory(), grid)
      const ran = await runCli('bench', '--config', config, '--out', out, '--cache', cache)
      expect(ran).toMatchObject({ code: 0 })
      const records = recordsIn(out)
      expect(records.map(({ trial }) => trial.augment)).toEqual([
        ...Array(2).fill(undefined),
        ...Array(2).fill('flip+crop:2'),
      ])
      records.slice(0, 2).forEach((plain, i) => {
        const { curves, embeddings } = records[i + 2]!
        expect(curves!.loss).not.toEqual(plain.curves!.loss)
        // Each epoch sees other pixels, so each image has an embedding for each epoch.
        const views = plain.trial.method === 'cached-kd' ? 2 : 1
        expect(embeddings!.images).toBe(views * plain.embeddings!.images)
      })
    },
  )

  it('measures the cost of published teachers without pretending an accuracy', async () => {
    const config = writeConfig(
      temporaryDirectory(),
      tinyGrid(dataset, {
        method: ['teacher-kd', 'embed-kd'],
        teacher: ['vit-tiny-32'],
        batch: [4],
        steps: 2,
      }),
    )
    const out = newOut()
    expect(await runCli('bench', '--config', config, '--out', out)).toMatchObject({ code: 0 })
    const [live, centroids] = recordsIn(out)
    for (const record of [live, centroids]) {
      expect(record).toMatchObject({ costOnly: true, trial: { teacher: { kind: 'random' } } })
      expect(record!.accuracy).toBeUndefined()
    }
    expect(live!.cost!.teacherFlops).toBeGreaterThan(10 * live!.cost!.studentFlops!)
    expect(live!.cost!.planned!.residentBytes).toBeGreaterThan(
      4 * live!.trial.teacher!.parameterCount!,
    )
    expect(centroids!.cost!.teacherFlops).toBeUndefined()
    expect(centroids!.embeddings!.images).toBe(120)
    expect(centroids!.embeddings!.seconds).toBeGreaterThan(0)
  })

  it('goes on where it stopped, and sets old records aside otherwise', async () => {
    const out = newOut()
    const grid = (seeds: number) =>
      writeConfig(temporaryDirectory(), tinyGrid(dataset, { seeds, steps: 2 }))
    const [all, half] = [grid(2), grid(1)]
    const ran = async (config: string, ...more: string[]) => {
      const { stdout } = await runCli('bench', '--config', config, '--out', out, '--json', ...more)
      return JSON.parse(stdout) as { ran: number; trials: number }
    }
    expect(await ran(half)).toMatchObject({ ran: 1, trials: 1 })
    expect(await ran(all, '--resume')).toMatchObject({ ran: 1, trials: 2 })
    const records = readFileSync(join(out, 'records.jsonl'), 'utf8')
    expect(await ran(all, '--resume')).toMatchObject({ ran: 0, trials: 2 })
    expect(readFileSync(join(out, 'records.jsonl'), 'utf8')).toBe(records)
    expect(await ran(half)).toMatchObject({ ran: 1 })
    const earlier = readdirSync(out).find((name) => name.startsWith('earlier-'))!
    expect(readFileSync(join(out, earlier), 'utf8')).toBe(records)
  })

  it('leaves a record of each mishap and goes on', { timeout: 120_000 }, async () => {
    const backend = ['exits', 'out-of-memory', 'nan', 'absent', 'works'].map(
      (device) => `${mishaps}:${device}`,
    )
    const config = writeConfig(temporaryDirectory(), tinyGrid(dataset, { backend, steps: 2 }))
    const out = newOut()
    expect(await runCli('bench', '--config', config, '--out', out)).toMatchObject({ code: 1 })
    const records = recordsIn(out)
    expect(records.map(({ status }) => status)).toEqual(['error', 'oom', 'error', 'skipped', 'ok'])
    expect(records[0]).toMatchObject({
      reason: expect.stringContaining('exited with code 7'),
      lastWords: 'the runtime gave up',
    })
    expect(records[3]!.reason).toBe('this device is never here; do without it')
  })

  it.runIf(process.platform === 'linux')(
    'keeps trials within a memory limit, not what is made once for many',
    async () => {
      const grid = tinyGrid(dataset, { method: ['embed-kd'], teacher: ['vit-tiny-32'], steps: 1 })
      const args = ['--config', writeConfig(temporaryDirectory(), grid), '--out', newOut()]
      // A process that has only loaded the runtime is larger.
      expect(await runCli('bench', ...args, '--memory-limit', '100M')).toMatchObject({ code: 1 })
      expect(recordsIn(args.at(-1)!)).toMatchObject([
        {
          status: 'oom',
          reason: expect.stringContaining('over the memory limit of 100 MiB'),
          embeddings: { images: 120 },
        },
      ])
    },
  )

  it('stops at Ctrl-C after the records so far, and goes on later', async () => {
    const backend = ['works', 'hangs'].map((device) => `${mishaps}:${device}`)
    const config = writeConfig(temporaryDirectory(), tinyGrid(dataset, { backend, steps: 2 }))
    const out = newOut()
    const { child, result } = startCli(['bench', '--config', config, '--out', out])
    await until(() => existsSync(join(out, 'records.jsonl')) && recordsIn(out).length === 1)
    child.kill('SIGINT')
    const { code, stdout } = await result
    expect(code).toBe(130)
    expect(stdout).toContain('1 of 2 trials have a record: 1 ok')
    expect(stdout).toContain('--resume')
    expect(readdirSync(out)).not.toContain('records.jsonl.lock')
    const again = await runCli(
      'bench',
      '--config',
      config,
      '--out',
      out,
      '--resume',
      '--timeout',
      '3',
    )
    expect(again.code).toBe(0)
    expect(recordsIn(out).map(({ status }) => status)).toEqual(['ok', 'timeout'])
  })

  it('prints its plan without running it', async () => {
    const four = tinyGrid(dataset, { batch: [8, 16], seeds: 2, steps: 2 })
    const config = writeConfig(temporaryDirectory(), four)
    const out = newOut()
    const { code, stdout } = await runCli('bench', '--config', config, '--out', out, '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /supervised, dot student, batch 8, ort:cpu, seed 0 +[\d.]+ kFLOP +[\d.]+ kB/,
    )
    expect(stdout).toContain('4 trials, about')
    expect(existsSync(out)).toBe(false)
  })

  it('publishes the schema of its configuration files', async () => {
    const { stdout } = await runCli('bench', '--schema')
    const schema = JSON.parse(stdout) as {
      properties: { grids: { items: { properties: object } } }
    }
    expect(schema.properties.grids.items.properties).toHaveProperty('centroidImages')
  })
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50))
}
