// `embed-kd evaluate` as a user meets it: an ONNX model with scores, its own embeddings as anchors, teacher and file, corruptions,
// and what it refuses.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseRecords } from '@embed-kd/records'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { runCli, temporaryDirectory } from './cli.js'
import { writeColours } from './colours.js'

const fixtures = fileURLToPath(new URL('../../distill/test/fixtures/onnx', import.meta.url))
const directory = temporaryDirectory()
const at = (...path: string[]) => join(directory, ...path)
const model = at('encoder', 'scores.onnx')
const data = ['--dataset', `images:${at('colours')}`]

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  mkdirSync(at('encoder'))
  for (const name of ['scores.onnx', 'preprocessor_config.json'])
    copyFileSync(join(fixtures, name), at('encoder', name))
  const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
  writeFileSync(at('encoder', 'config.json'), JSON.stringify({ id2label }))
  await writeColours(at('colours'), { train: 12, test: 4 })
})
afterAll(() => {
  delete process.env.XDG_CACHE_HOME
})

describe('embed-kd evaluate', { timeout: 120_000 }, () => {
  it('judges a model by all measures, and writes the result', async () => {
    const [centroids, out] = [at('centroids.safetensors'), at('evaluation.json')]
    await runCli('embed', '--teacher', model, ...data, '--out', centroids)
    const more = ['--anchors', centroids, '--teacher', model, '--out', out]
    const corrupt = ['--corruptions', 'all', '--severities', '1,5']
    const { code, stdout, stderr } = await runCli(
      'evaluate',
      '--model',
      model,
      ...data,
      ...more,
      ...corrupt,
    )
    expect(stderr).not.toMatch(/error/)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /embeddings of width \d+; 12 test images by 36 training images of images:/,
    )
    expect(stdout).toMatch(/k-NN accuracy, k = 20 +[\d.]+ %/)
    expect(stdout).toMatch(/linear probe accuracy +[\d.]+ % +C = /)
    expect(stdout).toMatch(/accuracy of its classifier +[\d.]+ %/)
    expect(stdout).toMatch(/zero-shot accuracy +[\d.]+ %/)
    expect(stdout).toMatch(/linear CKA with the teacher +1\.0000/)
    expect(stdout).toMatch(/cosine with the teacher +1\.0000/)
    for (const name of ['noise', 'blur', 'contrast', 'jpeg'])
      expect(stdout).toMatch(new RegExp(`^${name} +5 +`, 'm'))
    const result = JSON.parse(readFileSync(out, 'utf8')) as {
      knn: { k: number; accuracy: number }[]
      retrieval: { recall: { recall: number }[]; mean_average_precision: number }
      robustness: { corruption: string; severity: number; knn: object[] }[]
    }
    // Three colours that hardly differ within a class.
    expect(result.knn.map(({ k }) => k)).toEqual([1, 5, 20])
    expect(result.knn[0]!.accuracy).toBe(1)
    expect(result.retrieval.recall[0]!.recall).toBe(1)
    expect(result.retrieval.mean_average_precision).toBeGreaterThan(0.9)
    expect(result.robustness).toHaveLength(8)
    expect(result.robustness[0]).toMatchObject({ corruption: 'noise', severity: 1 })
  })

  it('judges a file of embeddings by a part of its images', async () => {
    const file = at('samples.safetensors')
    await runCli('embed', '--teacher', model, ...data, '--kind', 'samples', '--out', file)
    const { stdout } = await runCli(
      'evaluate',
      '--model',
      file,
      ...data,
      '--k',
      '3',
      '--teacher',
      model,
      '--json',
    )
    expect(JSON.parse(stdout)).toMatchObject({
      tested_on: 'held-out training images',
      train_images: 30,
      test_images: 6,
      knn: [{ k: 3, accuracy: 1 }],
      alignment: { images: 6, cosine: expect.closeTo(1, 5), linear_cka: expect.closeTo(1, 5) },
    })
    const corrupted = await runCli('evaluate', '--model', file, ...data, '--corruptions', 'noise')
    expect(corrupted.stderr).toMatch(
      /error: .*file of embeddings, whose images cannot be corrupted;/,
    )
    expect(corrupted.code).toBe(1)
  })

  it.each<[string, string[], RegExp, number]>([
    [
      'a model that is not there',
      ['--model', 'nowhere'],
      /there is no file or directory nowhere; give the directory of a checkpoint/,
      1,
    ],
    [
      'more neighbours than images',
      ['--k', '37'],
      /37 neighbours .* among 36 training images; give a smaller --k/,
      1,
    ],
    [
      'a corruption that is none',
      ['--corruptions', 'noize'],
      /no corruption "noize"; did you mean noise\?/,
      2,
    ],
    ['a severity that is none', ['--severities', '6'], /levels from 1 to 5/, 2],
    [
      'anchors of another width',
      ['--anchors', 'narrow'],
      /embeddings have width \d+, but the anchors width 1/,
      1,
    ],
  ])('refuses %s', async (_, options, message, exitCode) => {
    const words = options.map((word) => (word === 'narrow' ? writeNarrowAnchors() : word))
    const { code, stderr } = await runCli('evaluate', '--model', model, ...data, ...words)
    expect(stderr).toMatch(message)
    expect(code).toBe(exitCode)
  })
})

describe('judging embeddings while a student trains', { timeout: 120_000 }, () => {
  const student = 'vit:width=8,layers=1,heads=2,patch=4,image=8'
  const training = ['--method', 'supervised', '--student', student, '--batch', '8', ...data]

  it('distill has a k-NN curve, on held-out images or on the test images', async () => {
    const run = (out: string, ...rest: string[]) =>
      runCli('distill', ...training, '--knn', '3', '--out', at(out), '--epochs', '2', ...rest)
    const held = await run('held')
    expect(held.stderr).toMatch(
      /k-NN accuracy: 3 held-out images by their 3 nearest of 33 training/,
    )
    expect(held.stderr).toMatch(/epoch 2\/2 .* k-NN [\d.]+ %/)
    const events = readdirSync(at('held', 'tensorboard')).map((file) =>
      readFileSync(at('held', 'tensorboard', file)),
    )
    expect(events.some((bytes) => bytes.includes('epoch/k-NN accuracy'))).toBe(true)
    const tested = await run('tested', '--held-out', '0', '--json')
    expect(tested.stderr).toMatch(/k-NN accuracy: 12 test images by their 3 nearest of 36 training/)
    const { epochs } = JSON.parse(tested.stdout) as { epochs: { knnAccuracy: number }[] }
    for (const { knnAccuracy } of epochs) expect(knnAccuracy).toBeGreaterThan(0)
  })

  it('bench records k-NN by epoch, and k-NN and a linear probe at the end, with and without labels', async () => {
    const out = at('sweep')
    const taught = ['--method', 'cosine-kd', '--teacher', model, '--labels', '100%,none']
    const { stdout } = await runCli(
      'bench',
      ...training.slice(2),
      ...taught.concat('--epochs', '2', '--knn', '3', '--out', out),
    )
    expect(stdout).toMatch(/^configuration +runs +accuracy +k-NN +linear probe +step/m)
    const { records } = parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8'))
    expect(records.map(({ accuracy }) => typeof accuracy)).toEqual(['number', 'undefined'])
    for (const [i, { trial, curves, embeddingAccuracy }] of records.entries()) {
      expect(trial.knn).toBe(3)
      expect(curves!.epochs.map(({ knnAccuracy }) => typeof knnAccuracy)).toEqual([
        'number',
        'number',
      ])
      // Without labels, no image is held out.
      expect(embeddingAccuracy).toMatchObject({ k: 3, images: i === 0 ? 33 : 36 })
      expect(embeddingAccuracy!.linearProbe).toBeGreaterThan(0.5)
    }
  })
})

/** Writes anchors of width 1: a safetensors file by hand. */
function writeNarrowAnchors(): string {
  const header = JSON.stringify({
    centroids: { dtype: 'F32', shape: [3, 1], data_offsets: [0, 12] },
  })
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = at('narrow.safetensors')
  writeFileSync(
    file,
    Buffer.concat([length, Buffer.from(header), Buffer.from(Float32Array.of(1, 2, 3).buffer)]),
  )
  return file
}
