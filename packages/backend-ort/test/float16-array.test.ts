// JavaScript engines from 2025 on have a Float16Array, and ONNX Runtime's tensors then use it. This one stands in for it.
import { hostTensor } from '@embed-kd/core'
import { expect, it } from 'vitest'
import { ortBackend } from '../src/index.js'

class Float16Array extends Uint16Array {}
Object.assign(globalThis, { Float16Array })

it('float16 comes back as words where the runtime has an array for it', async () => {
  const backend = await ortBackend.create('cpu')
  const tensor = hostTensor('float16', [3], [1, -0.5, 65504])
  const { data } = await backend.read(await backend.upload(tensor))
  expect(data.constructor).toBe(Uint16Array)
  expect([...data]).toEqual([0x3c00, 0xb800, 0x7bff])
  await backend.dispose()
})
