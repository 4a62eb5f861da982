// The pixels of some images of a split, wherever it has them: in memory, in a file, or still to be decoded.

import { DatasetError, type EncodedImages, type ImageShape, type Split } from './dataset.js'
import { decodeImage, type EncodedImage } from './decode.js'
import { listEncoded } from './encoded.js'
import { readStored } from './stored.js'

/**
 * Fills `into` with the images at these positions, `[n, channels, height, width]`.
 * @throws DatasetError at the first that cannot be decoded, where they are decoded as they are read.
 */
export async function readImages(
  { images, count }: Split,
  { channels, height, width }: ImageShape,
  positions: Int32Array,
  into: Uint8Array,
): Promise<void> {
  const imageBytes = channels * height * width
  if (!('format' in images)) return readStored(images, positions, imageBytes, into)
  const files = await filesOf(images, count)
  await Promise.all(
    Array.from(positions, async (position, i) => {
      const file = files[position]!
      const decoded = await decodeImage(file, images.imageSize)
      if (decoded.height !== height || decoded.width !== width)
        throw new DatasetError(
          file.name,
          `it is ${decoded.height}x${decoded.width}, but others are ${height}x${width}`,
          'give an image size to resize all images to',
        )
      into.set(decoded.pixels, i * imageBytes)
    }),
  )
}

/** A directory is listed once, by each thread that reads of it. */
const listed = new WeakMap<EncodedImages, Promise<readonly EncodedImage[]>>()

function filesOf(images: EncodedImages, count: number): Promise<readonly EncodedImage[]> {
  const { format, directory, which } = images
  const list = async () => {
    const { files } = (await listEncoded(format, directory, () => {}))[which]
    if (files.length === count) return files
    throw new DatasetError(
      directory,
      `it had ${count} images, and has ${files.length} now`,
      'do not change it while it is in use',
    )
  }
  const files = listed.get(images) ?? list()
  listed.set(images, files)
  return files
}
