// Names a process so that no other process ever has the same name: machine, process id and time of its start.
import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface ProcessName {
  /** Host name, for people. */
  readonly host: string
  /** Host, its boot and its process namespace: process ids of two containers with one host name do not compare. */
  readonly machine: string
  readonly pid: number
  /** Time at which the process started, in the system's own notation; empty if the system does not tell (Windows). */
  readonly start: string
}

const read = (get: () => string): string => {
  try {
    return get().trim()
  } catch {
    return ''
  }
}

let machine: string | undefined

export function currentMachine(): { readonly host: string; readonly machine: string } {
  machine ??= [
    hostname(),
    read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    read(() => readlinkSync('/proc/self/ns/pid')),
  ].join(' ')
  return { host: hostname(), machine }
}

/** Returns when a process of this machine started; undefined once it has ended, empty if the system does not tell. */
export function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
    // Fields after the name, which stands in parentheses and may hold anything: state first, start time twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return stat === '' || fields[0] === 'Z' ? undefined : fields[19]
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined
  }
  return process.platform === 'win32'
    ? ''
    : read(() => execFileSync('ps', ['-o', 'lstart=', '-p', `${pid}`], { encoding: 'utf8' }))
}

export const isRunning = ({ pid, start }: ProcessName): boolean => processStart(pid) === start
