// The subpath ./onnx must work in a browser: it may import core and its own files, and nothing else.
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const folder = resolve(import.meta.dirname, '../src/onnx')
const files = readdirSync(folder)

it.each(files)('onnx/%s imports core and files beside it only', (file) => {
  const source = readFileSync(resolve(folder, file), 'utf8')
  const imported = [...source.matchAll(/(?:from|import\() ?'([^']+)'/g)].map(([, name]) => name!)
  for (const name of imported) expect(name).toMatch(/^(@embed-kd\/core|\.\/[\w-]+\.js)$/)
})
