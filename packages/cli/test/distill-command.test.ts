// The way from a data set to a classifier file as a user goes it: train-teacher, embed, distill.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { parseSafetensors, Random } from '@embed-kd/core'
import { beforeAll, describe, expect, it } from 'vitest'

import { runCli, startCli } from './cli.js'
import {
  at,
  centroids,
  distill,
  images,
  makeInputs,
  run,
  samples,
  settings,
  teacher,
} from './distill-inputs.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

beforeAll(makeInputs, 180_000)

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
