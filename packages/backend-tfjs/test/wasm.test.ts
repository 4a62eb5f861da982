// What tfjs:wasm adds to the contract: a full heap is an error that says so, not a write over what is there; and it has
// threads where they can be had, which keep no process alive.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { hostTensor } from '@embed-kd/core'
import { expect, test } from 'vitest'
import { TfjsBackend } from '../src/backend.js'
import { openDevice } from '../src/devices/registry.js'

test('a full heap fails what asks for more, and leaves the rest as it was', async () => {
  const device = await openDevice('wasm')
  const backend = new TfjsBackend('tfjs:wasm', device)
  const kept = await backend.upload(hostTensor('float32', [3], [1, 2, 3]))
  // 256 MiB each, never written to, so that they cost addresses and no memory. The module has 4 GiB.
  const blocks: object[] = []
  const fill = () => {
    for (let i = 0; i < 17; i++) blocks.push(device.tf.write(null!, [1 << 26], 'float32'))
  }
  expect(fill).toThrow('tfjs:wasm: out of memory')
  for (const block of blocks) device.tf.disposeData(block)
  expect([...(await backend.read(kept)).data]).toEqual([1, 2, 3])
  kept.dispose()
  expect(device.tf.numDataIds()).toBe(0)
  await backend.dispose()
})

/** Node without worker threads. */
const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'

test.each([
  { flags: [], dispose: true, threads: Math.min(availableParallelism(), 8) },
  { flags: [], dispose: false, threads: Math.min(availableParallelism(), 8) },
  { flags: [permission, '--allow-fs-read=*'], dispose: true, threads: 1 },
])('node $flags, disposed of: $dispose, has $threads threads', ({ flags, dispose, threads }) => {
  const script = `
    import { hostTensor, op, spec, trace } from '@embed-kd/core'
    import { backend } from '@embed-kd/backend-tfjs'
    import { findBackend } from '@tensorflow/tfjs-core'
    const threads = () => findBackend('wasm').wasm.tfjs.getThreadsCount()
    const graph = trace('product', { x: spec([512, 512]) }, ({ x }) => ({ y: op.matmul(x, x) }))
    const x = hostTensor('float32', [512, 512], new Float32Array(512 * 512).fill(1))
    for (let round = 0; round < 2; round++) {
      const wasm = await backend.create('wasm')
      const before = threads()
      const product = await wasm.compile(graph)
      const { y } = await product.run({ x: await wasm.upload(x) })
      const { data } = await wasm.read(y)
      console.log(wasm.versions.threads, before, threads(), data.every((value) => value === 512))
      if (${dispose}) await wasm.dispose()
    }
    console.log('Worker' in globalThis)`
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    [...flags, '--input-type=module', '--eval', script],
    { cwd: import.meta.dirname, encoding: 'utf8', timeout: 30_000 },
  )
  const rounds = [1, threads].map((before) => `up to ${threads} ${before} ${threads} true\n`)
  expect({ status, signal, stdout }).toEqual({
    status: 0,
    signal: null,
    stdout: `${rounds.join('')}false\n`,
  })
})
