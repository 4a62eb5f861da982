// What NVIDIA's driver tells through nvidia-smi: the device, its power, who uses it, and how much memory each process holds.
// Everything is undefined or empty where there is no such driver.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Asks nvidia-smi about the first device only: others may be used by somebody else. */
async function query(what: string): Promise<string[][]> {
  try {
    const { stdout } = await run(
      'nvidia-smi',
      ['--id=0', `--query-${what}`, '--format=csv,noheader,nounits'],
      { timeout: 5000 },
    )
    const lines = stdout.split('\n').filter((line) => line.trim() !== '')
    return lines.map((line) => line.split(',').map((field) => field.trim()))
  } catch {
    return []
  }
}

const MEBIBYTE = 2 ** 20

/** Undefined where the driver says [N/A] or [Not Supported], as it does of some devices and inside some containers. */
const bytesOf = (mebibytes: string | undefined): number | undefined =>
  Number(mebibytes) > 0 ? Number(mebibytes) * MEBIBYTE : undefined

export interface Gpu {
  readonly name: string
  readonly driver: string
  readonly memoryBytes?: number
}

export async function nvidiaGpu(): Promise<Gpu | undefined> {
  const [first] = await query('gpu=name,driver_version,memory.total')
  const [name, driver, mebibytes] = first ?? []
  if (!name || !driver) return undefined
  const memoryBytes = bytesOf(mebibytes)
  return { name, driver, ...(memoryBytes === undefined ? {} : { memoryBytes }) }
}

export async function nvidiaWatts(): Promise<number | undefined> {
  const watts = Number((await query('gpu=power.draw'))[0]?.[0])
  return Number.isFinite(watts) ? watts : undefined
}

/** Bytes of device memory by process id, of the processes that compute on the device; 0 where they are not told. */
export async function nvidiaProcesses(): Promise<Map<number, number>> {
  const rows = await query('compute-apps=pid,used_memory')
  return new Map(rows.map(([pid, mebibytes]) => [Number(pid), bytesOf(mebibytes) ?? 0]))
}
