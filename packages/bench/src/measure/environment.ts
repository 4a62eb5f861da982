// What a record says about the machine and the software it was measured with. Read once by the sweep, not by each trial.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { fileURLToPath } from 'node:url'

import type { Environment } from '@embed-kd/records'

import { nvidiaGpu } from './nvidia.js'

/** This package's directory, the same from src/ and dist/. */
const packageDirectory = fileURLToPath(new URL('../..', import.meta.url))

export async function captureEnvironment(): Promise<Environment> {
  const gpu = await nvidiaGpu()
  return refreshEnvironment({
    cpuModel: os.cpus()[0]?.model.trim() || os.arch(),
    cpuCores: os.availableParallelism(),
    memoryBytes: memoryLimit(),
    ...(gpu ? { gpu } : {}),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    packages: ownVersion(),
    ...commit(),
    commandLine: process.argv.slice(2),
  })
}

/** The same with what changes from one trial to the next as it is now: load and frequency. */
export function refreshEnvironment(environment: Environment): Environment {
  const megahertz = cpuMegahertz()
  const [one = 0, five = 0, fifteen = 0] = os.loadavg()
  return {
    ...environment,
    ...(megahertz === undefined ? {} : { cpuFrequencyHz: megahertz * 1e6 }),
    // Windows has no load average; Node gives zeros there.
    ...(os.platform() === 'win32' ? {} : { loadAverage: [one, five, fifteen] }),
  }
}

/** Reads the clock rate of the fastest core at this moment. */
function cpuMegahertz(): number | undefined {
  const fastest = Math.max(...os.cpus().map(({ speed }) => speed))
  return fastest > 0 ? fastest : undefined
}

/** What the machine has, or the container allows if that is less. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, os.totalmem()) : os.totalmem()
}

function ownVersion(): Record<string, string> {
  const { name, version } = JSON.parse(
    readFileSync(`${packageDirectory}/package.json`, 'utf8'),
  ) as { name: string; version: string }
  return { [name]: version }
}

/** File in which a bundle keeps the commit it was made from, since git cannot be asked there. */
export const PROVENANCE = `${packageDirectory}/provenance.json`

/** Commit and state of the checkout that this code runs from; nothing where it was installed from a package. */
export function commit(): Pick<Environment, 'commit' | 'dirty'> {
  if (existsSync(PROVENANCE))
    return JSON.parse(readFileSync(PROVENANCE, 'utf8')) as Pick<Environment, 'commit' | 'dirty'>
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', packageDirectory, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    // A package installed inside somebody's repository is ignored there, and that repository's commit says nothing about it.
    git('ls-files', '--error-unmatch', 'package.json')
    return { commit: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain') !== '' }
  } catch {
    return {}
  }
}
