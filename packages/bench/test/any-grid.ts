// Random values of each axis, as a configuration file or the command line may give them.
import { methodNames } from '@embed-kd/core'
import { students } from '@embed-kd/distill'
import { ANCHOR_CONTROLS, PRECISIONS, PRESETS, REMATERIALISATIONS } from '@embed-kd/records'
import type { GivenAxis } from '../src/axes/table.js'
import fc from 'fast-check'

const count = fc.integer({ min: 1, max: 1e6 })
const positive = fc.double({ min: 1e-6, max: 1, noNaN: true })
const path = fc.stringMatching(/^[\w '"$\\;:=-]{0,11}[\w'"$\\;:=-]$/)

const values = {
  backend: fc.oneof(
    fc.constant('ort:cpu'),
    path.map((name) => `./${name}.js`),
  ),
  method: fc.constantFrom(...methodNames),
  preset: fc.constantFrom(...PRESETS),
  teacher: fc.constantFrom('trained-s', 'trained-m', 'vit-tiny-16', 'vit-large-32'),
  student: fc.oneof(
    fc.constantFrom(...students.map(({ name }) => name)),
    fc.constant('vit:width=128,layers=4,heads=4,patch=4,image=32'),
  ),
  dataset: fc.oneof(
    fc.constant('mnist'),
    path.map((name) => `idx:${name}`),
  ),
  init: fc.oneof(
    fc.constant('none'),
    path.map((name) => `./${name}`),
  ),
  initSize: count,
  dataSize: count,
  skipCorrupt: fc.constant(true),
  maxMegapixels: count,
  trainImages: count,
  testImages: count,
  batch: count.map((batch) => 8 * batch),
  microBatch: fc.constantFrom(1, 2, 4, 8),
  rematerialise: fc.constantFrom('none', ...REMATERIALISATIONS),
  precision: fc.constantFrom(...PRECISIONS),
  augment: fc.constantFrom('none', 'flip', 'crop:4', 'flip+crop:2', 'flip,crop:2'),
  epochs: count,
  imagesSeen: count.map((images) => 8e6 + images),
  labels: fc.oneof(
    fc.integer({ min: 1, max: 100_000 }).map((thousandths) => `${thousandths / 1000}%`),
    fc.constant('none'),
  ),
  steps: count,
  seed: fc.nat(1e6),
  learningRate: positive,
  weightDecay: positive,
  kdWeight: positive,
  dropout: fc.double({ min: 0, max: 0.9, noNaN: true }).map((value) => value + 0),
  centroidImages: count,
  prototypes: count,
  anchors: fc.constantFrom('teacher', ...ANCHOR_CONTROLS),
  views: count,
  knn: count,
  store: fc.constantFrom('float32', 'float16', 'int8', 'pca64'),
} satisfies { readonly [Name in GivenAxis]: fc.Arbitrary<unknown> }

/** A grid of one trial, with any axes left out. */
export const anyGrid = fc
  .tuple(
    fc.record(values, { requiredKeys: [] }),
    fc.constantFrom('epochs' as const, 'imagesSeen' as const, 'steps' as const),
    count,
  )
  .map(([{ seed, epochs, imagesSeen, steps, ...grid }, length, fallback]) => ({
    ...grid,
    ...(seed === undefined ? {} : { firstSeed: seed }),
    [length]: { epochs, imagesSeen, steps }[length] ?? fallback,
  }))
