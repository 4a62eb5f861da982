// Layer norms in training: brought into the layers that read them, they must be the same function of the same parameters.
import { expect, it } from 'vitest'
import {
  evaluate,
  flattenTree,
  gradients,
  hostTensor,
  initialParameters,
  isTensor,
  lower,
  op,
  parameterInputs,
  Random,
  sizeOf,
  spec,
  trace,
  vitEmbedding,
  vitParameters,
  type HostTensor,
} from '../src/index.js'
import { student as model } from '@embed-kd/conformance/small-models'

const specs = vitParameters(model)

const graphOf = (inTraining: boolean) =>
  trace(
    'embedding and its gradients',
    { parameters: parameterInputs(specs, { role: 'parameter' }), images: spec([3, 1, 8, 8]) },
    ({ parameters, images }) => {
      const training = inTraining ? { dropout: undefined } : undefined
      const embedding = vitEmbedding(model, parameters, images, training)
      const byName = flattenTree(parameters, isTensor)
      const found = gradients(op.sum(op.mul(embedding, embedding)), [...byName.values()])
      return {
        embedding,
        gradients: Object.fromEntries([...byName.keys()].map((name, i) => [name, found[i]!])),
      }
    },
  )

it('give the same embedding and the same gradients', () => {
  const random = new Random(1)
  const draw = (shape: readonly number[]) =>
    hostTensor(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
    )
  // Norms that scale and shift, unlike untrained ones.
  const inputs: Record<string, HostTensor> = { images: draw([3, 1, 8, 8]) }
  for (const [name, { shape }] of initialParameters(specs, random))
    inputs[`parameters.${name}`] = draw(shape)
  const [plain, trained] = [false, true].map((inTraining) => evaluate(graphOf(inTraining), inputs))
  expect(Object.keys(trained!)).toEqual(Object.keys(plain!))
  for (const [name, { data }] of Object.entries(plain!)) {
    const size = Math.max(...Array.from(data, Math.abs))
    trained![name]!.data.forEach((value, i) =>
      expect(Math.abs(value - data[i]!), name).toBeLessThan(1e-9 * (1 + size)),
    )
  }
})

it('are not made again for their gradients', () => {
  const madeAgain = (inTraining: boolean) => {
    const { nodes } = lower(graphOf(inTraining), { composites: ['layerNorm'] })
    const norms = nodes.filter(({ op, place }) => op === 'layerNorm' && place.block !== undefined)
    expect(norms).toHaveLength(2 * model.layers)
    const means = new Set(norms.map(({ outputs }) => outputs[1]))
    return nodes.filter(({ op, inputs }) => op === 'sub' && means.has(inputs[1])).length
  }
  expect([false, true].map(madeAgain)).toEqual([2 * model.layers, 0])
})
