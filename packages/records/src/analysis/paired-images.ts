// Two classifiers on the same test images, over several seeds: how far their difference in accuracy depends on which images
// were drawn, and McNemar's test of each seed. Input are bits, one an image; records are not known here.
import { mcnemar } from './significance.js'

/** Right-or-wrong results of both sides with one seed, 1 for a right answer; both have the same images. */
export interface PairedResults {
  readonly seed: number
  readonly first: Uint8Array
  readonly second: Uint8Array
}

/** Result of McNemar's test for one seed. */
export interface SeedTest {
  readonly seed: number
  /** Images that only the first side got right. */
  readonly gained: number
  /** Images that only the second side got right. */
  readonly lost: number
  /** Two-sided mid-p value. */
  readonly p: number
}

export function testSeeds(results: readonly PairedResults[]): SeedTest[] {
  return results.map(({ seed, first, second }) => {
    let gained = 0
    let lost = 0
    for (let image = 0; image < first.length; image++) {
      if (first[image]! > second[image]!) gained += 1
      else if (first[image]! < second[image]!) lost += 1
    }
    return { seed, gained, lost, p: mcnemar(gained, lost) }
  })
}

/**
 * Returns the standard error that the sample of test images alone gives to the mean difference over seeds.
 *
 * Images and seeds are crossed: every seed is tested on the same images. The variance of the image means over seeds holds
 * the images' own variance and a share of what remains after images and seeds. The spread of the seeds holds that
 * remainder already, so that it is subtracted here (two-way random effects; a bootstrap over images × seeds estimates
 * the same variance). With one seed nothing can be told apart and all of the variance is that of the images.
 */
export function imageError(results: readonly PairedResults[]): number {
  const seeds = results.length
  const images = results[0]?.first.length ?? 0
  if (images < 2) return 0
  if (seeds === 1) return singleSeedError(testSeeds(results)[0]!, images)
  const sums = new Int16Array(images)
  let squares = 0
  let seedSquares = 0
  for (const { first, second } of results) {
    let sum = 0
    for (let image = 0; image < images; image++) {
      const difference = first[image]! - second[image]!
      sums[image]! += difference
      sum += difference
      squares += difference * difference
    }
    seedSquares += sum * sum
  }
  let total = 0
  let imageSquares = 0
  for (const sum of sums) {
    total += sum
    imageSquares += sum * sum
  }
  const correction = (total * total) / (seeds * images)
  const betweenImages = imageSquares / seeds - correction
  const betweenSeeds = seedSquares / images - correction
  const remainder = squares - correction - betweenImages - betweenSeeds
  const meanSquare = betweenImages / (images - 1)
  const meanRemainder = remainder / ((images - 1) * (seeds - 1))
  return Math.sqrt(Math.max(0, meanSquare - meanRemainder) / (seeds * images))
}

/** Adds half an image to each kind of outcome (Agresti and Min 2005), so that few images are not taken for certainty. */
function singleSeedError({ gained, lost }: SeedTest, images: number): number {
  const n = images + 2
  const sum = gained + lost + 1
  return Math.sqrt(sum - (gained - lost) ** 2 / n) / n
}
