// `embed-kd step --profile-ops`: how operators are grouped, and the command end to end, as built.
import type { OperatorTime } from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import { describeProfile, sharesOf } from '@embed-kd/bench'
import { runCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const times: [string, number | undefined, number, number?][] = [
  ['Gemm', 0, 3, 30],
  ['Add', 0, 1],
  ['Gemm', 11, 5, 50],
  ['Add', undefined, 1],
]
const operators = times.map(([operator, block, seconds, flops]): OperatorTime => ({
  operator,
  ...(block === undefined
    ? {}
    : { place: { part: 'student', block, layer: 'mlp', phase: 'backward' } }),
  seconds,
  ...(flops === undefined ? {} : { flops }),
}))
const profile = { steps: 2, operators }

describe('profiles', () => {
  it('are averages of the steps, the longest first', () => {
    expect(sharesOf(profile, ({ operator }) => operator)).toEqual([
      { name: 'Gemm', calls: 1, seconds: 4, share: 0.8, flopsPerSecond: 10 },
      { name: 'Add', calls: 1, seconds: 1, share: 0.2 },
    ])
  })

  it('show what repeats in a model once, with the rate of products alone', () => {
    expect(describeProfile(profile)).toMatch(
      /student blocks mlp, backward +1\.5 +4\.50 s +90\.0 % +10\.0 FLOP\/s\n\(added by the runtime\) +0\.5 +500 ms +10\.0 %$/,
    )
  })
})

describe('embed-kd step --profile-ops', () => {
  const dataset = writeTinyDataset(temporaryDirectory())
  const step = (...args: string[]) =>
    runCli(
      'step',
      '--dataset',
      dataset,
      '--student',
      'small',
      '--batch',
      '4',
      '--samples',
      '1',
      ...args,
    )

  it('prints the step, its operators and its parts', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await step('--micro-batch', '2', '--profile-ops')
    expect(stderr).not.toContain('error')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^step, median/m)
    expect(stdout).toMatch(/^Gemm +\d.* FLOP\/s$|^Gemm +\d.*[kMG]FLOP\/s$/m)
    expect(stdout).toMatch(/^student blocks attn, backward +\d/m)
    expect(stdout).toMatch(/^optimizer +\d/m)
    const shares = [...stdout.split('\npart')[1]!.matchAll(/([\d.]+) %/g)].map((x) => Number(x[1]))
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(100, 0)
  })

  it('says which backend cannot, and what to do', { timeout: 60_000 }, async () => {
    const { code, stderr } = await step('--backend', 'reference', '--profile-ops')
    expect(code).toBe(1)
    expect(stderr).toContain('reference:cpu cannot profile its operators')
    expect(stderr).toContain('ort:cpu')
  })

  it('is for people, not for --json', { timeout: 60_000 }, async () => {
    const { code, stdout } = await step('--json', '--profile-ops')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining('cannot be used with') })
  })
})
