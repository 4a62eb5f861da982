// No operator of ours runs on the CPU when WebGPU was asked for: the runtime itself refuses the session.
import { hostTensor, op, spec, trace } from '@embed-kd/core'
import * as ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { OrtBackend } from '../src/backend.js'
import { webgpu } from '../src/devices/node.js'
import { emitters } from '../src/onnx/emitters.js'

const found = await webgpu.probe(ort)
if (!found.available) console.warn(`skipped ort:webgpu: ${found.reason}; ${found.remedy}`)

const graph = trace('t', { x: spec([2, 3]) }, ({ x }) => ({ y: op.argmax(x, 1) }))

test.skipIf(!found.available)(
  'an operator that WebGPU lacks is refused, not run elsewhere',
  async () => {
    const careless = await OrtBackend.open({
      ...webgpu,
      emitters: { ...webgpu.emitters, argmax: emitters.argmax },
    })
    await expect(careless.compile(graph)).rejects.toThrow('assigned to the default CPU EP')
    await careless.dispose()
  },
)

test.skipIf(!found.available)(
  'what it is written in instead gives the first greatest element',
  async () => {
    const backend = await OrtBackend.open(webgpu)
    const executable = await backend.compile(graph)
    const x = await backend.upload(hostTensor('float32', [2, 3], [1, 5, 5, 7, -1, 7]))
    const { y } = await executable.run({ x })
    expect([...(await backend.read(y!)).data]).toEqual([1, 0])
    await backend.dispose()
  },
)
