// How busy other processes kept the cores while a child was timed, as Linux counts it; elsewhere nothing is known.
import { readFileSync } from 'node:fs'
import os from 'node:os'

/** Counters in seconds of one core, since the machine or the process started. */
export interface CpuCounters {
  /** Seconds of the clock. */
  readonly now: number
  /** Time in which all cores were not idle, stolen time not included. */
  readonly busy: number
  /** Time that the host of a virtual machine gave to others. */
  readonly stolen: number
  /** Time used by the child and by this process. */
  readonly own: number
}

/** Linux counts in hundredths of a second for programs, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100
/** Shorter spans are lost in the counters' resolution. */
const SHORTEST_SECONDS = 0.2
/** Share of all cores that others may use, or a host may take, before a trial is marked. */
const TOLERATED_SHARE = 0.1

/** Reads the counters; undefined if the system has none or the child has ended. */
export function readCpu(pid: number): CpuCounters | undefined {
  try {
    const machine = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1)
    const [user, nice, system, , , irq, softirq, steal] = machine.map(Number)
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Fields after the name, which stands in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const parent = process.cpuUsage()
    return {
      now: performance.now() / 1000,
      busy: (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND,
      stolen: (steal ?? 0) / TICKS_PER_SECOND,
      own:
        (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND +
        (parent.user + parent.system) / 1e6,
    }
  } catch {
    return undefined
  }
}

/** Returns a warning for the record if others used more of the cores than a measurement bears; else undefined. */
export function contentionWarning(
  before: CpuCounters,
  after: CpuCounters,
  cores = os.cpus().length,
): string | undefined {
  const seconds = after.now - before.now
  if (seconds < SHORTEST_SECONDS) return undefined
  const own = (after.own - before.own) / seconds
  const others = Math.max((after.busy - before.busy) / seconds - own, 0)
  const stolen = (after.stolen - before.stolen) / seconds
  if (others <= TOLERATED_SHARE * cores && stolen <= TOLERATED_SHARE * cores) return undefined
  const load = os.loadavg()[0]!.toFixed(1)
  const steal = stolen > 0.005 ? `, the host took ${stolen.toFixed(2)}` : ''
  return `other processes used ${others.toFixed(2)} of ${cores} cores while steps were timed${steal}; the trial used ${own.toFixed(2)} (load ${load})`
}
