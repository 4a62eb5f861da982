// Corruptions of images: what each keeps and changes, that they grow with the severity, and that noise is repeatable.
import { Random } from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import {
  corruptImages,
  corruptionNames,
  severities,
  type CorruptionName,
  type Severity,
} from '../src/node/evaluation/corruptions.js'

const shape = { channels: 3, height: 16, width: 20 }
const random = new Random(1)
const area = shape.height * shape.width
/** A smooth image with an edge, far from black and white. */
const image = Uint8Array.from(
  { length: 3 * area },
  (_, i) => 80 + 3 * (i % shape.width) + (i % area < area / 2 ? 30 : 0) + random.int(5),
)

const corrupt = (corruption: CorruptionName, severity: Severity, index = 0, seed = 0) =>
  corruptImages(image, [index], shape, { corruption, severity }, seed)
const distance = (a: Uint8Array, b: Uint8Array) =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length)
const meanOf = (values: Uint8Array) => values.reduce((a, b) => a + b, 0) / values.length

describe.each(corruptionNames)('%s', (name) => {
  it('changes an image the more the higher its severity, and keeps its mean', async () => {
    const distances: number[] = []
    for (const severity of severities) {
      const made = await corrupt(name, severity)
      expect(made).toHaveLength(image.length)
      expect(Math.abs(meanOf(made) - meanOf(image))).toBeLessThan(2)
      distances.push(distance(made, image))
    }
    expect(distances[0]).toBeGreaterThan(0)
    expect(distances[4]).toBeGreaterThan(distances[0]!)
  })
})

it('noise has its standard deviation, and follows from seed and position', async () => {
  const made = await corrupt('noise', 1)
  expect(distance(made, image)).toBeCloseTo(255 * 0.04, 0)
  expect(await corrupt('noise', 1)).toEqual(made)
  expect(await corrupt('noise', 1, 1)).not.toEqual(made)
  expect(await corrupt('noise', 1, 0, 1)).not.toEqual(made)
})

it('contrast scales the distance to the mean, and blur leaves a plane as it is', async () => {
  const [original, faded] = [
    image.subarray(0, area),
    (await corrupt('contrast', 2)).subarray(0, area),
  ]
  const mean = meanOf(original)
  original.forEach((value, i) =>
    expect(Math.abs(faded[i]! - (mean + 0.5 * (value - mean)))).toBeLessThanOrEqual(0.5),
  )
  const plane = new Uint8Array(3 * area).fill(77)
  const choice = { corruption: 'blur', severity: 5 } as const
  expect(await corruptImages(plane, [0], shape, choice, 0)).toEqual(plane)
})

it('blurs a point into a Gaussian', async () => {
  const point = new Uint8Array(3 * area)
  const [y, x] = [8, 10]
  point[y * shape.width + x] = 255
  const made = await corruptImages(point, [0], shape, { corruption: 'blur', severity: 5 }, 0)
  const bell = (d: number) => Math.exp((-d * d) / 2)
  const total = Array.from({ length: 9 }, (_, i) => bell(i - 4)).reduce((a, b) => a + b)
  for (const [dy, dx] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [2, 1],
    [3, 0],
  ] as const)
    expect(made[(y + dy) * shape.width + x + dx]).toBe(
      Math.round((255 * bell(dy) * bell(dx)) / total ** 2),
    )
})

it('takes the strengths of large images beyond 64 pixels, and grey images', async () => {
  const large = { channels: 1, height: 72, width: 65 }
  const grey = Uint8Array.from({ length: 72 * 65 }, (_, i) => 100 + (i % 65))
  const made = await corruptImages(grey, [0], large, { corruption: 'noise', severity: 1 }, 0)
  expect(distance(made, grey)).toBeCloseTo(255 * 0.08, 0)
  const jpeg = await corruptImages(grey, [0], large, { corruption: 'jpeg', severity: 5 }, 0)
  expect(distance(jpeg, grey)).toBeLessThan(10)
})
