// The places of a store's rows: the file and the row of an image in a view. Files of consecutive images need no table, so that
// the places of any number of rows take no memory.
import { UserError } from '@embed-kd/core'

/** Place of a row: the index of its file, and the row there. */
export interface Place {
  readonly file: number
  readonly row: number
}

export interface Places {
  /** Finds the row of an image in a view; undefined if there is none. */
  find(image: number, view: number): Place | undefined
  /** Returns up to `count` images that have a row in the first view, spread over all that have one. */
  spread(count: number): Int32Array
}

/** Consecutive images of a file, view after view. */
export interface ImageRange {
  readonly path: string
  /** Position of the first image in the training split. */
  readonly first: number
  /** Number of images. */
  readonly images: number
}

/** Returns the places of rows of consecutive images. @throws UserError if two files have the same image. */
export function placesInRanges(ranges: readonly ImageRange[]): Places {
  const order = ranges.map((_, file) => file).sort((a, b) => ranges[a]!.first - ranges[b]!.first)
  order.forEach((file, i) => {
    const before = ranges[order[i - 1] ?? -1]
    if (before && before.first + before.images > ranges[file]!.first)
      throw new UserError(
        `${before.path} and ${ranges[file]!.path} both have image ${ranges[file]!.first}`,
        'make all shards with the same number of shards',
      )
  })
  const find = (image: number, view: number): Place | undefined => {
    let [low, high] = [0, order.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[order[middle]!]!.first <= image) low = middle + 1
      else high = middle
    }
    const file = order[low - 1]
    if (file === undefined) return undefined
    const { first, images } = ranges[file]!
    return image < first + images ? { file, row: view * images + image - first } : undefined
  }
  const total = ranges.reduce((sum, { images }) => sum + images, 0)
  return {
    find,
    spread(count) {
      let [i, before] = [0, 0]
      return Int32Array.from({ length: Math.min(count, total) }, (_, k) => {
        const at = Math.floor((k * total) / Math.min(count, total))
        while (at >= before + ranges[order[i]!]!.images) before += ranges[order[i++]!]!.images
        return ranges[order[i]!]!.first + at - before
      })
    },
  }
}

/** Rows of any images and views, as the tensor `indices` of a file lists them. */
export interface ListedRows {
  readonly path: string
  /** Pairs of image and view. */
  readonly indices: Int32Array
}

/** Returns the places of listed rows, by a table of all of them. @throws UserError if a row is out of range. */
export function placesInTable(
  files: readonly ListedRows[],
  { images, views }: { readonly images: number; readonly views: number },
): Places {
  const home = new Int16Array(images * views).fill(-1)
  const place = new Int32Array(images * views)
  files.forEach(({ path, indices }, file) => {
    for (let row = 0; row < indices.length / 2; row++) {
      const [image, view] = [indices[2 * row]!, indices[2 * row + 1]!]
      if (!(image >= 0 && image < images && view >= 0 && view < views))
        throw new UserError(
          `${path}: row ${row} is of image ${image} and view ${view}, but there are ${images} images and ${views} views`,
          'make the file again with embed-kd embed',
        )
      home[view * images + image] = file
      place[view * images + image] = row
    }
  })
  return {
    find(image, view) {
      const at = view * images + image
      const file = image >= 0 && image < images ? (home[at] ?? -1) : -1
      return file < 0 ? undefined : { file, row: place[at]! }
    },
    spread(count) {
      const found = Int32Array.from({ length: images }, (_, i) => i).filter((i) => home[i]! >= 0)
      const length = Math.min(count, found.length)
      return Int32Array.from({ length }, (_, k) => found[Math.floor((k * found.length) / length)]!)
    },
  }
}
