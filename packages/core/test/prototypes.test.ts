// Several centroids of each class: an image's class shares the target among them.
import { describe, expect, it } from 'vitest'
import {
  evaluate,
  gradientGraph,
  hostTensor,
  initialParameters,
  initialState,
  paperAdamW,
  presets,
  Random,
  scheduleOf,
  sizeOf,
  studentSpecs,
  type HostTensor,
  type TrainConfig,
} from '../src/index.js'

const [batch, classes, width] = [4, 3, 5]

const config = (prototypes: number): TrainConfig => ({
  method: 'embed-kd',
  student: {
    imageSize: 8,
    patchSize: 4,
    channels: 1,
    width: 8,
    layers: 1,
    heads: 2,
    classes,
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout: 0,
  },
  batch,
  images: { channels: 1, size: 8 },
  teacher: { kind: 'stored', width, prototypes },
  settings: presets.corrected,
  optimizer: paperAdamW,
  schedule: scheduleOf(presets.corrected, 1),
})

const draw = (seed: number, shape: readonly number[]) => {
  const random = new Random(seed)
  return Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
}
const means = draw(1, [classes, width])

/** The distillation loss and the cosines with centroids [classes · prototypes, width]. */
function contrast(prototypes: number, centroids: Float32Array) {
  const parameters = initialParameters(studentSpecs(config(prototypes)), new Random(2))
  const graph = gradientGraph(config(prototypes))
  const state = initialState(parameters)
  const given: Record<string, HostTensor> = {
    'batch.images': hostTensor('float32', [batch, 1, 8, 8], draw(3, [batch, 64])),
    'batch.labels': hostTensor('int32', [batch], [0, 1, 1, 2]),
    'teacher.centroids': hostTensor('float32', [classes * prototypes, width], centroids),
  }
  for (const { name } of graph.inputs) given[name] ??= state.get(name)!
  const outputs = evaluate(graph, given)
  return { loss: outputs['metrics.kd_loss']!.data[0]!, cosine: outputs['outputs.cosine']! }
}

describe('prototypes', () => {
  it('that are all the mean add the logarithm of their number to the loss', () => {
    const one = contrast(1, means)
    for (const prototypes of [2, 3]) {
      const repeated = Array.from({ length: classes }, (_, label) => {
        const mean = [...means.subarray(label * width, (label + 1) * width)]
        return Array.from({ length: prototypes }, () => mean).flat()
      })
      const many = contrast(prototypes, Float32Array.from(repeated.flat()))
      expect(many.cosine.shape).toEqual([batch, classes * prototypes])
      expect(many.loss).toBeCloseTo(one.loss + Math.log(prototypes), 5)
    }
  })

  it('are contrasted class by class', () => {
    const { loss, cosine } = contrast(2, draw(4, [classes * 2, width]))
    let expected = 0
    ;[0, 1, 1, 2].forEach((label, i) => {
      const scores = Array.from(cosine.data.slice(6 * i, 6 * i + 6), (c) => c / 0.07)
      const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0))
      expected -= ((scores[2 * label]! + scores[2 * label + 1]!) / 2 - total) / batch
    })
    expect(loss).toBeCloseTo(expected, 4)
  })
})
