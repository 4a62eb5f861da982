// What becomes of a child process that goes wrong: needs the built package (dist/), as children run from there.
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

import { trialConfigSchema } from '../src/axes/config.js'
import { measureTrial } from '../src/trial/measure-trial.js'
import { runJob, type JobLimits } from '../src/trial/run-job.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyStudent, writeTinyDataset } from '../../distill/test/tiny.js'

const mishaps = fileURLToPath(new URL('../../cli/test/fixtures/mishaps.js', import.meta.url))
const dataset = writeTinyDataset(temporaryDirectory())

const trial = (device: string, rest: object = {}) =>
  trialConfigSchema.parse({
    backend: `${mishaps}:${device}`,
    method: 'supervised',
    preset: 'corrected',
    student: tinyStudent,
    dataset,
    batch: 16,
    steps: 2,
    seed: 0,
    learningRate: 0.01,
    weightDecay: 0,
    dropout: 0,
    centroidImages: 10,
    ...rest,
  })

const run = (device: string, limits: Partial<JobLimits> = {}) =>
  runJob('trial', { config: trial(device) }, { timeoutSeconds: 60, ...limits })

describe('a trial in a child process', () => {
  it('gives what it measured', async () => {
    const outcome = await run('works')
    expect(outcome).toMatchObject({
      status: 'ok',
      output: {
        versions: { mishaps: '1.0.0' },
        time: { epochExtrapolated: true },
        cost: { planned: {} },
      },
    })
    if (outcome.status !== 'ok') return
    const { time, cost, curves } = outcome.output
    expect(time!.stepSeconds).toHaveLength(2)
    expect(time!.epochSeconds).toBeCloseTo((time!.medianSeconds * 120) / 16, -1)
    expect(curves!.loss).toHaveLength(time!.warmupSteps + 2)
    const { peakSplit, peakBytes } = cost!.planned!
    expect(Object.values(peakSplit).reduce((a, b) => a + b)).toBe(peakBytes)
  })

  it('measures memory in a process of its own, as often as it says', async () => {
    const outcome = await measureTrial({ config: trial('works') }, { timeoutSeconds: 60 })
    expect(outcome.status).toBe('ok')
    if (outcome.status !== 'ok') return
    const { memory, cost } = outcome.output
    expect(memory!.peakSamplesRssBytes).toHaveLength(5)
    expect(memory!.peakSamplesRssBytes).toContain(memory!.peakRssBytes)
    expect(memory!.peakRssBytes).toBeGreaterThan(cost!.planned!.residentBytes)
    expect(memory!.peakRssBytes).toBeGreaterThan(memory!.baselineRssBytes)
  })

  it('says that memory ran out before it trains for long', async () => {
    const limits = { timeoutSeconds: 60, memoryLimitBytes: 2 ** 20 }
    expect(await measureTrial({ config: trial('works') }, limits)).toMatchObject({ status: 'oom' })
  })

  it('reports how far it is', async () => {
    const phases = new Set<string>()
    // A time limit that is longer than any timer.
    const limits = { timeoutSeconds: 1e12 }
    await runJob('trial', { config: trial('works') }, limits, ({ phase }) => phases.add(phase))
    expect([...phases]).toEqual(['loading', 'roofline', 'compiling', 'timing'])
  })

  it.each([
    ['out-of-memory', 'oom', 'Failed to allocate memory'],
    ['throws', 'error', 'cannot read properties of undefined'],
    ['nan', 'error', 'the loss is NaN at step 1'],
    [
      'absent',
      'error',
      'mishaps:absent cannot be used here: this device is never here; do without it',
    ],
    ['exits', 'error', 'exited with code 7 during compiling'],
    ['aborts', 'error', 'ended by SIGABRT'],
    ['killed', 'error', 'ended by SIGKILL'],
  ])('that goes wrong as in "%s" ends as %s', async (device, status, reason) => {
    const outcome = await run(device)
    expect(outcome).toMatchObject({ status, reason: expect.stringContaining(reason) })
  })

  it('leaves its last words', async () => {
    expect(await run('exits')).toMatchObject({ lastWords: 'the runtime gave up' })
    expect(await run('throws')).toMatchObject({ lastWords: expect.stringContaining('mishaps.js') })
  })

  it('is ended when it takes too long', async () => {
    expect(await run('hangs', { timeoutSeconds: 8 })).toMatchObject({
      status: 'timeout',
      reason: 'not done after 8 s (compiling 0/1)',
    })
  })

  it('is ended when it is told to', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 1000)
    expect(await run('hangs', { signal: controller.signal })).toEqual({ status: 'interrupted' })
  })

  it.runIf(process.platform === 'linux')('is ended when it outgrows its memory limit', async () => {
    const memoryLimitBytes = 600 * 2 ** 20
    expect(await run('grows', { memoryLimitBytes })).toMatchObject({
      status: 'oom',
      reason: expect.stringMatching(
        /^over the memory limit of 600 MiB: \d+ MiB resident \(compiling/,
      ),
    })
  })
})
