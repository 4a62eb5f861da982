// What tfjs:wasm adds to the contract: a full heap is an error that says so, not a write over what is there.
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
