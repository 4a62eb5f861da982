import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { countEnergy } from '../src/measure/energy.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'

/** A powercap directory with these packages, each as [microjoules, range]; parts of packages count for nothing. */
function powercap(directory: string, packages: readonly (readonly [number, number])[]): void {
  packages.forEach(([energy, range], i) => {
    for (const name of [`intel-rapl:${i}`, `intel-rapl:${i}:0`]) {
      mkdirSync(join(directory, name), { recursive: true })
      writeFileSync(join(directory, name, 'energy_uj'), `${energy}\n`)
      writeFileSync(join(directory, name, 'max_energy_range_uj'), `${range}\n`)
    }
  })
}

describe('energy', () => {
  it('is the sum over packages, also where a counter began again', () => {
    const directory = temporaryDirectory()
    powercap(directory, [
      [1e6, 1e9],
      [999e6, 1000e6],
    ])
    const joules = countEnergy(directory)
    powercap(directory, [
      [4e6, 1e9],
      [1e6, 1000e6],
    ])
    expect(joules()).toBeCloseTo(3 + 2, 6)
  })

  it('is not made up where there are no counters', () => {
    expect(countEnergy(temporaryDirectory())()).toBeUndefined()
    expect(countEnergy('/no/such/directory')()).toBeUndefined()
  })
})
