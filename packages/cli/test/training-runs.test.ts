// Runs of distill and train-teacher as a user meets them: small data, Ctrl-C, going on, lengthening, two at a time, directories that
// cannot be written, and teachers found in the directory of their run.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseSafetensors, Random } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { runCli, startCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const directory = temporaryDirectory()
const at = (...path: string[]) => join(directory, ...path)
let dataset: string
beforeAll(() => {
  dataset = writeTinyDataset(at('tiny'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const student = 'vit:width=16,layers=1,heads=2,patch=4,image=8'
const distill = (out: string, ...rest: string[]) =>
  ['distill', '--method', 'supervised', '--student', student].concat(
    ['--dataset', dataset, '--out', at(out)],
    rest,
  )
const words = (text: string) => text.split(' ')

describe('a run of distill', { timeout: 120_000 }, () => {
  it('says what goes in, and how good the result is beside guessing', async () => {
    const { code, stdout, stderr } = await runCli(...distill('start', ...words('--epochs 2')))
    expect(code).toBe(0)
    expect(stderr).toMatch(/108 images to train on, 12 held out, 60 to test, 3 classes/)
    expect(stderr).toMatch(/student vit:.* \([\d,]+ parameters\), method supervised, .*ort:cpu/)
    expect(stdout).toMatch(/accuracy on 60 test images: .* chance 33\.3 %\)/)
    expect(stdout).toContain(`tensorboard --logdir ${at('start', 'tensorboard')}`)
    expect(stdout).toContain(at('start', 'student-onnx', 'onnx', 'model.onnx'))
  })

  it('goes on after Ctrl-C from the step it stopped at, and says so', async () => {
    const options = words('--epochs 400 --schedule constant --learning-rate 1e-3')
    const { child, result } = startCli(distill('stopped', ...options))
    await new Promise<void>((resolve) =>
      child.stderr!.on('data', (text) => {
        if (`${text}`.includes('epoch 2/')) resolve()
      }),
    )
    child.kill('SIGINT')
    const { code, stderr } = await result
    expect(code).toBe(130)
    expect(stderr).toMatch(/interrupted after \d+ epochs.*last\.safetensors has the state/)
    expect(stderr).toContain('--resume')
    const { metadata } = parseSafetensors(readFileSync(at('stopped', 'last.safetensors')))
    const { epochs } = JSON.parse(metadata['progress']!) as { epochs: object[] }
    expect(epochs.length).toBeGreaterThanOrEqual(2)
  })

  it('can be lengthened, with one curve in TensorBoard', async () => {
    const options = words('--learning-rate 1e-3 --batch 32')
    await runCli(...distill('long', ...options, ...words('--epochs 2')))
    const again = [...options, ...words('--epochs 4 --resume --json')]
    const { code, stdout, stderr } = await runCli(...distill('long', ...again))
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /going on after epoch 2 of 4; the run was planned for 2 epochs, so the cosine/,
    )
    expect(JSON.parse(stdout).epochs).toHaveLength(4)
    const files = readdirSync(at('long', 'tensorboard')).map((file) =>
      readFileSync(at('long', 'tensorboard', file)),
    )
    expect(files).toHaveLength(2)
    // SessionLog { status: START }, after step 6.
    const start = Buffer.from([0x10, 6, 0x3a, 2, 8, 1])
    expect(files.filter((bytes) => bytes.includes(start))).toHaveLength(1)
    for (const bytes of files) expect(bytes.includes('learning rate')).toBe(true)
  })

  it('names the options that differ, as options', async () => {
    const { stderr, code } = await runCli(
      ...distill('long', ...words('--learning-rate 2e-3 --batch 16 --epochs 4 --resume')),
    )
    expect(code).toBe(1)
    expect(stderr).toContain('--batch was 32, is 16')
    expect(stderr).toContain('--learning-rate was 0.001, is 0.002')
  })

  it('is refused while another one writes there', async () => {
    const { child, result } = startCli(distill('busy', ...words('--epochs 2000')))
    await new Promise<void>((resolve) =>
      child.stderr!.on('data', (text) => {
        if (`${text}`.includes('epoch 1/')) resolve()
      }),
    )
    const { code, stderr } = await runCli(...distill('busy', '--resume'))
    child.kill('SIGKILL')
    await result
    expect(code).toBe(1)
    expect(stderr).toMatch(/training run.*; wait for it to end, or give another --out/)
  })

  it.each<[string, string[], RegExp]>([
    ['a learning rate of zero', ['--learning-rate', '0'], /--learning-rate.*greater than 0/],
    [
      'a student that lacks a size',
      ['--student', 'vit:width=8'],
      /lacks layers, heads, patch, image/,
    ],
    ['a method that is none', ['--method', 'embed'], /there is no method "embed"/],
    [
      'a module that is not there',
      ['--method', '/dev/null.js'],
      /there is no file .*null\.js; give/,
    ],
  ])('refuses %s', async (_, options, message) => {
    const { code, stderr } = await runCli(...distill('refused', ...options))
    expect(stderr).toMatch(message)
    expect([1, 2]).toContain(code)
  })

  it('refuses an --out that is a file', async () => {
    writeFileSync(at('file'), '')
    const { code, stderr } = await runCli(...distill('file'))
    expect(stderr).toMatch(/error: .*file is not a directory; give another --out/)
    expect(code).toBe(1)
  })

  it('takes data with few images of a class as it is', async () => {
    const images = at('few')
    const random = new Random(1)
    for (const split of ['train', 'test'])
      for (const name of ['a', 'b']) {
        mkdirSync(join(images, split, name), { recursive: true })
        for (let i = 0; i < 2; i++) await writeImage(join(images, split, name, `${i}.png`), random)
      }
    const few = ['--dataset', `images:${images}`, ...words('--epochs 1')]
    const { code, stderr } = await runCli(...distill('few-out', ...few))
    expect(stderr).toMatch(/2 images to train on, 2 held out, 4 to test, 2 classes/)
    expect(stderr).toContain('a batch is all 2 images there are to train on, instead of 64')
    expect(code).toBe(0)
  })
})

async function writeImage(file: string, random: Random): Promise<void> {
  const { default: sharp } = await import('sharp')
  const background = { r: random.int(256), g: random.int(256), b: random.int(256) }
  await sharp({ create: { width: 8, height: 8, channels: 3, background } })
    .png()
    .toFile(file)
}

describe('a run of train-teacher', { timeout: 120_000 }, () => {
  it('is a teacher by its directory, whose accuracy distill knows', async () => {
    const data = ['--dataset', dataset]
    const shape = words('--shape trained-s --patch 4 --width 16 --layers 1 --epochs 2')
    const made = await runCli('train-teacher', ...data, ...shape, '--out', at('teacher'))
    expect(made.code).toBe(0)
    expect(made.stdout).toContain(`next: embed-kd embed --teacher ${at('teacher')}`)
    const summary = JSON.parse(readFileSync(at('teacher', 'summary.json'), 'utf8')) as {
      test: { accuracy: number }
      epochs: object[]
    }
    expect(summary.epochs).toHaveLength(2)
    const method = ['--method', 'teacher-kd', '--teacher', at('teacher')]
    const { code, stdout } = await runCli(
      ...distill('taught', ...method, ...words('--epochs 1 --json')),
    )
    expect(code).toBe(0)
    const result = JSON.parse(stdout) as { teacher_accuracy: number; method: string }
    expect(result).toMatchObject({
      method: 'teacher-kd',
      teacher_accuracy: summary.test.accuracy,
    })

    const file = at('centroids.safetensors')
    const embedded = await runCli('embed', '--teacher', at('teacher'), ...data, '--out', file)
    expect(embedded.stdout).toContain('centroids of 3 classes from 120 training images')
    expect(embedded.stdout).toContain(
      `next: embed-kd distill --embeddings ${file} ${data.join(' ')}`,
    )
    const fromFile = ['--method', 'embed-kd', '--embeddings', file, ...words('--epochs 1 --json')]
    const { stdout: printed } = await runCli(...distill('from-file', ...fromFile))
    expect(JSON.parse(printed)).toMatchObject({ teacher_accuracy: summary.test.accuracy })

    const start = ['--init', at('teacher'), ...words('--init-size 12 --epochs 1 --json')]
    const pretrained = await runCli(...distill('pretrained', ...start))
    expect(pretrained.stderr).toMatch(
      /loaded \d+ of \d+ parameters from .*teacher at 12 pixels; drawn anew: classifier\.weight, classifier\.bias/,
    )
    expect(pretrained.code).toBe(0)
    const { onnx, test } = JSON.parse(pretrained.stdout) as Record<string, { accuracy: number }>
    expect(onnx!.accuracy).toBe(test!.accuracy)
  })
})
