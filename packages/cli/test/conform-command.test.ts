// `embed-kd conform` on our own backends and on one from a file: a table, the failures, and the exit code.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { expect, it } from 'vitest'

import { runCli, temporaryDirectory } from './cli.js'

const example = fileURLToPath(new URL('../../../examples/float32-backend.js', import.meta.url))

it('prints a table of a plug-in from a file', async () => {
  const { code, stdout } = await runCli('conform', '--backend', example, '--case', 'matmul/')
  expect(stdout).toMatch(/^float32:js +cases +passed +excused +failed/)
  expect(stdout).toMatch(/^matmul +(\d+) +\1 +0 +0 /m)
  expect(code).toBe(0)
})

it('shows what is wrong with a broken one, and exits with 1', async () => {
  const file = join(temporaryDirectory(), 'broken.js')
  // The example, but for an upload that loses the sign.
  writeFileSync(
    file,
    `import { backend as good } from ${JSON.stringify(pathToFileURL(example).href)}
export const backend = { ...good, create: async (device) => {
  const made = await good.create(device)
  const upload = made.upload.bind(made)
  made.upload = (x) => upload({ ...x, data: x.dtype === 'float32' ? x.data.map(Math.abs) : x.data })
  return made
} }
`,
  )
  const { code, stdout } = await runCli('conform', '--backend', file, '--case', 'layout/transpose')
  expect(stdout).toMatch(
    /^failed: layout\/transpose\/float32 \[3,5\] by \[1,0\] \(transpose C1\)$/m,
  )
  expect(stdout).toMatch(/^ {2}output y\.?0?\[.*\]: expected -/m)
  expect(code).toBe(1)
})

it('gives results as JSON, of several backends', async () => {
  const { code, stdout } = await runCli(
    'conform',
    '--backend',
    'reference,ort:cpu',
    '--case',
    'buffer/',
    '--json',
  )
  const found = JSON.parse(stdout) as { backend: string; results: { status: string }[] }[]
  expect(found.map(({ backend }) => backend)).toEqual(['reference:cpu', 'ort:cpu'])
  for (const { results } of found)
    expect(results.every(({ status }) => status === 'passed')).toBe(true)
  expect(code).toBe(0)
})

it('says what cases there are where none is called so', async () => {
  const { code, stderr } = await runCli('conform', '--backend', 'reference', '--case', 'nothing')
  expect(stderr).toContain('names begin with one of contract/, buffer/')
  expect(code).toBe(1)
})

it('refuses a plug-in that takes the name of a backend of ours', async () => {
  const file = join(temporaryDirectory(), 'imposter.js')
  writeFileSync(
    file,
    `import { backend as good } from ${JSON.stringify(pathToFileURL(example).href)}
export const backend = { ...good, name: 'ort' }
`,
  )
  const { code, stderr } = await runCli('conform', '--backend', file)
  expect(stderr).toMatch(
    /calls itself "ort".*; give it a name of its own; ort, tfjs, reference are/s,
  )
  expect(code).toBe(1)
})
