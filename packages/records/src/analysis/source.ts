// Where a record comes from: the machine that ran the trial and the version of the code. Records of different sources
// are never averaged.
import type { BenchRecord } from '../schema.js'

export function machineName({ environment }: BenchRecord): string {
  const { cpuModel, cpuCores, gpu } = environment
  const cpu = `${cpuModel}, ${cpuCores} ${cpuCores === 1 ? 'core' : 'cores'}`
  return gpu === undefined ? cpu : `${gpu.name} (${cpu})`
}

/** Names what ran the code: a version of Node, or a browser. */
export function runtimeName({ browser, node }: BenchRecord['environment']): string {
  return browser ?? (node === undefined ? 'unknown runtime' : `Node ${node.replace(/^v/, '')}`)
}

/** Names the version of the code: `commit 3f9c2ab (with changes)`, or the benchmark's version if the commit is unknown. */
export function versionName({ benchmarkVersion, environment }: BenchRecord): string {
  const { commit, dirty } = environment
  if (commit === undefined) return `benchmark ${benchmarkVersion}`
  return `commit ${commit.slice(0, 7)}${dirty === true ? ' (with changes)' : ''}`
}

/**
 * Returns a function that writes the source of each record as a key: machine, code, Node and runtime packages. A trial
 * that did not finish may not list its runtime; it belongs to the only one that its sweep used, if there is only one.
 */
export function sourcesOf(records: readonly BenchRecord[]): (record: BenchRecord) => string {
  const runtimes = new Map<string, Set<string>>()
  for (const record of records) {
    if (record.status !== 'ok') continue
    const known = runtimes.get(sweepKey(record))
    if (known === undefined) runtimes.set(sweepKey(record), new Set([runtimeKey(record)]))
    else known.add(runtimeKey(record))
  }
  return (record) => {
    const sweep = sweepKey(record)
    if (record.status === 'ok') return `${sweep}\n${runtimeKey(record)}`
    const known = [...(runtimes.get(sweep) ?? [])]
    return `${sweep}\n${known.length === 1 ? known[0]! : runtimeKey(record)}`
  }
}

function sweepKey(record: BenchRecord): string {
  const { benchmarkVersion, environment, trial } = record
  const { commit, dirty } = environment
  const runtime = runtimeName(environment)
  const parts = [machineName(record), benchmarkVersion, commit, dirty, runtime]
  return [...parts, trial.backend].join('\n')
}

function runtimeKey({ environment: { packages } }: BenchRecord): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .sort()
    .join(' ')
}
