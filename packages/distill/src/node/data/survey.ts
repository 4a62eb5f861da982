// Facts about all encoded images of a data set: digest, statistics, checksums, one size for all, and oddities to report.
// The facts do not depend on whether decoded images are kept.

import { createHash } from 'node:crypto'

import { DatasetError, type ChannelStatistics, type Tell } from './dataset.js'
import { decodedChannels, oddities, type Decoded, type Oddity } from './decode.js'
import type { EncodedSplits } from './listing.js'
import { PixelStatistics } from './statistics.js'

/** Changes whenever the same bytes are decoded to other pixels than before. */
export const DECODING = 4

/** Training images whose statistics stand for those of all, evenly spaced. */
const STATISTICS_IMAGES = 4096

export class Survey {
  readonly checksums: Readonly<Record<'train' | 'test', number[]>> = { train: [], test: [] }
  readonly labels: Readonly<Record<'train' | 'test', number[]>> = { train: [], test: [] }
  readonly #hash = createHash('sha256')
  readonly #spacing: number
  readonly #oddities = new Map<Oddity, number>()
  #first: { readonly name: string; readonly image: Decoded } | undefined
  #statistics: PixelStatistics | undefined
  #decoded = 0

  constructor({ classes, train }: EncodedSplits, imageSize: number | undefined) {
    this.#hash.update(JSON.stringify([DECODING, imageSize ?? null, classes]))
    this.#spacing = Math.max(train.files.length / STATISTICS_IMAGES, 1)
  }

  /** Whether the pixels of a training image count for the statistics. */
  samples = (position: number): boolean => Math.floor(position % this.#spacing) === 0

  /** Adds an image that need not be decoded. Training images come first, each split in its order. */
  addImage(which: 'train' | 'test', label: number, digest: Buffer): void {
    this.#hash.update(`${which} ${label} `).update(digest)
    this.checksums[which].push(digest.readUInt32LE())
    this.labels[which].push(label)
  }

  /** Adds an image's pixels. @throws DatasetError if it is of another size than those before. */
  addPixels(which: 'train' | 'test', position: number, name: string, image: Decoded): void {
    const first = (this.#first ??= { name, image })
    if (image.height !== first.image.height || image.width !== first.image.width)
      throw new DatasetError(
        name,
        `it is ${image.height}x${image.width}, but ${first.name} is ${first.image.height}x${first.image.width}`,
        'give a size to which all images are resized (--data-size)',
      )
    this.#decoded++
    for (const oddity of image.oddities)
      this.#oddities.set(oddity, (this.#oddities.get(oddity) ?? 0) + 1)
    if (which === 'test' || !this.samples(position)) return
    this.#statistics ??= new PixelStatistics({ channels: decodedChannels, ...image })
    this.#statistics.add(image.pixels)
  }

  /** @param total number of images, of which not all may have been decoded */
  finish(tell: Tell): {
    readonly digest: string
    readonly statistics: ChannelStatistics
    readonly height: number
    readonly width: number
  } {
    const total = this.labels.train.length + this.labels.test.length
    const part = this.#decoded < total ? ` (of the ${this.#decoded} looked at)` : ''
    for (const [oddity, count] of this.#oddities) tell(`${oddities[oddity](count)}${part}`)
    const { height, width } = this.#first!.image
    return {
      digest: this.#hash.digest('hex'),
      statistics: this.#statistics!.finish(),
      height,
      width,
    }
  }
}
