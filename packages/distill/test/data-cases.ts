// What the tests of data sets as people have them share. A case either opens with so many images and classes, and says aloud what it
// chose, or fails with an error that names the culprit.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import sharp from 'sharp'
import { expect, it } from 'vitest'

import { loadDataset, type DatasetOptions } from '../src/node/data/registry.js'
import { temporaryDirectory } from './temporary.js'

const cache = temporaryDirectory()

/** Twelve images of 4 x 4 pixels, each of another colour, as PNG and as JPEG. */
export const images: { readonly png: Buffer[]; readonly jpg: Buffer[] } = { png: [], jpg: [] }
for (let i = 0; i < 12; i++) {
  const background = { r: 20 * i, g: 255 - 20 * i, b: 9 }
  const image = sharp({ create: { width: 4, height: 4, channels: 3, background } })
  images.png.push(await image.png().toBuffer())
  images.jpg.push(await image.jpeg().toBuffer())
}

/** Writes files below the directory of a case. */
export type Write = (path: string, content: Uint8Array | string) => void

export interface Case {
  readonly name: string
  /** Makes the data; returns what follows the directory in the specification, if anything does. */
  make(write: Write, directory: string): string | void
  readonly options?: DatasetOptions
  /** Training images, test images and classes. */
  readonly opens?: readonly [train: number, test: number, classes: number]
  readonly classNames?: readonly string[]
  /** Patterns of lines that are told; without them nothing may be told. */
  readonly tells?: readonly RegExp[]
  readonly fails?: RegExp
}

export function check(format: string, cases: readonly Case[]): void {
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const directory = temporaryDirectory()
    const below = one.make((path, content) => {
      const file = join(directory, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
    }, directory)
    const told: string[] = []
    const opening = loadDataset(`${format}:${directory}${below ?? ''}`, {
      cache,
      warn: (line) => told.push(line),
      ...one.options,
    })
    if (one.fails) {
      await expect(opening).rejects.toThrow(one.fails)
      await expect(opening).rejects.toMatchObject({ name: 'DatasetError' })
      return
    }
    const { train, test, classes, classNames } = await opening
    expect([train.count, test.count, classes]).toEqual(one.opens)
    expect(new Set(train.labels)).toEqual(new Set(classes === 0 ? [-1] : train.labels))
    if (classes > 0) expect(new Set(train.labels).size).toBe(classes)
    if (one.classNames) expect(classNames).toEqual(one.classNames)
    expect(told).toEqual((one.tells ?? []).map((line) => expect.stringMatching(line)))
  })
}

/** Writes four images a class, or `each`. */
export function folders(
  write: Write,
  splits: readonly string[],
  { classes = ['cat', 'dog'], each = 4, extension = 'png' } = {},
): void {
  const kind = extension.toLowerCase().startsWith('j') ? images.jpg : images.png
  for (const split of splits)
    for (const [label, name] of classes.entries())
      for (let i = 0; i < each; i++)
        write(join(split, name, `${i}.${extension}`), kind[(label * each + i) % kind.length]!)
}

export const validationServes = /there is no test split; the validation split is used as one/
export const heldOut =
  /there is no test split; \d+ of the \d+ training images .* are held out as test images/
