// What embed and distill answer to inputs that are damaged, hostile, or do not belong together.
import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { formatSafetensors, hostTensor, parseSafetensors } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { formatTable } from '@embed-kd/records/terminal'
import { runCli } from './cli.js'
import {
  at,
  centroids,
  directory,
  distill,
  images,
  makeInputs,
  run,
  samples,
  teacher,
  writeImages,
} from './distill-inputs.js'

beforeAll(makeInputs, 180_000)

/** The teacher's checkpoint with something about it changed. */
function spoilt(name: string, change: (path: string) => void): string {
  cpSync(teacher, at(name), { recursive: true })
  change(at(name))
  return at(name)
}

/** With --json, errors go to standard output. */
const withoutJson = (args: readonly string[]) => args.filter((word) => word !== '--json')

type Case = [what: string, args: () => string[] | Promise<string[]>, message: RegExp]

const withEmbeddings =
  (file: () => string, method = 'embed-kd') =>
  () =>
    distill('bad', '--method', method, '--embeddings', file())
const withTeacher = (path: () => string) => () => [
  'embed',
  '--dataset',
  `images:${images}`,
  '--out',
  at('bad.safetensors'),
  '--teacher',
  path(),
]

const cases: readonly Case[] = [
  [
    'a header longer than the file',
    withEmbeddings(() => {
      writeFileSync(at('header.safetensors'), Buffer.from('\x88\x13\0\0\0\0\0\0{"a":1}', 'latin1'))
      return at('header.safetensors')
    }),
    /it is truncated/,
  ],
  [
    'truncated embeddings',
    withEmbeddings(() => {
      cpSync(samples, at('cut.safetensors'))
      truncateSync(at('cut.safetensors'), statSync(samples).size - 100)
      return at('cut.safetensors')
    }, 'cached-kd'),
    /it is truncated/,
  ],
  [
    'centroids for cached-kd',
    withEmbeddings(() => centroids, 'cached-kd'),
    /has an embedding for each class, but one for each image is needed/,
  ],
  [
    'centroids that are not finite',
    withEmbeddings(() => {
      const nan = hostTensor('float32', [2, 4], [0, 0, 0, NaN, 0, 0, 0, 0])
      writeFileSync(at('nan.safetensors'), formatSafetensors(new Map([['c', nan]])))
      return at('nan.safetensors')
    }),
    /not a matrix of finite floats/,
  ],
  [
    'vectors of different widths',
    withEmbeddings(() => {
      const vectors = new Map([
        ['blue', hostTensor('float32', [4])],
        ['red', hostTensor('float32', [5])],
      ])
      writeFileSync(at('widths.safetensors'), formatSafetensors(vectors))
      return at('widths.safetensors')
    }),
    /the vector of red has 5 elements, that of blue 4/,
  ],
  [
    'shards of different widths',
    withEmbeddings(() => {
      const { tensors, metadata } = parseSafetensors(readFileSync(samples))
      for (const [shard, width] of [64, 32].entries()) {
        const narrow = new Map(tensors)
        narrow.set('embeddings', hostTensor('float32', [96, width]))
        const file = at(`sh-0000${shard + 1}-of-00002.safetensors`)
        writeFileSync(file, formatSafetensors(narrow, metadata))
      }
      return at('sh.safetensors')
    }, 'cached-kd'),
    /sh-00002-of-00002\.safetensors: embeddings is of shape \[96, 32\], but \[96, 64\] is needed/,
  ],
  [
    'embeddings of other images',
    async () => {
      await writeImages(at('other'), ['blue', 'red'], 9)
      return [
        ...distill('bad', '--method', 'cached-kd', '--embeddings', samples),
        '--dataset',
        `images:${at('other')}`,
      ]
    },
    /has embeddings of images:.*, not of images:.*other/,
  ],
  [
    'a pickled checkpoint',
    withTeacher(() =>
      spoilt('t1', (path) => {
        rmSync(join(path, 'model.safetensors'))
        writeFileSync(join(path, 'pytorch_model.bin'), 'PK')
      }),
    ),
    /pytorch_model\.bin, a Python pickle, and loading one can run any code it carries/,
  ],
  [
    'weights of another width',
    withTeacher(() =>
      spoilt('t3', (path) => {
        const config = readFileSync(join(path, 'config.json'), 'utf8')
        writeFileSync(
          join(path, 'config.json'),
          config.replace('"hidden_size": 64', '"hidden_size": 32'),
        )
      }),
    ),
    /but config\.json makes it/,
  ],
  [
    'a teacher that is not there',
    withTeacher(() => at('no', 'such', 'teacher')),
    /there is no file or directory .*no\/such\/teacher/,
  ],
  [
    'centroids of whole numbers',
    withEmbeddings(() => {
      const whole = hostTensor('int32', [2, 4])
      writeFileSync(at('whole.safetensors'), formatSafetensors(new Map([['c', whole]])))
      return at('whole.safetensors')
    }),
    /the tensor c is not a matrix of finite floats/,
  ],
  [
    'samples options for centroids',
    () => [...withTeacher(() => teacher)(), '--store', 'pca2'],
    /pca2 is a store for embeddings of single images, not for centroids; choose float16 or int8/,
  ],
  [
    'logit-kd from a teacher without a classifier',
    () =>
      distill(
        'bad',
        '--method',
        'logit-kd',
        '--teacher',
        spoilt('t4', (path) => {
          const { tensors } = parseSafetensors(readFileSync(join(path, 'model.safetensors')))
          for (const name of ['classifier.weight', 'classifier.bias']) tensors.delete(name)
          writeFileSync(join(path, 'model.safetensors'), formatSafetensors(tensors))
        }),
      ),
    /has no classifier; train one with embed-kd train-teacher/,
  ],
  [
    'an output that holds a run',
    async () => {
      await run(...distill('held', '--embeddings', centroids, '--epochs', '1'))
      return distill('held', '--embeddings', centroids)
    },
    /has a run in it already; give --resume/,
  ],
]

describe('bad inputs', () => {
  const answers: string[][] = []
  // The table that shows what each of them prints.
  afterAll(() => console.log(formatTable(['bad input', 'what is printed'], answers)))

  it.each(cases)('%s', async (what, args, message) => {
    const { code, stdout, stderr } = await runCli(...withoutJson(await args()))
    answers.push([what, stderr.trim().replaceAll(`${directory}/`, '')])
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^error: /m)
    expect(stderr).not.toMatch(/^\s+at /m)
    // 2 if the command line cannot be understood.
    const expected = stderr.includes('(embed-kd COMMAND --help') ? 2 : 1
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
  })
})
