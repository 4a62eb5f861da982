// The Python of the guide to stores reads what this library writes. Skipped without a Python that has numpy and safetensors.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { readEmbeddings, sampleEmbeddings, writeEmbeddings, type Store } from '@embed-kd/distill'
import { afterAll, expect, it } from 'vitest'

import { python } from '../../packages/distill/test/python.js'
import { codeBlocks } from './pages.js'

const directory = mkdtempSync(join(tmpdir(), 'embed-kd-python-'))
afterAll(() => rmSync(directory, { recursive: true }))

const block = codeBlocks().find(({ text }) => text.includes('def read_embeddings'))!
const stores: readonly Store[] = ['float32', 'float16', 'int8', 'pca3', 'pq5']

it.skipIf(python === undefined)('reads every store', async () => {
  const rows = Array.from({ length: 9 }, (_, i) => Float32Array.of(i, i ** 2, 1 / (i + 1), -i, 5))
  const given = sampleEmbeddings(rows, new Int32Array(9))
  const files = stores.map((store) => join(directory, `${store}.safetensors`))
  stores.forEach((store, i) => writeFileSync(files[i]!, writeEmbeddings(given, {}, store)))
  const program = `${block.text}
import json, sys
print(json.dumps([read_embeddings(file).ravel().tolist() for file in sys.argv[1:]]))`
  const printed = execFileSync(python!, ['-c', program, ...files], { encoding: 'utf8' })
  const read = JSON.parse(printed) as number[][]
  for (const [i, store] of stores.entries()) {
    const { vectors } = await readEmbeddings(writeEmbeddings(given, {}, store))
    read[i]!.forEach((value, k) => expect(value).toBeCloseTo(vectors[k]!, 4))
  }
})
