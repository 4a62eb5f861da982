// `embed-kd doctor`: which backends and devices work here, and what would make the others work.
import { Command } from 'commander'

import { ownBackends, resolveBackend } from '@embed-kd/distill/node'
import { messageOf } from '@embed-kd/core'
import { formatFlops } from '@embed-kd/records/terminal'
import { captureEnvironment } from '@embed-kd/bench'
import type { ProbeResult } from '@embed-kd/bench'
import { runJob } from '@embed-kd/bench'
import { list } from './options.js'

/** A device that takes longer to multiply two matrices does not work. */
const TIMEOUT_SECONDS = 120

export const doctorCommand = (): Command =>
  new Command('doctor')
    .option('--backend <list>', 'only these (default: all devices of our own backends)', list)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Each device is tried in a process of its own, by a matrix product. Exit code 1 if none works.

Examples:
  embed-kd doctor
  embed-kd doctor --backend ./my-backend.js,ort:webgpu
`,
    )
    .action(doctor)

async function doctor(options: { backend?: string[]; json?: boolean }): Promise<void> {
  if (!options.json) {
    const { cpuModel, cpuCores, os, node, gpu } = await captureEnvironment()
    process.stdout.write(
      `${cpuModel}, ${cpuCores} cores, ${gpu?.name ?? 'no NVIDIA GPU'}, ${os}, Node ${node}\n`,
    )
  }
  const found: Finding[] = []
  const tell = (finding: Finding) => {
    found.push(finding)
    if (!options.json) process.stdout.write(`${lineOf(finding)}\n`)
  }
  for (const spec of options.backend ?? (await allDevices(tell)))
    tell({ backend: spec, result: await tryBackend(spec) })
  if (options.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  if (!found.some(({ result }) => result.available)) process.exitCode = 1
}

interface Finding {
  readonly backend: string
  readonly result: ProbeResult
}

async function tryBackend(spec: string): Promise<ProbeResult> {
  // A name that is wrong is an error, not a backend that does not work.
  await resolveBackend(spec)
  const outcome = await runJob('probe', { backend: spec }, { timeoutSeconds: TIMEOUT_SECONDS })
  if (outcome.status === 'ok') return outcome.output
  const reason = 'reason' in outcome ? outcome.reason : outcome.status
  return { available: false, reason, remedy: `embed-kd step --backend ${spec} may tell more` }
}

/** Lists the devices of our own backends, and tells at once of a backend whose package is not installed. */
async function allDevices(tell: (finding: Finding) => void): Promise<string[]> {
  const devices: string[] = []
  for (const name of ownBackends)
    try {
      const { factory } = await resolveBackend(name)
      devices.push(...factory.devices.map((device) => `${factory.name}:${device}`))
    } catch (error) {
      const reason = messageOf(error).split('\n')[0]!
      const remedy = 'install its package, or put it into the bundle'
      tell({ backend: name, result: { available: false, reason, remedy } })
    }
  return devices
}

function lineOf({ backend, result }: Finding): string {
  const name = backend.padEnd(16)
  if (!result.available) return `${name} no   ${result.reason}; ${result.remedy}`
  const versions = Object.entries(result.versions).map(([key, value]) => `${key} ${value}`)
  const rate = `matrix products at ${formatFlops(result.gemmFlopsPerSecond)}/s`
  const half = result.dtypes.includes('float16') ? ['float16'] : []
  return `${name} yes  ${[rate, ...half, ...versions, ...(result.detail ? [result.detail] : [])].join(', ')}`
}
