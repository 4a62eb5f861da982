// A program that made a tensor of ONNX Runtime's before this package was loaded, under an engine with a Float16Array:
// float16 would fail inside the runtime, so the backend does not offer it.
import { hostTensor } from '@embed-kd/core'
import { Tensor } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { ortBackend } from '../src/index.js'

class Float16Array extends Uint16Array {}
Object.assign(globalThis, { Float16Array })
void new Tensor('float32', new Float32Array(1), [1])

it('offers no float16 that the runtime would refuse', async () => {
  const backend = await ortBackend.create('cpu')
  expect(backend.capabilities.dtypes).toEqual(['float32', 'int32', 'bool'])
  await expect(backend.upload(hostTensor('float16', [1], [1]))).rejects.toThrow(
    'this backend has no float16',
  )
  await backend.dispose()
})
