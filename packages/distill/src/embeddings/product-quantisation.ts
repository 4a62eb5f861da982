// Product quantisation (Jégou, Douze & Schmid 2011): a row is cut into parts of equal width, and each part is stored as the number of
// the nearest of 256 centres of that part.
import { Random } from '@embed-kd/core'

import { randomStream } from '../images/shape.js'

/** Centres of each part: as many as a byte can name. */
const CENTRES = 256
const ROUNDS = 12
/** Rows that centres are fitted to at most: 32 a centre. */
const FITTED_ROWS = 8192

/** Shape of the codebooks of rows: [parts, centres, width of a part]. */
export const codebookShape = (width: number, parts: number) =>
  [parts, CENTRES, width / parts] as const

/** Finds the centres of each part of rows `[n, width]` by k-means. */
export function fitCodebooks(rows: Float32Array, width: number, parts: number): Float32Array {
  const each = width / parts
  const books = new Float32Array(CENTRES * width)
  const total = rows.length / width
  const count = Math.min(total, FITTED_ROWS)
  for (let part = 0; part < parts; part++) {
    const points = new Float32Array(count * each)
    for (let i = 0; i < count; i++) {
      const begin = Math.floor((i * total) / count) * width + part * each
      points.set(rows.subarray(begin, begin + each), i * each)
    }
    const book = books.subarray(part * CENTRES * each, (part + 1) * CENTRES * each)
    fitCentres(points, each, book, new Random(0, randomStream.components, part))
  }
  return books
}

/** Returns the codes `[n, parts]` of rows `[n, width]`. */
export function encodeProducts(
  rows: Float32Array,
  width: number,
  books: Float32Array,
  parts: number,
): Uint8Array {
  const each = width / parts
  const codes = new Uint8Array((rows.length / width) * parts)
  for (let at = 0; at < codes.length; at++)
    codes[at] = nearest(rows, at * each, each, books, (at % parts) * CENTRES * each, CENTRES)
  return codes
}

/** Returns the rows of codes `[n, parts]`. */
export function decodeProducts(
  codes: ArrayLike<number>,
  books: Float32Array,
  parts: number,
): Float32Array {
  const each = books.length / CENTRES / parts
  const rows = new Float32Array(codes.length * each)
  for (let at = 0; at < codes.length; at++) {
    const centre = ((at % parts) * CENTRES + codes[at]!) * each
    rows.set(books.subarray(centre, centre + each), at * each)
  }
  return rows
}

/** Runs Lloyd's algorithm from points drawn at random. A centre that no point is nearest to moves to a point drawn at random. */
function fitCentres(
  points: Float32Array,
  width: number,
  centres: Float32Array,
  random: Random,
): void {
  const count = points.length / width
  const order = random.shuffle(Int32Array.from({ length: count }, (_, i) => i))
  const place = (centre: number, point: number) =>
    centres.set(points.subarray(point * width, (point + 1) * width), centre * width)
  for (let centre = 0; centre < CENTRES; centre++) place(centre, order[centre % count]!)
  for (let round = 0; round < ROUNDS; round++) {
    const sums = new Float64Array(centres.length)
    const members = new Int32Array(CENTRES)
    for (let point = 0; point < count; point++) {
      const centre = nearest(points, point * width, width, centres, 0, CENTRES)
      members[centre]!++
      for (let k = 0; k < width; k++) sums[centre * width + k]! += points[point * width + k]!
    }
    for (let centre = 0; centre < CENTRES; centre++) {
      if (members[centre] === 0) place(centre, random.int(count))
      else
        for (let k = centre * width; k < (centre + 1) * width; k++)
          centres[k] = sums[k]! / members[centre]!
    }
  }
}

/** Returns which of some centres, that begin at `first`, is nearest to the vector at `begin`. */
function nearest(
  vectors: Float32Array,
  begin: number,
  width: number,
  centres: Float32Array,
  first: number,
  count: number,
): number {
  let [best, least] = [0, Infinity]
  for (let centre = 0; centre < count; centre++) {
    const at = first + centre * width
    let distance = 0
    for (let k = 0; k < width; k++) distance += (vectors[begin + k]! - centres[at + k]!) ** 2
    if (distance < least) [best, least] = [centre, distance]
  }
  return best
}
