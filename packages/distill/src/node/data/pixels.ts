// Reads the pixels of some images of a split, wherever the split has them: in memory, in a file, or still to be decoded.

import { DatasetError, type EncodedImages, type ImageShape, type Split } from './dataset.js'
import { decodeImage, type EncodedImage } from './decode.js'
import { locateEncoded } from './encoded.js'
import { readStored } from './stored.js'

/**
 * Fills `into` with the images at these positions, `[n, channels, height, width]`.
 * @throws DatasetError at the first image that cannot be decoded, if images are decoded as they are read.
 */
export async function readImages(
  { images, count }: Split,
  { channels, height, width }: ImageShape,
  positions: Int32Array,
  into: Uint8Array,
): Promise<void> {
  const imageBytes = channels * height * width
  if (!('format' in images)) return readStored(images, positions, imageBytes, into)
  const files = await listFiles(images, count)
  await Promise.all(
    Array.from(positions, async (position, i) => {
      const file = files[position]!
      const decoded = await decodeImage(file, images)
      if (decoded.height !== height || decoded.width !== width)
        throw new DatasetError(
          file.name,
          `it is ${decoded.height}x${decoded.width}, but others are ${height}x${width}`,
          'give a size to which all images are resized (--data-size)',
        )
      into.set(decoded.pixels, i * imageBytes)
    }),
  )
}

/** Each thread that reads from a directory lists it once. */
const listed = new WeakMap<EncodedImages, Promise<readonly EncodedImage[]>>()

function listFiles(images: EncodedImages, count: number): Promise<readonly EncodedImage[]> {
  const { format, directory, which, skipped } = images
  const list = async () => {
    const tell = () => {}
    const { files } = (await locateEncoded(format, directory, images, tell).list(tell))[which]
    const leftOut = new Set(skipped)
    if (files.length === count + leftOut.size)
      return leftOut.size === 0 ? files : files.filter((_, position) => !leftOut.has(position))
    throw new DatasetError(
      directory,
      `it had ${count + leftOut.size} images, and has ${files.length} now`,
      'do not change it while it is in use',
    )
  }
  const files = listed.get(images) ?? list()
  listed.set(images, files)
  return files
}
