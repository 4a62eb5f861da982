import { lower, stepGraphs } from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import { openBackend } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import { costOf } from '../src/measure/cost.js'
import { findStudent } from '@embed-kd/distill'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { planTrials } from '../src/sweep/plan.js'
import { profiles } from '../src/sweep/profiles.js'
import { formatRerun, parseRerun } from '../src/sweep/rerun.js'
import { shardOf } from '../src/sweep/shards.js'
import { estimateSeconds } from '../src/sweep/work.js'
import {
  epochsOf,
  evaluatedEpochs,
  loadTrialData,
  splitsOf,
  totalStepsOf,
  trainConfigOf,
} from '../src/trial/config.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'

const dataset = writeTinyDataset(temporaryDirectory())
const grids = (...values: object[]) => parseGrids({ grids: values }, 'test')
const plan = (...values: object[]) => planTrials(expandGrids(grids(...values)))

const wide = {
  method: ['supervised', 'embed-kd', 'teacher-kd'],
  teacher: ['trained-s', 'trained-m'],
  batch: [8, 16],
  seeds: 4,
  steps: 2,
}

describe('grids', () => {
  it('span each trial once: supervised has no teacher', () => {
    const trials = expandGrids(grids(tinyGrid(dataset, { ...wide, seeds: 1 })))
    expect(trials).toHaveLength(2 * (1 + 2 * 2))
    expect(trials.filter(({ method }) => method === 'supervised')).toHaveLength(2)
    expect(trials.every(({ method, teacher }) => (method === 'supervised') === !teacher)).toBe(true)
  })

  it('repeat over seeds outermost, so that repetitions lie far apart', () => {
    const trials = expandGrids(grids(tinyGrid(dataset, { ...wide, firstSeed: 3 })))
    const seeds = trials.map(({ seed }) => seed)
    expect(seeds).toEqual(seeds.toSorted((a, b) => a - b))
    expect([...new Set(seeds)]).toEqual([3, 4, 5, 6])
  })

  it('have methods next to each other within a repetition, so that a drift favours none', () => {
    const method = ['logit-kd', 'teacher-kd', 'embed-kd']
    const trials = expandGrids(grids(tinyGrid(dataset, { ...wide, method })))
    for (let i = 0; i < trials.length; i += method.length) {
      const block = trials.slice(i, i + method.length)
      expect(block.map((trial) => trial.method)).toEqual(method)
      const others = block.map(({ method: _one, centroidImages: _own, ...rest }) => rest)
      expect(new Set(others.map((other) => JSON.stringify(other))).size).toBe(1)
    }
  })

  it.each([
    [{ epochs: 1, steps: 1 }, 'either epochs'],
    [{}, 'either epochs'],
    [{ epochs: 1, imagesSeen: 100 }, 'either epochs'],
    [{ steps: 1, labels: 10 }, 'labels cannot be 10; give a percentage'],
    [{ steps: 1, batch: [] }, 'batch'],
    [{ steps: 1, method: ['magic'] }, 'method'],
    [{ steps: 1, bach: [16] }, 'bach'],
    [{ steps: 1, precision: ['float16'] }, 'precision'],
    [{ steps: 1, student: ['giant'] }, 'unknown student "giant"'],
    [{ steps: 1, microBatch: 5 }, 'micro-batches of 5 images do not make up a batch of 16'],
  ])('complain of %j', (fields, message) => {
    const expand = () => expandGrids(grids(tinyGrid(dataset, fields)))
    expect(expand).toThrow(UserError)
    expect(expand).toThrow(message)
  })

  it('take micro-batches where the batch is larger, and say nothing of keeping everything', () => {
    const fields = { steps: 1, batch: [4, 16], microBatch: 8, rematerialise: ['none', 'blocks'] }
    const trials = expandGrids(grids(tinyGrid(dataset, fields)))
    expect(
      trials.map(({ batch, microBatch, rematerialise }) => [batch, microBatch, rematerialise]),
    ).toEqual([
      [4, undefined, undefined],
      [4, undefined, 'blocks'],
      [16, 8, undefined],
      [16, 8, 'blocks'],
    ])
    for (const trial of trials)
      expect(parseRerun(formatRerun({ ...trial, student: findStudent('small') })!)).toEqual({
        ...trial,
        student: findStudent('small'),
      })
  })

  it('take precisions next to each other, and say nothing of float32', () => {
    const precision = ['float32', 'mixed-float16']
    const trials = expandGrids(
      grids(tinyGrid(dataset, { steps: 1, student: ['small'], batch: [4, 8], precision })),
    )
    expect(trials.map(({ batch, precision }) => [batch, precision])).toEqual([
      [4, undefined],
      [4, 'mixed-float16'],
      [8, undefined],
      [8, 'mixed-float16'],
    ])
    for (const trial of trials) expect(parseRerun(formatRerun(trial)!)).toEqual(trial)
  })

  it('of all profiles are valid', () => {
    for (const [name, { grids: list }] of Object.entries(profiles))
      expect(expandGrids(parseGrids({ grids: list }, name)).length).toBeGreaterThan(0)
  })
})

describe('labelled images', () => {
  it('are a share of those that are not held out; all shares and seeds hold out the same ones', async () => {
    const labels = ['20%', '50%', '100%']
    const configs = expandGrids(grids(tinyGrid(dataset, { epochs: 1, labels, seeds: 2 })))
    const data = await loadTrialData(configs[0]!)
    const splits = configs.map((config) => splitsOf(data, config))
    expect(splits.map(({ train }) => train.indices.length)).toEqual([21, 57, 111, 21, 57, 111])
    expect(splits.map(({ poolSize }) => poolSize)).toEqual([
      111,
      111,
      undefined,
      111,
      111,
      undefined,
    ])
    for (const { validation, train } of splits) {
      expect(validation).toEqual(splits[0]!.validation)
      expect(train.indices.some((index) => validation!.indices.includes(index))).toBe(false)
    }
    const [small, half, , other] = splits.map(({ train }) => new Set(train.indices))
    expect([...small!].every((index) => half!.has(index))).toBe(true)
    expect(other).not.toEqual(small)
  })

  it('are the same for every method', async () => {
    const method = ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd', 'cached-kd']
    const configs = expandGrids(grids(tinyGrid(dataset, { epochs: 1, labels: '20%', method })))
    const data = await loadTrialData(configs[0]!)
    expect(new Set(configs.map((config) => `${splitsOf(data, config).train.indices}`)).size).toBe(1)
  })
})

describe('trials without labels', () => {
  const configsOf = (fields: object) => expandGrids(grids(tinyGrid(dataset, fields)))
  const none = { epochs: 2, labels: 'none', method: 'cosine-kd', teacher: 'trained-s' }

  it('train an encoder on all images, and evaluate nothing', async () => {
    const [trial] = await planTrials(configsOf(none))
    const { config, data, description } = trial!
    expect(data).not.toHaveProperty('classes')
    expect(description).toMatchObject({ labels: 0, dataset: { classes: 3 } })
    const whole = await loadTrialData(config)
    const { train, validation } = splitsOf(whole, config)
    expect(train.indices.length).toBe(whole.train.count)
    expect(validation).toBeUndefined()
    expect('classes' in trainConfigOf(config, data).student).toBe(false)
    expect(evaluatedEpochs(config, train.indices.length, 0)).toEqual([])
  })

  it.each([
    ['embed-kd', { method: 'embed-kd' }, 'embed-kd needs class labels, but --labels none trains'],
    ['a search', { search: { kdWeight: [1, 5] } }, 'a search chooses by accuracy, which training'],
  ])('refuse %s', async (_, change, message) => {
    await expect(planTrials(configsOf({ ...none, ...change }))).rejects.toThrow(message)
  })
})

describe('leading images', () => {
  it.each([
    ['train', { trainImages: 60 }, 'the first 60 images have', 'give --labels'],
    ['test', { testImages: 1 }, 'the first 1 images have 1 of', 'leave out --test-images'],
  ])('of a %s split that lies class by class are refused', async (which, limits, cause, remedy) => {
    const [config] = expandGrids(grids(tinyGrid(dataset, { epochs: 1, ...limits })))
    const data = await loadTrialData(config!)
    expect(() => splitsOf(data, config!)).not.toThrow()
    const split = data[which as 'train' | 'test']
    const sorted = { ...data, [which]: { ...split, labels: split.labels.toSorted() } }
    expect(() => splitsOf(sorted, config!)).toThrow(cause)
    expect(() => splitsOf(sorted, config!)).toThrow(remedy)
  })
})

describe('the length of a trial', () => {
  const configOf = (fields: object) =>
    expandGrids(grids(tinyGrid(dataset, { batch: 10, ...fields })))[0]!

  it.each([
    [{ epochs: 3 }, 12, 3],
    [{ imagesSeen: 120 }, 12, 3],
    [{ imagesSeen: 99 }, 9, 3],
    [{ imagesSeen: 10 }, 1, 1],
    [{ steps: 7 }, 7, 1],
  ])('%j is, with 45 images in batches of 10, %i steps in %i epochs', (fields, steps, epochs) => {
    const config = configOf(fields)
    expect(totalStepsOf(config, 45)).toBe(steps)
    expect(epochsOf(config, 45)).toBe(epochs)
  })

  it('is one batch at least', () => {
    expect(() => totalStepsOf(configOf({ imagesSeen: 9 }), 45)).toThrow(
      'a batch has 10 images, but training ends after 9; choose a smaller --batch',
    )
  })

  it.each([
    ['as long as training is more work', { epochs: 4 }, 45, 20, [1, 2, 3, 4]],
    ['as often as training pays for', { epochs: 100 }, 45, 500, [13, 25, 38, 50, 63, 75, 88, 100]],
    ['three times at least', { epochs: 120 }, 45, 1e6, [40, 80, 120]],
    ['after each of fewer epochs', { epochs: 3 }, 45, 1e6, [1, 2, 3]],
    ['at the end of a part of an epoch', { imagesSeen: 15 }, 45, 100, [1]],
  ])('is evaluated %s', (_, fields, images, evaluated, epochs) => {
    expect(evaluatedEpochs(configOf(fields), images, evaluated)).toEqual(epochs)
  })
})

describe('a plan', () => {
  it('identifies a trial by what its result depends on, not by where the data lies', async () => {
    const [here] = await plan(tinyGrid(dataset, { steps: 2 }))
    const elsewhere = writeTinyDataset(temporaryDirectory())
    for (const same of [{}, { precision: ['float32'], rematerialise: ['none'] }])
      expect((await plan(tinyGrid(elsewhere, { steps: 2, ...same })))[0]!.id).toBe(here!.id)
    const changes = [
      { steps: 3 },
      { batch: [8] },
      { learningRate: 0.02 },
      { firstSeed: 1 },
      { microBatch: 4 },
      { rematerialise: ['blocks'] },
      { precision: ['mixed-float16'] },
    ]
    for (const change of changes)
      expect((await plan(tinyGrid(dataset, { steps: 2, ...change })))[0]!.id).not.toBe(here!.id)
  })

  it('describes the trial for its record', async () => {
    const [trial] = await plan(
      tinyGrid(dataset, { method: ['teacher-kd'], teacher: ['vit-base-32'], steps: 2 }),
    )
    expect(trial!.description).toMatchObject({
      backend: 'ort:cpu',
      teacher: { name: 'vit-base-32', kind: 'random', imageSize: 224, embeddingWidth: 768 },
      dataset: { classes: 3, trainSize: 120, testSize: 60 },
      steps: 2,
    })
    // Dosovitskiy 2021, table 1 gives 88M for patch 32 with its classifier of 1000 classes left out.
    expect(trial!.description.teacher!.parameterCount! / 1e6).toBeCloseTo(87.5, 0)
  })

  it('tells the work and the memory of micro-batches, rematerialisation and float16', async () => {
    const work = async (rest: object) =>
      (await plan(tinyGrid(dataset, { student: ['paper'], batch: [64], steps: 1, ...rest })))[0]!
        .work
    const [whole, micro, again, half] = [
      await work({}),
      await work({ microBatch: 8 }),
      await work({ rematerialise: ['blocks'] }),
      await work({ precision: ['mixed-float16'] }),
    ]
    expect(micro.parts.map(({ times }) => times)).toEqual([8, 1])
    expect(micro.flops / whole.flops).toBeGreaterThan(1)
    expect(micro.flops / whole.flops).toBeLessThan(1.05)
    expect(micro.peakBytes / whole.peakBytes).toBeLessThan(0.4)
    expect(again.flops / whole.flops).toBeGreaterThan(1.1)
    expect(again.peakBytes / whole.peakBytes).toBeLessThan(0.7)
    expect(half.peakBytes / whole.peakBytes).toBeLessThan(0.8)
  })

  it('complains of a batch that the data cannot fill, and of a backend that is not there', async () => {
    await expect(plan(tinyGrid(dataset, { steps: 1, batch: [1000] }))).rejects.toThrow(
      'a batch of 1000 needs as many images',
    )
    await expect(plan(tinyGrid(dataset, { steps: 1, backend: ['abacus'] }))).rejects.toThrow(
      'unknown backend "abacus"',
    )
    const taught = { steps: 1, method: ['embed-kd'], teacher: ['socrates'] }
    await expect(plan(tinyGrid(dataset, taught))).rejects.toThrow('there is no teacher socrates')
  })

  it('plans the peak of memory that records of ort:cpu plan, with what that backend executes', async () => {
    const { capabilities } = await openBackend('ort:cpu')
    for (const { config, data, work } of await plan(...profiles['quick']!.grids)) {
      const parts = stepGraphs(trainConfigOf(config, data)).map(({ graph, times }) => {
        const executable = { graph: lower(graph, capabilities) }
        return { graph, times, executable }
      })
      const { planned } = costOf(parts, capabilities)
      expect(work.peakBytes / planned!.peakBytes).toBeGreaterThan(0.85)
      expect(work.peakBytes / planned!.peakBytes).toBeLessThan(1.15)
    }
  })

  it('keeps the quick profile to the minutes that its help promises', async () => {
    const trials = await plan(...profiles['quick']!.grids)
    expect(trials.length).toBeLessThanOrEqual(29)
    expect(trials.reduce((sum, { work }) => sum + work.flops, 0)).toBeLessThan(6e12)
  })

  it('estimates more seconds for more work', async () => {
    const [one] = await plan(tinyGrid(dataset, { epochs: 1 }))
    const [ten] = await plan(tinyGrid(dataset, { epochs: 10 }))
    const seconds = (work: typeof one) => estimateSeconds(work!.work.parts, 1e11)
    expect(seconds(ten)).toBeGreaterThan(seconds(one))
  })
})

describe('a plan of what is not here', () => {
  const missing = tinyGrid('cifar100:/no/such/data', {
    method: ['teacher-kd'],
    teacher: ['hf:/no/such/vit-base-patch16-224'],
    batch: [64],
    steps: 1,
  })

  it('is made for estimates of known data and shapes', async () => {
    const [trial] = await planTrials(expandGrids(grids(missing)), { assumeMissing: true })
    expect(trial!.description).toMatchObject({
      dataset: { classes: 100, trainSize: 50_000, testSize: 10_000 },
      teacher: { name: 'vit-base-16', embeddingWidth: 768 },
    })
    // Forward passes of ViT-Base/16 take 17.6 GMACs an image, so 35 GFLOP, less what the last block spares.
    expect(trial!.work.flops / 64 / 1e9).toBeGreaterThan(30)
    expect(trial!.work.flops / 64 / 1e9).toBeLessThan(38)
  })

  it('is refused to a sweep that would run', async () => {
    await expect(plan(missing)).rejects.toThrow('/no/such/data')
  })
})

describe('shards', () => {
  it('are a partition, the same each time, and balanced by work', async () => {
    const trials = await plan(tinyGrid(dataset, wide))
    expect(trials).toHaveLength(40)
    for (const count of [1, 2, 3, 8]) {
      const shards = Array.from({ length: count }, (_, i) =>
        shardOf(trials, { index: i + 1, count }),
      )
      expect(
        shards
          .flat()
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(trials.map(({ id }) => id).toSorted())
      const reversed = shardOf(trials.toReversed(), { index: 1, count })
      expect(reversed.toReversed()).toEqual(shards[0])
      const loads = shards.map((shard) => shard.reduce((sum, { work }) => sum + work.flops, 0))
      const largest = Math.max(...trials.map(({ work }) => work.flops))
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(largest)
    }
    expect(shardOf(trials, { index: 1e9, count: 1e9 })).toEqual([])
  })
})
