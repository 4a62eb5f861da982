// What tests of embed-kd distill start from: images, a teacher, its embeddings, and the command that learns from them.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import sharp from 'sharp'

import { runCli, temporaryDirectory } from './cli.js'

export const directory = temporaryDirectory()
export const at = (...path: string[]) => join(directory, ...path)
export const images = at('images')
export const teacher = at('teacher', 'teacher')
export const centroids = at('centroids.safetensors')
export const samples = at('samples.safetensors')

/** Red and blue squares, each a little different. */
export async function writeImages(
  to: string,
  classes: readonly string[],
  each = 24,
): Promise<void> {
  for (const split of ['train', 'test'])
    for (const [label, name] of classes.entries()) {
      mkdirSync(join(to, split, name), { recursive: true })
      for (let i = 0; i < (split === 'train' ? each : 6); i++) {
        const background = { r: label === 0 ? 200 + i : i, g: 9 * i, b: label === 1 ? 200 + i : i }
        const image = sharp({ create: { width: 14, height: 14, channels: 3, background } })
        await image.png().toFile(join(to, split, name, `${i}.png`))
      }
    }
}

interface Result {
  readonly test: { readonly images: number; readonly accuracy: number }
  /** What the exported ONNX file does, in ONNX Runtime itself. */
  readonly onnx: { readonly images: number; readonly accuracy: number }
}

export const run = async (...args: string[]): Promise<Result> => {
  const result = await runCli(...args)
  if (result.code !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`)
  return JSON.parse(result.stdout) as Result
}

export const settings = '--student small --batch 8 --epochs 4 --learning-rate 2e-3 --json'.split(
  ' ',
)
export const distill = (out: string, ...args: string[]) =>
  ['distill', '--dataset', `images:${images}`, '--out', at(out)].concat(settings, args)

/** Makes the images, a teacher trained on them, and the two files of its embeddings. */
export async function makeInputs(): Promise<void> {
  process.env.XDG_CACHE_HOME = at('cache')
  await writeImages(images, ['blue', 'red'])
  const shape = ['--shape', 'trained-s', '--batch', '8', '--epochs', '3']
  const data = ['--dataset', `images:${images}`]
  await run('train-teacher', ...shape, ...data, '--out', at('teacher'), '--json')
  const embed = ['embed', '--teacher', teacher, '--dataset', `images:${images}`, '--json']
  await run(...embed, '--out', centroids)
  await run(...embed, '--out', samples, '--kind', 'samples', '--augment', 'flip', '--views', '2')
}
