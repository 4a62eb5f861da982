// What training makes of steps that mixed precision does not take: they are counted, and end it only where none is taken any more.
import {
  hostScalar,
  hostTensor,
  initialParameters,
  paperAdamW,
  presets,
  Random,
  studentSpecs,
  type HostTensor,
  type TrainConfig,
} from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import { openBackend } from '../src/node/index.js'
import { studentModel } from '../src/models/students.js'
import { NonFiniteGradientsError, NonFiniteLossError, Training } from '../src/training/training.js'
import { tinyStudent } from './tiny.js'

const config: TrainConfig = {
  method: 'supervised',
  student: studentModel(tinyStudent, { channels: 1, classes: 3 }, 0),
  batch: 2,
  images: { channels: 1, size: 8 },
  settings: presets.corrected,
  optimizer: paperAdamW,
  schedule: { kind: 'constant' },
  precision: 'mixed-float16',
}

const batchOf = (pixel: number) =>
  new Map<string, HostTensor>([
    ['batch.images', hostTensor('float32', [2, 1, 8, 8], new Float32Array(128).fill(pixel))],
    ['batch.labels', hostTensor('int32', [2], [0, 2])],
  ])

async function begin(rest: Partial<TrainConfig> = {}) {
  const backend = await openBackend('ort:cpu')
  const given = { ...config, ...rest }
  const parameters = initialParameters(studentSpecs(given), new Random(0))
  return Training.create(backend, given, parameters, [], 0)
}

/** Looks at every step. */
async function train(training: Training, pixel: number): Promise<void> {
  for (let steps = 0; steps < 100; steps++) {
    await training.step(batchOf(pixel))
    await training.metrics()
  }
}

describe('Training in mixed precision', () => {
  it('goes on after steps that were not taken, and counts them', async () => {
    const training = await begin()
    const state = await training.readState()
    state.set('state.loss_scale.factor', hostScalar(2 ** 30))
    await training.restore(state)
    for (let i = 0; i < 40; i++) await training.step(batchOf(1))
    await training.step(batchOf(NaN))
    expect((await training.metrics()).loss).toBeNaN()
    await training.step(batchOf(1))
    expect((await training.metrics()).loss).toBeGreaterThan(0)
    const { last, skippedSteps } = (await training.lossScale())!
    expect(skippedSteps).toBeGreaterThan(1)
    expect(skippedSteps).toBeLessThan(40)
    expect(last).toBe(2 ** (30 - skippedSteps))
  })

  it('ends where no loss scale helps, and says what to do', async () => {
    const training = await begin()
    const error = await train(training, NaN).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(NonFiniteGradientsError)
    expect((error as Error).message).toBe(
      'the gradients of step 18 are not finite, even with the loss scaled by 0.5; ' +
        'lower the learning rate, or train with --precision float32',
    )
  })

  it('has no loss scale in float32, where a loss that is not finite is the end', async () => {
    const training = await begin({ precision: 'float32' })
    expect(await training.lossScale()).toBeUndefined()
    await expect(train(training, NaN)).rejects.toBeInstanceOf(NonFiniteLossError)
    expect(training.steps).toBe(1)
  })
})
