// Every family of vision transformers against transformers' own numbers (fixtures/teachers.py), on three backends. With TABLES=1 the
// errors are printed as a table.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseSafetensors, type Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { relativeError } from '@embed-kd/conformance/golden'
import { openBackend } from '../src/node/index.js'
import { loadHfTeacher } from '../src/node/teachers/hf.js'
import { forward } from './hf-forward.js'

const folder = fileURLToPath(new URL('./fixtures/teachers', import.meta.url))
const names = readdirSync(folder).sort()

const table: Record<string, Record<string, string>> = {}
afterAll(() => {
  if (process.env.TABLES) console.table(table)
})

describe.each(['reference', 'ort:cpu', 'tfjs:wasm'])('families on %s', (device) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await openBackend(device)
  })
  afterAll(() => backend?.dispose())

  it.each(names)('%s equals transformers', async (name) => {
    const directory = join(folder, name)
    const { tensors } = parseSafetensors(readFileSync(join(directory, 'expected.safetensors')))
    const images = tensors.get('images')!
    const [, , height, width] = images.shape
    // SigLIP 2 has the size of its images, not of its configuration.
    const teacher = loadHfTeacher(directory, { source: { height: height!, width: width! } })
    expect([teacher.input.height, teacher.input.width]).toEqual([height, width])
    const got = await forward(backend, teacher, images)
    const expected = tensors.get('expected')!
    expect(got.shape).toEqual(expected.shape)
    const error = relativeError(got.data as Float32Array, expected.data as Float32Array)
    ;(table[name] ??= {})[device] = error.toExponential(1)
    expect(error).toBeLessThan(1e-5)
  })
})
