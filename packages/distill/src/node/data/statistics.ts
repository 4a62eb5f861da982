// Mean and standard deviation of each channel, accumulated image by image: only a histogram per channel is held.

import type { ChannelStatistics, ImageShape } from './dataset.js'

/** Accumulates the statistics of images of one shape. */
export class PixelStatistics {
  readonly #area: number
  readonly #histograms: readonly Float64Array[]

  constructor({ channels, height, width }: ImageShape) {
    this.#area = height * width
    this.#histograms = Array.from({ length: channels }, () => new Float64Array(256))
  }

  /** @param images `[n, channels, height, width]` */
  add(images: Uint8Array): void {
    for (let plane = 0; plane * this.#area < images.length; plane++) {
      const histogram = this.#histograms[plane % this.#histograms.length]!
      const begin = plane * this.#area
      for (let i = begin; i < begin + this.#area; i++) histogram[images[i]!]!++
    }
  }

  finish(): ChannelStatistics {
    const mean: number[] = []
    const std: number[] = []
    for (const histogram of this.#histograms) {
      let count = 0
      let sum = 0
      let squares = 0
      histogram.forEach((pixels, value) => {
        count += pixels
        sum += pixels * value
        squares += pixels * value * value
      })
      mean.push(sum / count / 255)
      const variance = squares / count - (sum / count) ** 2
      std.push(variance > 0 ? Math.sqrt(variance) / 255 : 1)
    }
    return { mean, std }
  }
}
