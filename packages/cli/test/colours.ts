// A data set of squares in three colours, each a little different. The order of its folders is not that of the fixtures' scores.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

/** Writes train/CLASS/I.png and test/CLASS/I.png, 8 x 8 pixels, as many of each class as given. */
export async function writeColours(
  directory: string,
  counts: { readonly train: number; readonly test: number },
): Promise<void> {
  for (const [channel, name] of ['red', 'green', 'blue'].entries())
    for (const split of ['train', 'test'] as const) {
      mkdirSync(join(directory, split, name), { recursive: true })
      for (let i = 0; i < counts[split]; i++) {
        const value = (own: number) => (own === channel ? 200 : 20) + 3 * ((i * (own + 1)) % 16)
        const background = { r: value(0), g: value(1), b: value(2) }
        const image = sharp({ create: { width: 8, height: 8, channels: 3, background } })
        await image.png().toFile(join(directory, split, name, `${i}.png`))
      }
    }
}
