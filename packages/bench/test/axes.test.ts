// The table of axes: every axis is part of a trial's identity and of its record, and every trial can be run again by its command.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { UserError } from '@embed-kd/core'
import { axes } from '@embed-kd/records'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { temporaryDirectory } from '../../distill/test/temporary.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'
import { axisOptions, givenAxes, type GivenAxis } from '../src/axes/table.js'
import { parseAxisValue, parseAxisValues } from '../src/axes/words.js'
import { expandGrids, gridFields, parseGrids, sweepJsonSchema } from '../src/sweep/grid.js'
import { planTrials } from '../src/sweep/plan.js'
import { formatRerun, parseRerun } from '../src/sweep/rerun.js'
import { anyGrid } from './any-grid.js'

const expand = (...grids: object[]) => expandGrids(parseGrids({ grids }, 'test'))
const dataset = writeTinyDataset(temporaryDirectory())
const student = { name: 'dot', imageSize: 8, patch: 4, width: 8, layers: 1, heads: 2 }
const grid = { dataset, student, method: 'embed-kd', batch: 16, epochs: 1 }

/** A grey image of 8 x 8 pixels. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAF0lEQVR42mNkYIEARgUog4UUBuMDKAMAR1gCmCOa8dUAAAAASUVORK5CYII=',
  'base64',
)
const folder = temporaryDirectory()
for (const place of ['train/a', 'train/b', 'test/a', 'test/b']) {
  mkdirSync(join(folder, place), { recursive: true })
  for (let i = 0; i < 12; i++) writeFileSync(join(folder, place, `${i}.png`), png)
}

const images = { dataset: `images:${folder}`, batch: 2 }

const checkpoint = fileURLToPath(
  new URL('../../distill/test/fixtures/teachers/deit', import.meta.url),
)

/** What a grid needs besides for an axis to matter. */
const needs: { readonly [Name in GivenAxis]?: object } = {
  initSize: { init: checkpoint },
  dataSize: images,
  skipCorrupt: images,
  maxMegapixels: images,
  views: { method: 'cached-kd', augment: 'flip', epochs: 3 },
  store: { method: 'cached-kd' },
}

/** Another value of each axis. */
const others: { readonly [Name in GivenAxis]: object } = {
  method: { method: 'teacher-kd' },
  teacher: { teacher: 'trained-m' },
  student: { student: { ...student, width: 16 } },
  init: { init: checkpoint },
  initSize: { initSize: 16 },
  dataset: { dataset: 'mnist' },
  dataSize: { dataSize: 4 },
  skipCorrupt: { skipCorrupt: true },
  maxMegapixels: { maxMegapixels: 200 },
  trainImages: { trainImages: 60 },
  testImages: { testImages: 30 },
  batch: { batch: 8 },
  microBatch: { microBatch: 8 },
  rematerialise: { rematerialise: 'blocks' },
  precision: { precision: 'mixed-float16' },
  augment: { augment: 'flip' },
  backend: { backend: 'reference' },
  preset: { preset: 'paper' },
  epochs: { epochs: 2 },
  imagesSeen: { epochs: undefined, imagesSeen: 100 },
  steps: { epochs: undefined, steps: 2 },
  labels: { labels: '50%' },
  learningRate: { learningRate: 1e-3 },
  weightDecay: { weightDecay: 0 },
  kdWeight: { kdWeight: 0.25 },
  dropout: { dropout: 0 },
  knn: { knn: 3 },
  centroidImages: { centroidImages: 10 },
  prototypes: { prototypes: 2 },
  anchors: { anchors: 'shuffled' },
  views: { views: 2 },
  store: { store: 'int8' },
  seed: { firstSeed: 1 },
}

describe('every axis', () => {
  it.each(givenAxes)('is part of identity and record: %s', async (name) => {
    const plan = async (fields: object) =>
      (await planTrials(expand({ ...grid, ...needs[name], ...fields })))[0]!
    const [one, other] = [await plan({}), await plan(others[name])]
    expect(other.id).not.toBe(one.id)
    expect(other.description[name]).not.toEqual(one.description[name])
    expect(axes[name].schema.safeParse(other.description[name]).error).toBeUndefined()
  })

  it('spans a grid', () => {
    const lists = { batch: [8, 16], learningRate: [1e-3, 1e-4, 1e-5], trainImages: [60, 120] }
    expect(expand({ ...grid, ...lists })).toHaveLength(12)
  })

  it('is described by a complete phrase without full stop', () => {
    for (const { help } of Object.values(axisOptions)) {
      expect(help).toMatch(/^[a-z].{10,}[^.]$/)
      expect(help).not.toMatch(/^(of|the) /)
    }
  })

  it('is in the schema of configuration files, as one value or a list', () => {
    const schema = sweepJsonSchema() as {
      properties: { grids: { items: { properties: Record<string, object> } } }
    }
    const { properties } = schema.properties.grids.items
    expect(Object.keys(properties).toSorted()).toEqual(gridFields.toSorted())
    expect(properties['batch']).toMatchObject({
      description: 'images in a training step',
      default: [64],
      anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' } }],
    })
  })
})

describe('axes that a method has no use for', () => {
  it('are left out, so that no trial runs twice', () => {
    const taught = { teacher: ['trained-s', 'trained-m'], kdWeight: [1, 2], centroidImages: [1, 2] }
    const method = ['supervised', 'teacher-kd', 'embed-kd']
    const trials = expand({ ...grid, ...taught, method })
    expect(trials.map((trial) => trial.method).toSorted()).toEqual([
      ...Array<string>(8).fill('embed-kd'),
      'supervised',
      ...Array<string>(4).fill('teacher-kd'),
    ])
  })
})

describe('the command in a record', () => {
  it('says the whole trial', () => {
    fc.assert(
      fc.property(anyGrid, (fields) => {
        for (const trial of expand(fields)) expect(parseRerun(formatRerun(trial)!)).toEqual(trial)
      }),
    )
  })

  it('is left out if no command line says the trial', () => {
    for (const fields of [{ student }, { dataset: 'idx:a,b' }, { backend: './a,b.js' }])
      expect(formatRerun(expand({ steps: 1, ...fields })[0]!)).toBeUndefined()
  })

  it('is no other command', () => {
    expect(() => parseRerun('rm -rf /')).toThrow('is no "embed-kd bench …"')
  })
})

describe('values', () => {
  it.each([
    ['learningRate', '0', '--learning-rate cannot be "0"; give a number greater than 0'],
    ['learningRate', '-1e-3', '--learning-rate cannot be "-1e-3"; give a number greater than 0'],
    ['learningRate', 'fast', '--learning-rate cannot be "fast"; give a number'],
    ['batch', '1.5', '--batch cannot be "1.5"; give a whole number from 1 on'],
    ['batch', '', '--batch cannot be ""; give a whole number from 1 on'],
    ['dropout', '1', '--dropout cannot be "1"; give a number from 0 to 0.99'],
    ['weightDecay', '-1', '--weight-decay cannot be "-1"; give a number from 0 on'],
    [
      'precision',
      'float16',
      '--precision cannot be "float16"; did you mean float32? give one of float32, mixed-float16',
    ],
    ['labels', '0%', '--labels cannot be "0%"; give a percentage above 0'],
    ['labels', '101%', '--labels cannot be "101%"; give a percentage above 0 and at most 100%'],
    ['labels', '0.1', '--labels cannot be "0.1"; give a percentage'],
    [
      'imagesSeen',
      '1.5G',
      '--images-seen cannot be "1.5G"; give a whole number from 1 on, such as 5000, 100k or 1.5M',
    ],
    ['imagesSeen', '0', '--images-seen cannot be "0"; give a whole number from 1 on'],
    ['dataset', '', '--dataset cannot be ""; give a name'],
    ['augment', 'blur', 'unknown augmentation "blur"; give none, flip, crop:PIXELS'],
  ] as const)('of %s are checked: %j', (name, word, message) => {
    expect(() => parseAxisValue(name, word)).toThrow(UserError)
    expect(() => parseAxisValue(name, word)).toThrow(message)
  })

  it.each([
    ['labels', '1%,10 %,100%,0.5%,none', [0.01, 0.1, 1, 0.005, 0]],
    ['imagesSeen', '5000,100k,1.5M', [5000, 100_000, 1_500_000]],
  ] as const)('of %s are read as a user writes them: %s', (name, words, expected) => {
    expect(parseAxisValues(name, words)).toEqual(expected)
  })

  it('are separated by commas, which descriptions of students also have', () => {
    expect(parseAxisValues('batch', '8, 16')).toEqual([8, 16])
    const described = 'vit:width=128,layers=4,heads=4,patch=4,image=32'
    const names = parseAxisValues('student', `small,${described},paper`) as { name: string }[]
    expect(names.map(({ name }) => name)).toEqual(['small', described, 'paper'])
    expect(() => parseAxisValues('batch', '8,,16')).toThrow('--batch cannot be ""')
  })
})

describe('the size of a sweep', () => {
  it.each([
    [{ seeds: 4_000_000_000 }, 'the sweep has 4000000000 trials, more than 10000'],
    [{ batch: Array.from({ length: 101 }, (_, i) => i + 1), seeds: 100 }, 'has 10100 trials'],
  ])('is limited, and counted before any trial is made', (fields, message) => {
    expect(() => expand({ steps: 1, method: 'supervised', ...fields })).toThrow(message)
  })
})
