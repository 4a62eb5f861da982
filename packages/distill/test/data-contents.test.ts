// What is said of data that changed between two runs.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import sharp from 'sharp'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { keepContents, requireSameContents } from '../src/node/data/contents.js'
import { loadDataset } from '../src/node/data/registry.js'

let directory: string
const data = () => join(directory, 'data')
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'contents-'))
  for (const split of ['train', 'test'])
    for (const name of ['cat', 'dog']) {
      mkdirSync(join(data(), split, name), { recursive: true })
      for (let i = 0; i < 3; i++) await image(join(split, name, `${i}.png`), 10 * i)
    }
})
afterEach(() => rmSync(directory, { recursive: true }))

const image = async (path: string, red: number) =>
  writeFileSync(
    join(data(), path),
    await sharp({
      create: { width: 2, height: 2, channels: 3, background: { r: red, g: 0, b: 0 } },
    })
      .png()
      .toBuffer(),
  )

const open = () => loadDataset(`images:${data()}`, { cache: join(directory, 'cache') })

it.each([
  [
    'an image that was added',
    () => image('train/cat/1b.png', 200),
    /6 → 7 training images, the first that differs is .*train\/cat\/1b\.png$/,
  ],
  [
    'an image that was removed',
    () => rmSync(join(data(), 'train/cat/1.png')),
    /6 → 5 training images, the first that differs is .*train\/cat\/2\.png$/,
  ],
  [
    'an image that was replaced',
    () => image('test/dog/1.png', 200),
    /1 of 6 test images changed, the first that differs is .*test\/dog\/1\.png$/,
  ],
  [
    'a class that was added',
    () => cpSync(join(data(), 'train/cat'), join(data(), 'train/fox'), { recursive: true }),
    /it had 2 classes, and has 3 now/,
  ],
] as const)('%s', async (_, change, message) => {
  const file = join(directory, 'data.json')
  keepContents(file, await open())
  await expect(requireSameContents(file, await open())).resolves.toBeUndefined()
  await change()
  const error = await requireSameContents(file, await open()).catch((e: unknown) => e as Error)
  expect((error as Error).message.split('; ')[0]).toMatch(message)
})

it('images of another data set in memory', async () => {
  const file = join(directory, 'data.json')
  keepContents(file, await open())
  await expect(requireSameContents(file, await loadDataset('mnist'))).rejects.toThrow(
    /its images had 3x2x2 values, and have 1x28x28 now/,
  )
})
