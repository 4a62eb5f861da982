// What ort:wasm adds to the contract: threads that keep no process alive, and an error that says what to install.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { wasmOn } from '../src/devices/wasm.js'
import { ortFactory } from '../src/factory.js'
import { ortBackend } from '../src/index.js'
import { webRuntime } from '../src/runtime-web.js'

test('without onnxruntime-web, the error says what to install', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  const runtime = webRuntime(
    () => Promise.reject(missing),
    () => 1,
  )
  await expect(ortFactory([wasmOn(runtime)]).create('wasm')).rejects.toThrow(
    'ort:wasm cannot be used: the npm package onnxruntime-web is not installed; install it: npm install onnxruntime-web@',
  )
})

test('a runtime that cannot load its module says how to serve it', async () => {
  const runtime = webRuntime(
    async () => {
      const ort = await import('onnxruntime-web')
      const create = () => Promise.reject(new Error('no available backend found'))
      return { ...ort, InferenceSession: { create } }
    },
    () => 1,
  )
  await expect(ortFactory([wasmOn(runtime)]).create('wasm')).rejects.toThrow(
    /ort:wasm: onnxruntime-web could not load its WebAssembly module \(no available.*\); bundle the page with Vite/,
  )
})

test('it has a thread for each core, and the process ends by itself', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'wasm-threads.js')],
    { encoding: 'utf8', timeout: 30_000 },
  )
  const threads = Math.min(availableParallelism(), 8)
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${threads} true\n`, stderr: '' })
})

test('a float16 tensor comes back as its words', async () => {
  const backend = await ortBackend.create('wasm')
  const data = Uint16Array.of(0x3c00, 0xc000, 0x7e00)
  const buffer = await backend.upload({ dtype: 'float16', shape: [3], data })
  expect((await backend.read(buffer)).data).toEqual(data)
  await backend.dispose()
})
