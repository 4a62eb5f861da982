// Planned and measured memory of a trial explain each other, and a peak that the plan does not explain is marked.
import { describe, expect, it } from 'vitest'
import { unexplainedSentence, type BenchRecord } from '@embed-kd/records'

import { planRuntimePeak } from '../src/measure/cost.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { planTrials } from '../src/sweep/plan.js'
import { explain, measureTrial } from '../src/trial/measure-trial.js'
import { spec, op, trace } from '@embed-kd/core'

const MIB = 2 ** 20
const memory = { source: 'step', baselineRssBytes: 100 * MIB, peakRssBytes: 250 * MIB } as const
const costWith = (runtimePeakBytes: number) =>
  ({ planned: { runtimePeakBytes } }) as NonNullable<BenchRecord['cost']>

describe('a measured peak', () => {
  it('is explained up to 1.15 times the plan and 10 MiB', () => {
    expect(explain(memory, costWith(122 * MIB))).toEqual(memory)
    expect(explain(memory, costWith(100 * MIB)).unexplainedBytes).toBe(25 * MIB)
  })

  it('is explained down to the plan divided by 1.15 less 10 MiB', () => {
    expect(explain(memory, costWith(1.15 * 160 * MIB))).toEqual(memory)
    expect(explain(memory, costWith(1.15 * 200 * MIB)).unexplainedBytes).toBe(-40 * MIB)
  })

  it('is not judged without a plan, a step of its own, or the teacher', () => {
    expect(explain(memory, undefined)).toEqual(memory)
    const process = { ...memory, source: 'process' } as const
    expect(explain(process, costWith(MIB))).toEqual(process)
    expect(explain(memory, { ...costWith(MIB), withoutTeacher: true })).toEqual(memory)
  })

  it('that is not explained is told with both figures', () => {
    const cost = costWith(100 * MIB)
    const told = unexplainedSentence({ memory: explain(memory, cost), cost } as BenchRecord)
    expect(told).toMatch(/far above its plan.*: 105 MB were planned/)
    const larger = costWith(400 * MIB)
    const below = { memory: explain(memory, larger), cost: larger } as BenchRecord
    expect(unexplainedSentence(below)).toMatch(/far below its plan.*: 419 MB were planned/)
    expect(unexplainedSentence({ memory, cost } as BenchRecord)).toBeUndefined()
  })
})

describe('the plan for the runtime', () => {
  const graphOf = (name: string) =>
    trace('t', { [name]: spec([256], { role: 'parameter' }) }, (x) => ({ y: op.exp(x[name]!) }))
  const executable = (name: string, peakBytes: number, residentBytes = 0) => ({
    graph: graphOf(name),
    planMemory: async () => ({ peakBytes, residentBytes }),
  })

  it('counts what other graphs keep, and the constants of all', async () => {
    expect(await planRuntimePeak([executable('a', 5000, 10), executable('a', 3000, 7)])).toBe(5007)
    expect(await planRuntimePeak([executable('a', 5000), executable('b', 5500)])).toBe(6524)
  })

  it('is unknown if one graph has none', async () => {
    expect(await planRuntimePeak([executable('a', 5), { graph: graphOf('b') }])).toBeUndefined()
  })

  it('explains the peak of a step on ort:cpu', { timeout: 300_000 }, async () => {
    const grid = { method: 'supervised', student: 'small', batch: 512, steps: 1 }
    const [trial] = await planTrials(expandGrids(parseGrids({ grids: [grid] }, 'test')))
    const outcome = await measureTrial({ config: trial!.config }, { timeoutSeconds: 280 })
    if (outcome.status !== 'ok') throw new Error(JSON.stringify(outcome))
    const { memory, cost } = outcome.output
    const planned = cost!.planned!.runtimePeakBytes!
    expect(memory!.unexplainedBytes).toBeUndefined()
    // The plan counts tensors alone, so that a process never needs less.
    if (memory!.source === 'step')
      expect(memory!.peakRssBytes - memory!.baselineRssBytes).toBeGreaterThan(planned)
  })
})
