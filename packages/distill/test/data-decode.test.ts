// Pixels of single images, against what Pillow gives for the same files, and the limits on decoding.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'

import { decodeImage, type Decoded } from '../src/node/data/decode.js'
import { Gate } from '../src/node/data/gate.js'
import { ask } from '../src/node/data/parquet-reader.js'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures/images', name))
const decode = (bytes: Uint8Array, options = {}): Promise<Decoded> =>
  decodeImage({ name: 'image', label: 0, read: () => Promise.resolve(bytes) }, options)

const at = ({ pixels, height, width }: Decoded, y: number, x: number): number[] =>
  [0, 1, 2].map((channel) => pixels[(channel * height + y) * width + x]!)

describe('a decoded image', () => {
  it.each([
    [
      'cmyk.jpg',
      [
        [122, 82, 28],
        [185, 155, 122],
        [94, 50, 14],
      ],
      [],
    ],
    [
      'cmyk.tif',
      [
        [122, 83, 28],
        [184, 155, 121],
        [94, 50, 13],
      ],
      [],
    ],
    [
      'exif6.jpg',
      [
        [91, 51, 16],
        [123, 82, 26],
        [159, 124, 86],
      ],
      ['turned'],
    ],
    [
      'icc-srgb.png',
      [
        [122, 83, 28],
        [184, 155, 121],
        [94, 50, 13],
      ],
      [],
    ],
    [
      'rgb16.png',
      [
        [122, 83, 28],
        [184, 155, 121],
        [94, 50, 13],
      ],
      [],
    ],
  ] as const)('%s has the pixels that Pillow gives', async (name, corners, oddities) => {
    const image = await decode(fixture(name))
    const found = [at(image, 0, 0), at(image, 0, 31), at(image, 31, 0)]
    found.flat().forEach((value, i) => {
      expect(Math.abs(value - corners.flat()[i]!), `${found}`).toBeLessThanOrEqual(1)
    })
    expect(image.oddities).toEqual(oddities)
  })

  it('is scaled if its pixels are floats from 0 to 1', async () => {
    const image = await decode(fixture('float01.tif'))
    expect([0, 1, 2, 3].map((x) => at(image, 0, x)[0])).toEqual([88, 84, 80, 85])
    expect(image.oddities).toEqual(['unitFloat'])
  })

  it('is told of if it uses at most 14 of 16 bits', async () => {
    expect((await decode(fixture('gray16-dark-12bit.png'))).oddities).toEqual(['dark'])
    const pgm = (sample: string) => decode(Buffer.from(`P5 1 1 65535\n${sample}`, 'latin1'))
    expect((await pgm('\x3e\xff')).oddities).toEqual(['dark'])
    expect((await pgm('\x42\x00')).oddities).toEqual([])
  })

  it('keeps the colours of transparent pixels in a GIF', async () => {
    // One red pixel, transparent, with a palette of green and red.
    const file = Buffer.from(
      '474946383961010001008000000' +
        '0ff00ff000021f9040100000100' +
        '2c00000000010001000002024c01003b',
      'hex',
    )
    expect(at(await decode(file), 0, 0)).toEqual([255, 0, 0])
  })

  it('ignores an embedded colour profile', async () => {
    const file = await sharp({
      create: { width: 2, height: 2, channels: 3, background: { r: 200, g: 30, b: 90 } },
    })
      .png()
      .withIccProfile('p3')
      .toBuffer()
    const raw = await sharp(file, { ignoreIcc: true }).raw().toBuffer()
    const converted = await sharp(file).toColourspace('srgb').raw().toBuffer()
    expect(at(await decode(file), 0, 0)).toEqual([...raw.subarray(0, 3)])
    expect([...raw.subarray(0, 3)]).not.toEqual([...converted.subarray(0, 3)])
  })

  it('has at most as many pixels as the limit says', async () => {
    const file = await sharp({
      create: { width: 1100, height: 1000, channels: 3, background: 'red' },
    })
      .png()
      .toBuffer()
    await expect(decode(file, { maxMegapixels: 1 })).rejects.toThrow(
      'its 1100x1000 pixels are more than 1 megapixels); make it smaller, or raise the limit (--max-megapixels)',
    )
    expect((await decode(file, { maxMegapixels: 2, imageSize: 4 })).width).toBe(4)
  })

  it('is what BMP and PNM files of every depth say', async () => {
    const pbm = await decode(Buffer.from('P4\n9 1\n\x80\x80', 'latin1'))
    expect([0, 1, 8].map((x) => at(pbm, 0, x)[0])).toEqual([0, 255, 0])
    const pgm = await decode(Buffer.from('P5 2 1 65535\n\xff\xff\x80\x00', 'latin1'))
    expect([at(pgm, 0, 0)[0], at(pgm, 0, 1)[0]]).toEqual([255, 128])
    const ppm = await decode(Buffer.from('P3 1 2 255 1 2 3 # last\n 4 5 6'))
    expect([at(ppm, 0, 0), at(ppm, 1, 0)]).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
    // One bit a pixel, with a palette of blue and red, bottom row first.
    const bmp = Buffer.alloc(54 + 8 + 8)
    bmp.write('BM')
    for (const [place, value] of [
      [10, 62],
      [14, 40],
      [18, 2],
      [22, 2],
      [26, 1 | (1 << 16)],
    ] as const)
      bmp.writeUInt32LE(value, place)
    bmp.set([255, 0, 0, 0, 0, 0, 255, 0], 54)
    bmp.set([0b01000000, 0, 0, 0, 0b10000000], 62)
    const image = await decode(bmp)
    expect([at(image, 0, 0), at(image, 0, 1), at(image, 1, 0), at(image, 1, 1)]).toEqual([
      [255, 0, 0],
      [0, 0, 255],
      [0, 0, 255],
      [255, 0, 0],
    ])
  })

  it('never hangs or crashes on damaged bitmaps', async () => {
    const files = [
      Buffer.from('P6 3 2 255\n123456789012345678', 'latin1'),
      Buffer.from('P1 3 2 010 101'),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 4 }),
        fc.nat(40),
        async (file, changes, length) => {
          const damaged = Buffer.from(file.subarray(0, length))
          for (const [place, value] of changes) if (place < damaged.length) damaged[place] = value
          const result = await decode(damaged).catch((error: unknown) => error)
          if (result instanceof Error) expect(result.name).toBe('DatasetError')
        },
      ),
      { numRuns: 300 },
    )
  })
})

it('a gate lets no more through than its limit, in the order of arrival', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 15 })), async (weights) => {
      const gate = new Gate(10)
      const started: number[] = []
      let running = 0
      await Promise.all(
        weights.map((weight, i) =>
          gate.run(weight, async () => {
            started.push(i)
            running += weight
            expect(running).toBeLessThanOrEqual(Math.max(10, weight))
            await new Promise((resume) => setImmediate(resume))
            running -= weight
          }),
        ),
      )
      expect(started).toEqual(weights.map((_, i) => i))
    }),
  )
})

it('a parquet file whose reading does not end is given up, and the next one is read', async () => {
  const file = join(import.meta.dirname, 'fixtures/images/cmyk.jpg')
  await expect(ask('facts', file, '', 0, 0, 0)).rejects.toThrow(
    'it is damaged: reading it has not ended after 0 s; download the file again',
  )
  await expect(ask('facts', file)).rejects.toThrow('it cannot be read (')
})
