// JavaScript engines from 2025 on have a Float16Array, which ONNX Runtime's tensors would use. A class of that name stands
// in for it here; the command's test/node-versions.test.ts meets the real one.
import { hostTensor } from '@embed-kd/core'
import { expect, it } from 'vitest'
import { op, runOn } from './run.js'
import { ortBackend } from '../src/index.js'

class Float16Array extends Uint16Array {}
Object.assign(globalThis, { Float16Array })

it('keeps float16 as words, and leaves the global alone', async () => {
  const backend = await ortBackend.create('cpu')
  const tensor = hostTensor('float16', [3], [1, -0.5, 65504])
  const { data } = await backend.read(await backend.upload(tensor))
  expect(data.constructor).toBe(Uint16Array)
  expect([...data]).toEqual([0x3c00, 0xb800, 0x7bff])
  const { y } = await runOn(backend, { x: tensor }, ({ x }) => ({ y: op.neg(x) }))
  expect(y!.values).toEqual([0xbc00, 0x3800, 0xfbff])
  expect(globalThis).toHaveProperty('Float16Array', Float16Array)
  await backend.dispose()
})
