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

test.skipIf(!found.available)(
  'comparisons of transposes are not transposes of booleans',
  async () => {
    const backend = await OrtBackend.open(webgpu)
    const compared = trace('t', { x: spec([2, 3]), z: spec([2, 3]) }, ({ x, z }) => {
      const [a, b] = [op.transpose(x, [1, 0]), op.transpose(z, [1, 0])]
      return {
        less: op.less(a, b),
        lessEqual: op.lessEqual(a, b),
        equal: op.equal(a, b),
        max: op.max(a, { axes: [0] }),
        argmax: op.argmax(a, 0),
      }
    })
    const executable = await backend.compile(compared)
    const x = await backend.upload(hostTensor('float32', [2, 3], [1, 5, 2, 7, -1, 8]))
    const z = await backend.upload(hostTensor('float32', [2, 3], [1, 6, 2, 7, -2, 9]))
    const outputs = await executable.run({ x, z })
    const read = async (name: string) => [...(await backend.read(outputs[name]!)).data]
    expect(await read('less')).toEqual([0, 0, 1, 0, 0, 1])
    expect(await read('lessEqual')).toEqual([1, 1, 1, 0, 1, 1])
    expect(await read('equal')).toEqual([1, 1, 0, 0, 1, 0])
    expect(await read('max')).toEqual([5, 8])
    expect(await read('argmax')).toEqual([1, 2])
    await backend.dispose()
  },
)
