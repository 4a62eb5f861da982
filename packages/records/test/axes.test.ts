// The table of axes: names of trials, and that records which differ in an axis are told apart by it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  axes,
  axisKey,
  axisNames,
  describeConfiguration,
  describeTrial,
  groupKey,
  type AxisName,
  type Trial,
  varyingAxes,
} from '../src/index.js'
import { anyRecord } from './arbitrary.js'

const student = { imageSize: 32, patch: 4, width: 64, layers: 4, heads: 4, parameterCount: 10 }
const trial: Trial = {
  backend: 'ort:cpu',
  method: 'embed-kd',
  preset: 'corrected',
  teacher: {
    name: 'trained-m',
    kind: 'trained',
    parameterCount: 10,
    imageSize: 32,
    patch: 4,
    embeddingWidth: 64,
  },
  student: { name: 'small', ...student },
  dataset: { name: 'mnist', classes: 10, trainSize: 60_000, testSize: 10_000 },
  batch: 64,
  steps: 5,
  seed: 0,
  learningRate: 1e-3,
  weightDecay: 0.1,
  kdWeight: 0.5,
  dropout: 0.1,
  centroidImages: 100,
}

/** Another value of each axis. */
const others: { readonly [Name in AxisName]: Partial<Trial> } = {
  method: { method: 'teacher-kd' },
  teacher: { teacher: { ...trial.teacher!, name: 'trained-s' } },
  student: { student: { ...trial.student, name: 'paper', width: 128 } },
  dataset: { dataset: { ...trial.dataset, name: 'fashion-mnist' } },
  init: { init: { name: 'dinov2-small', digest: 'a' } },
  initSize: { initSize: 64 },
  dataSize: { dataSize: 64 },
  skipCorrupt: { skipCorrupt: true },
  maxMegapixels: { maxMegapixels: 200 },
  trainImages: { trainImages: 600, dataset: { ...trial.dataset, trainSize: 600 } },
  testImages: { testImages: 100, dataset: { ...trial.dataset, testSize: 100 } },
  batch: { batch: 128 },
  microBatch: { microBatch: 8 },
  rematerialise: { rematerialise: 'blocks' },
  precision: { precision: 'mixed-float16' },
  augment: { augment: 'flip' },
  backend: { backend: 'tfjs:cpu' },
  preset: { preset: 'paper' },
  epochs: { epochs: 1 },
  knn: { knn: 20 },
  steps: { steps: 6 },
  learningRate: { learningRate: 2e-3 },
  weightDecay: { weightDecay: 0 },
  kdWeight: { kdWeight: 1 },
  dropout: { dropout: 0 },
  centroidImages: { centroidImages: 10 },
  prototypes: { prototypes: 4 },
  anchors: { anchors: 'shuffled' },
  views: { views: 2 },
  store: { store: 'int8' },
  labels: { labels: 0.01 },
  imagesSeen: { imagesSeen: 1000 },
  search: { search: { kdWeight: [0.5, 2] } },
  purpose: { purpose: 'search' },
  seed: { seed: 1 },
}

/** What a trial needs besides for an axis alone to differ. */
const needs: { readonly [Name in AxisName]?: Partial<Trial> } = {
  search: { search: { kdWeight: [0.5, 1] } },
}

describe('axes', () => {
  test.each(axisNames)('tell trials apart: %s', (name) => {
    const one = { ...trial, ...needs[name] }
    const other = { ...one, ...others[name] }
    const varying = varyingAxes([one, other])
    expect(varying).toEqual(new Set([name]))
    const { role } = axes[name]
    for (const each of ['scope', 'setting', 'variant', 'repetition'] as const)
      expect(groupKey(one, each) === groupKey(other, each)).toBe(each !== role)
    expect(describeTrial(one, varying)).not.toBe(describeTrial(other, varying))
    expect(describeConfiguration(one, varying) === describeConfiguration(other, varying)).toBe(
      role === 'repetition',
    )
  })

  test('compare methods with hyperparameters of their own if the same search chose them', () => {
    const search = { learningRate: [1e-3, 1e-2] }
    const chose = (learningRate: number, fields: Partial<Trial> = {}) =>
      groupKey({ ...trial, search, learningRate, ...fields }, 'scope', 'setting')
    expect(chose(1e-3)).toBe(chose(1e-2))
    expect(chose(1e-3)).not.toBe(chose(1e-3, { search: { learningRate: [1e-3, 2e-3] } }))
    expect(chose(1e-3)).not.toBe(chose(1e-3, { purpose: 'search' }))
    const searching = { purpose: 'search' } as const
    expect(chose(1e-3, searching)).not.toBe(chose(1e-2, searching))
  })

  test('know the digest of published weights, not of weights that a sweep trains', () => {
    const of = (kind: 'trained' | 'pretrained', digest: string) =>
      axisKey({ ...trial, teacher: { ...trial.teacher!, kind, digest } }, 'teacher')
    expect(of('trained', 'a')).toBe(of('trained', 'b'))
    expect(of('pretrained', 'a')).not.toBe(of('pretrained', 'b'))
  })
})

describe('names of trials', () => {
  test('say what is unusual, and what differs between trials listed together', () => {
    expect(describeTrial(trial)).toBe(
      'embed-kd, teacher trained-m, small student, batch 64, ort:cpu, seed 0',
    )
    const unusual = {
      ...trial,
      preset: 'paper',
      precision: 'mixed-float16',
      microBatch: 8,
    } as const
    expect(describeConfiguration(unusual)).toBe(
      'embed-kd, teacher trained-m, small student, batch 64, micro-batches of 8, mixed-float16, ort:cpu, preset paper',
    )
    const { teacher: _none, ...supervised } = { ...trial, method: 'supervised' as const }
    expect(describeConfiguration(supervised)).toBe('supervised, small student, batch 64, ort:cpu')
    expect(describeConfiguration(trial, varyingAxes([trial, unusual]))).toBe(
      'embed-kd, teacher trained-m, small student, batch 64, whole batches, float32, ort:cpu, preset corrected',
    )
  })

  test('say centroids of methods that take centroids alone', () => {
    const control = { ...trial, anchors: 'shuffled' } as const
    const varying = varyingAxes([trial, control])
    expect(describeConfiguration(control, varying)).toContain('shuffled anchors')
    expect(describeConfiguration(trial, varying)).toContain("the teacher's centroids")
    expect(describeConfiguration({ ...trial, method: 'cached-kd' }, varying)).not.toContain(
      'centroids',
    )
  })

  test('are made of every record', () => {
    fc.assert(
      fc.property(anyRecord, ({ trial: any }) => {
        expect(describeTrial(any, new Set(axisNames))).toContain(any.method)
      }),
    )
  })
})

describe('methods', () => {
  test('train one student, whatever they train beside it', () => {
    const more = { ...trial, student: { ...trial.student, parameterCount: 11 } }
    expect(groupKey(more, 'scope', 'setting')).toBe(groupKey(trial, 'scope', 'setting'))
  })

  test('of one name are told apart by the digests of their modules', () => {
    const of = (digest: string) => ({
      ...trial,
      method: 'pull-kd',
      methodModule: { specifier: './pull.js', digest },
    })
    expect(groupKey(of('1'), 'variant')).toBe(groupKey(of('1'), 'variant'))
    expect(groupKey(of('1'), 'variant')).not.toBe(groupKey(of('2'), 'variant'))
  })
})
