// The memory of processes as the operating system counts it. Resident set sizes (RSS) in bytes; what the graph plans
// is in core, what a device holds is for the backend to say.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface ProcessMemory {
  readonly rssBytes: number
  /** The most the process ever had resident, or had since `resetPeak`. */
  readonly peakRssBytes: number
}

/** Memory of any process, on Linux; undefined elsewhere or once the process is gone. */
export function memoryOf(pid: number | 'self'): ProcessMemory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kibibytes = (key: string) =>
      Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
    const [rssBytes, peakRssBytes] = [kibibytes('VmRSS') * 1024, kibibytes('VmHWM') * 1024]
    return Number.isFinite(rssBytes + peakRssBytes) ? { rssBytes, peakRssBytes } : undefined
  } catch {
    return undefined
  }
}

/** Memory of this process, on every platform. */
export const ownMemory = (): ProcessMemory =>
  memoryOf('self') ?? {
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }

/** Makes the peak of this process begin anew, where the system allows it (Linux, proc(5) on clear_refs). */
export function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}

/** Frees what JavaScript no longer reaches. Children run with --expose-gc, so that garbage does not count as memory in use. */
export const collectGarbage = (): void => (globalThis as { gc?: () => void }).gc?.()

/** Collections in a row that free next to nothing once memory has settled. */
const IDLE_COLLECTIONS = 4

/**
 * Frees what JavaScript no longer reaches, and waits until the process has returned the memory. V8 gives pages back over several
 * collections: the list of 60,000 files left 60 MB after the first one.
 */
export async function settleMemory(): Promise<void> {
  let least = Infinity
  for (let idle = 0; idle < IDLE_COLLECTIONS;) {
    await setTimeout(100)
    collectGarbage()
    const { rssBytes } = ownMemory()
    idle = rssBytes < 0.99 * least ? 0 : idle + 1
    least = Math.min(least, rssBytes)
  }
}

/** Processes that the kernel has killed for want of memory since it booted; undefined where it does not tell. */
export function kernelOomKills(): number | undefined {
  try {
    const kills = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]
    return kills === undefined ? undefined : Number(kills)
  } catch {
    return undefined
  }
}

/** Asks the kernel to choose this process, not its parent, should memory run out. */
export function volunteerForOomKill(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Not Linux, or not allowed: then the kernel chooses by size, which mostly is this process as well.
  }
}
