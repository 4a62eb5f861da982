// Which donated inputs are written over, and that the others are not.
import {
  gradients,
  hostTensor,
  op,
  packGraph,
  parameterGroups,
  spec,
  trace,
  trainGraph,
  paperAdamW,
  presets,
  type Tensor,
  type TrainConfig,
} from '@embed-kd/core'
import { expect, test } from 'vitest'
import { overwritten } from '../src/donation.js'
import { absorbFactors } from '../src/onnx/factors.js'
import { nativeComposites } from '../src/onnx/emitter.js'
import { ortBackend } from '../src/index.js'
import { lowerForRuntime } from '../src/lowering.js'

const donated = (shape: number[]) => spec(shape, { donated: true, role: 'parameter' })

const cases: [string, (x: Tensor, y: Tensor) => Record<string, Tensor>, boolean][] = [
  ['read element by element where it is written', (x, y) => ({ x: op.add(op.mul(x, 2), y) }), true],
  ['read by the writer itself', (x, y) => ({ x: op.add(x, y) }), true],
  ['read by what the output needs', (x, y) => ({ x: op.mul(y, op.sum(op.exp(x))) }), true],
  ['never read', (_, y) => ({ x: op.exp(y) }), true],
  ['read by what the output does not need', (x, y) => ({ x: op.add(x, y), z: op.exp(x) }), false],
  [
    'read through a view by what the output does not need',
    (x, y) => ({ x: op.add(x, y), z: op.exp(op.transpose(x, [1, 0])) }),
    false,
  ],
  ['passed through', (x, y) => ({ x, z: op.exp(y) }), false],
  ['the same as another output', (_, y) => ({ x: op.exp(y), z: op.exp(y) }), false],
  ['broadcast where it is written', (x) => ({ x: op.matmul(x, x) }), false],
]

test.each(cases)('a donated input %s', async (_, body, expected) => {
  const graph = trace('t', { x: donated([2, 2]), y: spec([2, 2]) }, ({ x, y }) => body(x, y))
  expect([...overwritten(graph)]).toEqual(expected ? ['x'] : [])

  // Whatever is decided, the results are those of fresh memory.
  const backend = await ortBackend.create('cpu')
  const executable = await backend.compile(graph)
  const plain = await backend.compile(
    trace('t', { x: spec([2, 2]), y: spec([2, 2]) }, ({ x, y }) => body(x, y)),
  )
  const upload = async () => ({
    x: await backend.upload(hostTensor('float32', [2, 2], [1, 2, 3, 4])),
    y: await backend.upload(hostTensor('float32', [2, 2], [0.5, -1, 2, -3])),
  })
  const [got, fresh] = [await executable.run(await upload()), await plain.run(await upload())]
  for (const [name, buffer] of Object.entries(got))
    expect((await backend.read(buffer)).data).toEqual((await backend.read(fresh[name]!)).data)
  await backend.dispose()
})

test.each([
  ['paper', ['state.parameters.joined.0']],
  // Gradients of one group read parameters of the other, whose step does not wait for those gradients.
  ['corrected', []],
] as const)(
  'preset %s writes over the moments of AdamW, and parameters if it can',
  (preset, can) => {
    const config: TrainConfig = {
      method: 'supervised',
      student: {
        imageSize: 8,
        patchSize: 4,
        channels: 3,
        width: 16,
        layers: 2,
        heads: 2,
        classes: 5,
        activation: 'quickGelu',
        preNorm: true,
        epsilon: 1e-5,
        attentionDropout: 0,
      },
      batch: 4,
      images: { channels: 3, size: 8 },
      settings: presets[preset],
      optimizer: paperAdamW,
      schedule: { kind: 'constant' },
    }
    const graph = packGraph(trainGraph(config), parameterGroups(config))
    const lowered = absorbFactors(lowerForRuntime(graph, nativeComposites), () => true)
    const names = overwritten(lowered.graph)
    const state = graph.inputs.flatMap(({ name, donated }) => (donated ? [name] : []))
    for (const name of state)
      if (/^state\.[mv]\./.test(name)) expect([...names], name).toContain(name)
    const parameters = [...names].filter((name) => name.startsWith('state.parameters.'))
    expect(parameters).toEqual(can)
  },
)

test('a run that writes over its inputs takes them at once', async () => {
  const backend = await ortBackend.create('cpu')
  const graph = trace('t', { x: donated([2, 2]) }, ({ x }) => {
    const [g] = gradients(op.sum(op.mul(x, x)), [x])
    return { x: op.sub(x, g!) }
  })
  const step = await backend.compile(graph)
  const x = await backend.upload(hostTensor('float32', [2, 2], [1, 2, 3, 4]))
  const first = step.run({ x })
  await expect(step.run({ x })).rejects.toThrow('donated to an earlier run')
  const { x: next } = await first
  expect([...(await backend.read(next!)).data]).toEqual([-1, -2, -3, -4])
  expect(backend.memory()).toEqual({ buffers: 1, bytes: 16 })
  await backend.dispose()
})
