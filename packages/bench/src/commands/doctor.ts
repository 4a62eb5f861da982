// `embed-kd doctor`: which backends and devices work here, and what would make the others work.
import { Command } from 'commander'

import { ownBackends, resolveBackend } from '../backends.js'
import { formatFlops } from '../format.js'
import { captureEnvironment } from '../measure/environment.js'
import type { ProbeResult } from '../trial/protocol.js'
import { runJob } from '../trial/run-job.js'
import { list } from './options.js'

/** A device that takes longer to multiply two matrices does not work. */
const TIMEOUT_SECONDS = 120

export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('tell which backends work here, and what would make the others work')
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
  const specs = options.backend ?? (await allDevices())
  for (const spec of specs) await resolveBackend(spec)
  const found: { backend: string; result: ProbeResult }[] = []
  if (!options.json) {
    const { cpuModel, cpuCores, os, node, gpu } = await captureEnvironment()
    process.stdout.write(
      `${cpuModel}, ${cpuCores} cores, ${gpu?.name ?? 'no NVIDIA GPU'}, ${os}, Node ${node}\n`,
    )
  }
  for (const backend of specs) {
    const outcome = await runJob('probe', { backend }, { timeoutSeconds: TIMEOUT_SECONDS })
    const result: ProbeResult =
      outcome.status === 'ok'
        ? outcome.output
        : {
            available: false,
            reason: 'reason' in outcome ? outcome.reason : outcome.status,
            remedy: 'its last words may tell: embed-kd step --backend ' + backend,
          }
    found.push({ backend, result })
    if (!options.json) process.stdout.write(`${lineOf(backend, result)}\n`)
  }
  if (options.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  if (!found.some(({ result }) => result.available)) process.exitCode = 1
}

async function allDevices(): Promise<string[]> {
  const factories = await Promise.all(ownBackends.map((name) => resolveBackend(name)))
  return factories.flatMap(({ factory }) =>
    factory.devices.map((device) => `${factory.name}:${device}`),
  )
}

function lineOf(backend: string, result: ProbeResult): string {
  const name = backend.padEnd(16)
  if (!result.available) return `${name} no   ${result.reason}; ${result.remedy}`
  const versions = Object.entries(result.versions).map(([key, value]) => `${key} ${value}`)
  const rate = `matrix products at ${formatFlops(result.gemmFlopsPerSecond)}/s`
  return `${name} yes  ${[rate, ...versions, ...(result.detail ? [result.detail] : [])].join(', ')}`
}
