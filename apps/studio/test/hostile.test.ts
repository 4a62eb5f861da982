// Files and folders that cannot be used: the studio names the problem and a remedy, and keeps its images and embeddings.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { formatSafetensors, hostTensor } from '@embed-kd/core'
import { centroidsOf, writeEmbeddings } from '@embed-kd/distill'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PreviewServer } from 'vite'

import { hasChromium, launch, serve, Studio } from './page.js'

const directory = join(import.meta.dirname, '../.tsbuild/hostile')

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Returns a file that begins with the length of its header, as eight bytes. */
function withHeader(length: bigint, rest: Uint8Array): Uint8Array {
  const file = new Uint8Array(8 + rest.length)
  new DataView(file.buffer).setBigUint64(0, length, true)
  file.set(rest, 8)
  return file
}

const labelsUpTo = (count: number) => Int32Array.from({ length: count }, (_, i) => i)

/** A file of centroids: one embedding of each class. */
const centroids = (classes: number, classNames?: string[]): Uint8Array => {
  const vectors = Float32Array.from({ length: classes * 4 }, (_, i) => Math.sin(i))
  return writeEmbeddings(
    centroidsOf(vectors, labelsUpTo(classes), classNames ? { classNames } : {}),
  )
}

/** A file of embeddings of single images. */
const samples = (count: number, labels?: Int32Array): Uint8Array =>
  writeEmbeddings({
    kind: 'samples',
    vectors: new Float32Array(4 * count).fill(1),
    width: 4,
    ...(labels ? { labels } : {}),
  })

const matrix = (name: string, data: Float32Array, width: number): Uint8Array =>
  formatSafetensors(new Map([[name, hostTensor('float32', [data.length / width, width], data)]]))

const whole = centroids(10)
const digits = Array.from({ length: 10 }, (_, i) => `${i}`)

/** Files of embeddings, with the error that the studio shows. */
const files: readonly (readonly [name: string, contents: Uint8Array, message: RegExp])[] = [
  ['empty', new Uint8Array(), /; give a whole safetensors file/],
  [
    'a text file',
    bytes('not a file of tensors, but a letter to you'),
    /; give a whole safetensors/,
  ],
  ['a web page', bytes('<!doctype html><title>404</title>'), /; give a whole safetensors/],
  ['a huge header', withHeader(2n ** 62n, bytes('{}')), /; give a whole safetensors/],
  ['a broken header', withHeader(8n, bytes('{"a": 1]')), /; give a whole safetensors/],
  ['cut short', whole.subarray(0, whole.length - 8), /; give a whole safetensors/],
  ['no matrix', formatSafetensors(new Map()), /; give one tensor \[classes, width\]/],
  [
    'a vector of other width',
    formatSafetensors(
      new Map(digits.map((name, i) => [name, hostTensor('float32', [i === 3 ? 5 : 4])])),
    ),
    /the vector of 3 has 5 elements/,
  ],
  ['not numbers', matrix('centroids', new Float32Array(40).fill(NaN), 4), /finite floats/],
  ['nine classes', centroids(9), /the file has 9 classes, but mnist has 10/],
  [
    'other classes',
    centroids(10, ['cat', ...digits.slice(1)]),
    /no centroid of the class "0"; its classes are cat, 1, 2, 3, 4, …/,
  ],
  [
    'samples of other images',
    samples(10),
    /embeddings of 10 images, but mnist has 6000 training images/,
  ],
  [
    'samples with other labels',
    samples(6000, new Int32Array(6000).fill(7)),
    /image 0 has label 7 in the file, but 5 in mnist/,
  ],
  [
    'another format',
    formatSafetensors(new Map([['centroids', hostTensor('float32', [10, 4])]]), {
      format: 'embed-kd 9',
    }),
    /has the format "embed-kd 9"/,
  ],
]

/** A PNG of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const images = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, PIXEL]))

/** Folders, as file by path, with the error that the studio shows. */
const folders: readonly (readonly [
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  message: RegExp,
])[] = [
  [
    'without images',
    { 'notes.txt': bytes('hello') },
    /none of the files in without-images \(1\) is an image; choose a folder of class folders/,
  ],
  [
    'images without classes',
    images('train/1.png', 'test/1.png'),
    /the images in images-without-classes \(2\) are not in folders of their classes; move/,
  ],
  [
    'one class',
    images('train/cat/1.png', 'test/cat/1.png'),
    /one-class has one class to learn, cat, but/,
  ],
  ['images alone', images('1.png', '2.png'), /in images-alone \(2\) are not in folders/],
  ['too few to test', images('cat/1.png', 'dog/1.png'), /no test images; add test\//],
  ['no test', images('train/cat/1.png', 'train/dog/1.png'), /no test images; add test\//],
  [
    'other test classes',
    images('train/cat/1.png', 'train/dog/1.png', 'test/cow/1.png'),
    /test\/ has classes that train\/ lacks: cow/,
  ],
  [
    'an image of text',
    { ...images('train/cat/1.png', 'test/cat/1.png'), 'train/dog/2.png': bytes('woof') },
    /train\/dog\/2\.png cannot be decoded by this browser/,
  ],
  [
    'an image cut short',
    { ...images('train/cat/1.png', 'test/cat/1.png'), 'train/dog/2.png': PIXEL.subarray(0, 30) },
    /train\/dog\/2\.png cannot be decoded/,
  ],
]

describe.skipIf(!hasChromium)('the studio says what is wrong', { timeout: 420_000 }, () => {
  let server: PreviewServer
  let browser: Browser
  let studio: Studio
  const table: string[] = []

  beforeAll(async () => {
    rmSync(directory, { recursive: true, force: true })
    server = await serve()
    browser = await launch()
    studio = await Studio.open(browser, server)
  })
  afterAll(async () => {
    console.log(`what the studio says:\n${table.join('\n')}`)
    await browser?.close()
    await server?.close()
  })

  const write = (path: string, contents: Uint8Array): string => {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, contents)
    return file
  }

  /** Gives the studio files, and expects an error. */
  async function refuses(name: string, input: string, path: string, message: RegExp) {
    await studio.page.setInputFiles(input, path)
    await studio.page.waitForSelector('#error:not([hidden])')
    const said = (await studio.page.textContent('#error'))!
    table.push(`${name}: ${said}`)
    expect(said).toMatch(message)
    // Cause and remedy.
    expect(said).toMatch(/.; ./)
    // The error goes away by itself once something is well.
    const other = `good-${table.length}.safetensors`
    await studio.page.setInputFiles('#embeddings', write(other, whole))
    await studio.page.waitForSelector('#error', { state: 'hidden' })
    await studio.says(/Ready/)
  }

  it.each(files)('of a file of embeddings: %s', async (name, contents, message) => {
    const path = write(`${name.replaceAll(' ', '-')}.safetensors`, contents)
    await refuses(`file, ${name}`, '#embeddings', path, message)
  })

  it.each(folders)('of a folder: %s', async (name, contents, message) => {
    const folder = name.replaceAll(' ', '-')
    for (const [path, file] of Object.entries(contents)) write(join(folder, path), file)
    await refuses(`folder, ${name}`, '#folder', join(directory, folder), message)
  })

  it.each([
    ['batch', '1'],
    ['batch', '6001'],
    ['epochs', '0'],
  ])('of the setting %s = %s, before anything is trained', async (id, value) => {
    await studio.page.evaluate(() => {
      document.querySelector('details')!.open = true
    })
    await studio.page.fill(`#${id}`, value)
    await studio.page.click('#start')
    expect(await studio.page.locator('#runs article').count()).toBe(0)
    expect(await studio.page.isEnabled('#start')).toBe(true)
    await studio.page.reload()
    await studio.says(/Ready/)
  })

  it('and offers only methods that the file is enough for', async () => {
    const offered = async (name: string, file: Uint8Array, chosen: string) => {
      await studio.page.setInputFiles('#embeddings', write(name, file))
      await studio.page.waitForFunction(
        (chosen) => document.querySelector<HTMLSelectElement>('#method')!.value === chosen,
        chosen,
      )
      return studio.page.locator('#method option').allTextContents()
    }
    const bySample = await offered('samples.safetensors', samples(6000), 'cached-kd')
    expect(bySample).toEqual(expect.arrayContaining(['Supervised', 'RKD', 'PHI-S', 'Cluster-KD']))
    expect(bySample).not.toContain('Embed-KD')
    expect(await offered('whole.safetensors', whole, 'embed-kd')).toEqual([
      'Supervised',
      'Embed-KD',
    ])
  })

  it('and takes a folder of class folders: every fifth image of a class is a test image', async () => {
    for (const className of ['cat', 'dog'])
      for (let i = 1; i <= 5; i++) write(`flat/${className}/${i}.png`, PIXEL)
    // The file does not suit MNIST. It is kept for the folder that follows.
    const two = write('two.safetensors', centroids(2, ['cat', 'dog']))
    await studio.page.setInputFiles('#embeddings', two)
    await studio.page.waitForSelector('#error:not([hidden])')
    await studio.page.setInputFiles('#folder', join(directory, 'flat'))
    await studio.page.waitForFunction(() =>
      /flat: 8 to learn from, 2 to test/.test(document.querySelector('#fact-images')!.textContent!),
    )
  })

  it('and throws nothing', () => {
    expect(studio.complaints).toEqual([])
  })
})
