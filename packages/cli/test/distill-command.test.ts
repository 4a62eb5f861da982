// The way from a data set to a classifier file as a user goes it, train-teacher, embed, distill, and what each command answers to
// inputs that are damaged, hostile, or do not belong together.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import { formatSafetensors, hostTensor, parseSafetensors, Random } from '@embed-kd/core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { formatTable } from '@embed-kd/records/terminal'
import { runCli, startCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const directory = temporaryDirectory()
const at = (...path: string[]) => join(directory, ...path)
const images = at('images')
const teacher = at('teacher', 'teacher')
const centroids = at('centroids.safetensors')
const samples = at('samples.safetensors')

/** Red and blue squares, each a little different. */
async function writeImages(to: string, classes: readonly string[], each = 24): Promise<void> {
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

const run = async (...args: string[]): Promise<Result> => {
  const result = await runCli(...args)
  if (result.code !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`)
  return JSON.parse(result.stdout) as Result
}

const settings = '--student small --batch 8 --epochs 4 --learning-rate 2e-3 --json'.split(' ')
const distill = (out: string, ...args: string[]) =>
  ['distill', '--dataset', `images:${images}`, '--out', at(out)].concat(settings, args)

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  await writeImages(images, ['blue', 'red'])
  const shape = ['--shape', 'trained-s', '--batch', '8', '--epochs', '3']
  const data = ['--dataset', `images:${images}`]
  await run('train-teacher', ...shape, ...data, '--out', at('teacher'), '--json')
  const embed = ['embed', '--teacher', teacher, '--dataset', `images:${images}`, '--json']
  await run(...embed, '--out', centroids)
  await run(...embed, '--out', samples, '--kind', 'samples', '--augment', 'flip', '--views', '2')
}, 180_000)
afterAll(() => rmSync(directory, { recursive: true }))

describe('embed-kd train-teacher, embed, distill', () => {
  it('make a classifier from a file of embeddings, with no teacher on the disk', async () => {
    const away = at('away')
    cpSync(at('teacher'), away, { recursive: true })
    rmSync(at('teacher'), { recursive: true })
    const { test, onnx } = await run(...distill('a', '--embeddings', centroids))
    cpSync(away, at('teacher'), { recursive: true })
    expect(test).toMatchObject({ images: 12, accuracy: 1 })
    expect(onnx).toEqual({ images: 12, accuracy: 1 })
    for (const file of [
      'summary.json',
      'best.safetensors',
      'student/model.safetensors',
      'student-onnx/onnx/model.onnx',
    ])
      expect(existsSync(at('a', file)), file).toBe(true)
    // Two classes, one vector of 64 floats each, and what the file says of itself.
    expect(statSync(centroids).size).toBeLessThan(2 * 64 * 4 + 2500)
  })

  it('learns from several teachers, and exports the student without their projections', async () => {
    const args = (weight: string) => [
      ...distill('two', '--method', 'cached-kd', '--embeddings', `${samples},${samples}@${weight}`),
      '--resume',
      '--epochs',
      '1',
    ]
    expect(await run(...args('0.5'))).toMatchObject({
      teachers: [
        { name: 'samples', weight: 1 },
        { name: 'samples-2', weight: 0.5 },
      ],
    })
    const ofTeachers = (...path: string[]) => {
      const { tensors } = parseSafetensors(readFileSync(at('two', ...path)))
      return [...tensors.keys()].filter((name) => name.includes('teachers.samples-2.teacher_proj'))
    }
    expect(ofTeachers('last.safetensors')).not.toEqual([])
    expect(ofTeachers('student', 'model.safetensors')).toEqual([])
    const { code, stdout } = await runCli(...args('0.7'))
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('--embeddings or --teacher differs'),
    ])
  })

  it.each([
    ['cached-kd', ['--embeddings', samples]],
    ['teacher-kd', ['--teacher', teacher]],
    ['logit-kd', ['--teacher', teacher]],
    ['supervised', ['--normalise-inside', '--ema', '0.5', '--augment', 'flip,crop:1']],
  ])('make one with %s', async (method, args) => {
    const { test, onnx } = await run(...distill(method, '--method', method, ...args))
    expect(test.accuracy).toBe(onnx.accuracy)
    expect(test.accuracy).toBeGreaterThan(0.8)
  })

  it('learn without labels from a folder without class folders', async () => {
    const flat = at('flat')
    mkdirSync(flat)
    for (const [i, name] of ['red', 'blue'].entries())
      cpSync(join(images, 'train', name), flat, {
        recursive: true,
        filter: (file) => !file.endsWith('.png') || Number(/(\d+)\.png$/.exec(file)![1]) % 2 === i,
      })
    const data = ['--dataset', `images:${flat}`]
    const file = at('flat.safetensors')
    await run('embed', '--teacher', teacher, ...data, '--kind', 'samples', '--out', file, '--json')
    const student = [
      'distill',
      ...data,
      ...settings,
      '--out',
      at('unlabelled'),
      '--embeddings',
      file,
    ]
    const summary = await run(...student, '--method', 'cosine-kd')
    expect(Object.keys(summary)).not.toEqual(expect.arrayContaining(['test', 'test_accuracy']))
    expect(summary.onnx).toEqual({ images: 24, embedding_difference: expect.any(Number) })
    const { tensors } = parseSafetensors(
      readFileSync(at('unlabelled', 'student', 'model.safetensors')),
    )
    expect([...tensors.keys()].join()).not.toMatch(/classifier|student_proj/)
    const config = JSON.parse(readFileSync(at('unlabelled', 'student', 'config.json'), 'utf8'))
    expect(config).not.toHaveProperty('id2label')
    for (const [args, message] of [
      [
        [...student, '--method', 'supervised'],
        `supervised needs class labels, but images:${flat} has none`,
      ],
      [
        [...student, '--labels', '50%', '--method', 'cosine-kd'],
        '--labels needs class labels, but',
      ],
      [
        distill('none', '--method', 'supervised', '--no-labels'),
        'supervised needs class labels, but --no-labels trains without them; leave out --no-labels, or',
      ],
      [
        distill(
          'none',
          '--method',
          'cached-kd',
          '--no-labels',
          '--patience',
          '2',
          '--embeddings',
          file,
        ),
        '--patience waits for a better accuracy, which training without labels does not have',
      ],
    ] as const) {
      const { code, stdout, stderr } = await runCli(...args)
      expect([code, stdout + stderr]).toEqual([1, expect.stringContaining(message)])
    }
  })

  it('train to the same bits where there is no room to keep images decoded', async () => {
    const supervised = ['--method', 'supervised', '--augment', 'flip,crop:1']
    await run(...distill('kept', ...supervised))
    await run(...distill('decoded-as-read', ...supervised, '--cache-limit', '1K'))
    const [kept, read] = ['kept', 'decoded-as-read'].map((out) =>
      parseSafetensors(readFileSync(at(out, 'last.safetensors'))),
    )
    expect(read!.tensors).toEqual(kept!.tensors)
  })

  it('take an exported student as an ONNX teacher', async () => {
    const file = at('a', 'student-onnx', 'onnx', 'model.onnx')
    const out = at('from-onnx.safetensors')
    const embed = ['embed', '--teacher', file, '--dataset', `images:${images}`, '--out', out]
    await run(...embed, '--json')
    expect(parseSafetensors(readFileSync(out)).tensors.get('centroids')!.shape).toEqual([2, 64])
  })
})

describe('embed-kd distill --resume', () => {
  it(
    'goes on from the step it was killed at, to the bits of an uninterrupted run',
    { timeout: 180_000 },
    async () => {
      const more = '--epochs 30 --ema 0.9 --checkpoint-every 1 --resume'.split(' ')
      const args = (out: string) => distill(out, '--embeddings', centroids, ...more)
      await run(...args('whole'))
      const last = at('killed', 'last.safetensors')
      const written = () => statSync(last, { throwIfNoEntry: false })?.mtimeMs
      const random = new Random(6)
      const where: string[] = []
      while (where.length < 3) {
        const before = written()
        const { child, result } = startCli(args('killed'))
        while (child.exitCode === null && written() === before) await sleep(5)
        await sleep(random.int(200))
        child.kill('SIGKILL')
        expect((await result).code).toBeNull()
        const { progress } = metadataOf(last)
        const { epochs, within } = JSON.parse(progress!) as {
          epochs: object[]
          within?: { steps: number }
        }
        where.push(`${epochs.length} epochs and ${within?.steps ?? 0} steps`)
      }
      console.log(`killed after ${where.join(', ')}`)
      await run(...args('killed'))
      for (const file of ['last.safetensors', 'best.safetensors', 'student/model.safetensors']) {
        const [whole, killed] = ['whole', 'killed'].map((out) =>
          parseSafetensors(readFileSync(at(out, file))),
        )
        expect(killed!.tensors).toEqual(whole!.tensors)
      }
    },
  )

  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  const metadataOf = (file: string) => parseSafetensors(readFileSync(file)).metadata
})

describe("the README's way", () => {
  it(
    'from a data set to a student that no teacher was near goes as it says',
    { timeout: 180_000 },
    async () => {
      const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
      const commands = [...readme.matchAll(/^npx embed-kd ((?:train-teacher|embed|distill) .*)$/gm)]
      const small = ['--batch', '8']
      const dataset = writeTinyDataset(at('tiny'))
      const printed: string[] = []
      for (const [, words] of commands) {
        const args = words!.replaceAll('runs/', at('runs/')).replace('mnist', dataset).split(' ')
        const { code, stdout, stderr } = await runCli(...args, ...small)
        if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
        printed.push(stdout)
        // What the next command needs is the file alone.
        if (args[0] === 'embed') rmSync(at('runs', 'teacher'), { recursive: true })
      }
      expect(printed).toHaveLength(3)
      const [kilobytes] = /[\d.]+(?= kB)/.exec(printed[1]!)!
      const { size } = statSync(at('runs', 'centroids.safetensors'))
      expect(Number(kilobytes)).toBeCloseTo(size / 1000, 1)
      expect(printed[2]).toMatch(/accuracy on 60 test images: [\d.]+ %/)
      expect(printed[2]).toMatch(/the exported model in ONNX Runtime: [\d.]+ % on 60 of them/)
    },
  )
})

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
    () => distill('a', '--embeddings', centroids),
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
