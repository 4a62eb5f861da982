// Energy of the CPU packages, from Intel's and AMD's RAPL counters as Linux shows them (powercap). Mostly readable by root
// only; where not, there is no figure. A GPU's energy is in trial/watch.ts.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const POWERCAP = '/sys/class/powercap'

interface Counter {
  readonly microjoules: number
  /** The counter begins again at 0 after this. */
  readonly range: number
}

const readNumber = (...path: string[]) => Number(readFileSync(join(...path), 'utf8'))

/** One counter a package; undefined unless all can be read. */
function readCounters(directory: string): Counter[] | undefined {
  try {
    // intel-rapl:0 is a package; intel-rapl:0:1 is a part of it.
    const packages = readdirSync(directory).filter((name) => /^intel-rapl:\d+$/.test(name))
    if (packages.length === 0) return undefined
    return packages.map((name) => ({
      microjoules: readNumber(directory, name, 'energy_uj'),
      range: readNumber(directory, name, 'max_energy_range_uj'),
    }))
  } catch {
    return undefined
  }
}

/** Starts counting; the function it returns gives the joules since then, or undefined where they cannot be read. */
export function countEnergy(directory = POWERCAP): () => number | undefined {
  const before = readCounters(directory)
  return () => {
    const after = before && readCounters(directory)
    return after?.reduce((joules, { microjoules, range }, i) => {
      const used = microjoules - before![i]!.microjoules
      return joules + (used < 0 ? used + range : used) / 1e6
    }, 0)
  }
}
