// The images of the studio: a part of MNIST that comes with it, or a folder of the reader's own. Nothing leaves the page.
import type { Dataset, ImageSet } from './messages.js'

const TRAIN = 6000
const TEST = 1000
const SIDE = 28

/** Loads the MNIST images that make-data.js wrote. */
export async function loadMnist(): Promise<Dataset> {
  const response = await fetch('mnist.bin.gz')
  if (!response.ok || !response.body) throw new Error('the MNIST images could not be loaded')
  const bytes = new Uint8Array(await response.arrayBuffer())
  // Some servers inflate a .gz file on the way, others do not.
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b
  const data = packed
    ? new Uint8Array(
        await new Response(
          new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')),
        ).arrayBuffer(),
      )
    : bytes
  let at = 0
  const take = (count: number) => data.slice(at, (at += count))
  const part = (count: number): ImageSet => ({
    labels: Int32Array.from(take(count)),
    images: take(count * SIDE * SIDE),
  })
  return {
    name: 'MNIST (6,000 of 60,000 images)',
    channels: 1,
    size: SIDE,
    classNames: Array.from({ length: 10 }, (_, digit) => `${digit}`),
    train: part(TRAIN),
    test: part(TEST),
  }
}

const TRAINING = /^train(ing)?$/i
const TESTING = /^(test(ing)?|val(id(ation)?)?|dev|eval(uation)?)$/i
const IMAGE = /\.(jpe?g|png|webp|gif|bmp)$/i

interface Found {
  readonly file: File
  readonly split: 'train' | 'test'
  readonly className: string
}

/**
 * Reads a folder `train/<class>/…` and `test/<class>/…`, resized to squares of `size` pixels.
 * @throws if a split is missing, or the splits have different classes.
 */
export async function readFolder(files: readonly File[], size: number): Promise<Dataset> {
  const found = files.flatMap((file): Found[] => {
    const parts = file.webkitRelativePath.split('/')
    if (!IMAGE.test(file.name) || parts.some((part) => part.startsWith('.'))) return []
    const at = parts.findIndex((part) => TRAINING.test(part) || TESTING.test(part))
    const className = parts[at + 1]
    if (at < 0 || className === undefined || at + 2 !== parts.length - 1) return []
    return [{ file, split: TRAINING.test(parts[at]!) ? 'train' : 'test', className }]
  })
  const classesOf = (split: Found['split']) =>
    [...new Set(found.filter((each) => each.split === split).map((each) => each.className))].sort()
  const classNames = classesOf('train')
  if (classNames.length < 2)
    throw new Error(
      `the folder has ${classNames.length} classes in train/; it must hold train/<class>/ and test/<class>/ with images, of two classes or more`,
    )
  const unknown = classesOf('test').filter((name) => !classNames.includes(name))
  if (unknown.length > 0 || classesOf('test').length === 0)
    throw new Error(
      unknown.length > 0
        ? `test/ has classes that train/ lacks: ${unknown.join(', ')}`
        : 'the folder has no test images; add test/<class>/',
    )
  const read = async (split: Found['split']): Promise<ImageSet> => {
    const items = found.filter((each) => each.split === split)
    const images = new Uint8Array(items.length * 3 * size * size)
    for (const [i, { file }] of items.entries())
      images.set(await decode(file, size), i * 3 * size * size)
    return {
      images,
      labels: Int32Array.from(items, ({ className }) => classNames.indexOf(className)),
    }
  }
  const name = files[0]!.webkitRelativePath.split('/')[0]!
  const [train, test] = [await read('train'), await read('test')]
  return { name, channels: 3, size, classNames, train, test }
}

/** Decodes an image to planes of red, green and blue, `[3, size, size]`. @throws naming a file that is no image. */
export async function decode(file: Blob & { name?: string }, size: number): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file, {
    resizeWidth: size,
    resizeHeight: size,
    resizeQuality: 'high',
  }).catch(() => {
    throw new Error(`${file.name ?? 'the file'} is no image that this browser can decode`)
  })
  const canvas = new OffscreenCanvas(size, size)
  const context = canvas.getContext('2d')!
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  return planesOf(context.getImageData(0, 0, size, size))
}

/** Returns the planes of red, green and blue of interleaved pixels. */
export function planesOf({ data, width, height }: ImageData): Uint8Array {
  const area = width * height
  const planes = new Uint8Array(3 * area)
  for (let i = 0; i < area; i++)
    for (let channel = 0; channel < 3; channel++)
      planes[channel * area + i] = data[4 * i + channel]!
  return planes
}
