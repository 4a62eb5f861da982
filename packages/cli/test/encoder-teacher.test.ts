// Encoders and files of embeddings as teachers of sweeps and steps: an ONNX model with scores, a checkpoint that crops, a repository on
// the hub, and files that a method cannot use.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { formatSafetensors, hostTensor, parseSafetensors, type HostTensor } from '@embed-kd/core'
import { parseRecords, recordSchema, type BenchRecord } from '@embed-kd/records'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { newHub, startHub, stopHub } from '../../distill/test/hub.js'
import { runCli, temporaryDirectory } from './cli.js'
import { writeColours } from './colours.js'

const fixtures = fileURLToPath(new URL('../../distill/test/fixtures/onnx', import.meta.url))
const golden = (name: string) => fileURLToPath(new URL(`../../../golden/${name}`, import.meta.url))
const directory = temporaryDirectory()
const at = (...path: string[]) => join(directory, ...path)
const teacher = at('encoder', 'scores.onnx')
const dataset = `images:${at('colours')}`
const student = 'vit:width=8,layers=1,heads=2,patch=4,image=8'

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  mkdirSync(at('encoder'))
  for (const name of ['scores.onnx', 'preprocessor_config.json'])
    copyFileSync(join(fixtures, name), at('encoder', name))
  const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
  writeFileSync(at('encoder', 'config.json'), JSON.stringify({ id2label }))
  await writeColours(at('colours'), { train: 16, test: 6 })
})
afterAll(() => {
  delete process.env.XDG_CACHE_HOME
})

let outs = 0
async function bench(...args: string[]) {
  const out = at(`out-${outs++}`)
  const small = ['--dataset', dataset, '--student', student, '--batch', '8', '--out', out]
  const { code, stdout, stderr } = await runCli('bench', ...small, ...args)
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`)
  const text = readFileSync(join(out, 'records.jsonl'), 'utf8')
  return { records: parseRecords(text).records, text, stderr, out }
}
const byMethod = (records: readonly BenchRecord[]) =>
  Object.fromEntries(records.map((record) => [record.trial.method, record]))

/** Expects a file to have its numbers, a header, and little more. */
const expectFileOf = (bytes: number, numbers: number): void => {
  expect(bytes).toBeGreaterThan(numbers)
  expect(bytes).toBeLessThan(numbers + 8192)
}

/** A method for each signal of a teacher: scores, live embeddings, stored ones, centroids. */
const methods = ['logit-kd', 'teacher-kd', 'cached-kd', 'embed-kd']

describe('an ONNX encoder', () => {
  it('gives every signal, and its embeddings are made once', { timeout: 240_000 }, async () => {
    const args = ['--teacher', teacher, '--method', methods.join(','), '--epochs', '1']
    const { records, text, stderr } = await bench(...args, '--augment', 'flip')
    expect(records.map(({ status, reason }) => [status, reason])).toEqual(
      methods.map(() => ['ok', undefined]),
    )
    expect(stderr).toContain('scores.onnx: preprocessing: to 8x8 (bilinear), mean 0.5')
    // One line for each piece of work: the test of the teacher, centroids, samples.
    expect(stderr.match(/^(testing teacher|embedding) .*$/gm)).toHaveLength(3)
    for (const record of records) expect(recordSchema.safeParse(record).error).toBeUndefined()
    const of = byMethod(records)
    for (const method of methods)
      expect(of[method]!.trial.teacher).toEqual({
        name: 'scores.onnx',
        kind: 'pretrained',
        parameterCount: 136,
        imageSize: 8,
        embeddingWidth: 5,
        digest: expect.stringMatching(/^\w{64}$/),
        // By position of the scores nothing would be right: the folders are blue, green, red.
        accuracy: 1,
        ...(method.endsWith('t-kd') || method === 'teacher-kd' ? { place: 'beside' } : {}),
      })
    for (const method of ['logit-kd', 'teacher-kd']) {
      expect(of[method]!.cost).toMatchObject({ withoutTeacher: true })
      expect(of[method]!.cost!.teacherFlops).toBeUndefined()
      expect(of[method]!.roofline!.share).toBeUndefined()
      expect(of[method]!.embeddings).toBeUndefined()
    }
    expect(of['embed-kd']!.embeddings!.images).toBe(48)
    expectFileOf(of['embed-kd']!.embeddings!.bytes, 4 * 3 * 5)
    expect(of['cached-kd']!.embeddings!.images).toBe(48)
    expectFileOf(of['cached-kd']!.embeddings!.bytes, 4 * 48 * 5)
    // Paths are in the command that runs a trial again, and nowhere else.
    const paths = text.replaceAll(/"(rerunCommand|commandLine)":("[^"]*"|\[[^\]]*\])/g, '')
    expect(paths).not.toContain(directory)

    const embed = records.find(({ trial }) => trial.method === 'embed-kd')!
    const elsewhere = join(temporaryDirectory(), 'records.jsonl')
    writeFileSync(elsewhere, text.replaceAll(teacher, '/nowhere/scores.onnx'))
    const verify = ['verify', elsewhere, '--id', embed.id]
    expect((await runCli(...verify)).stderr).toContain(
      `the record needs the teacher scores.onnx (SHA-256 ${embed.trial.teacher!.digest}), and there is no /nowhere/scores.onnx; give its file or directory with --teacher`,
    )
    expect((await runCli(...verify, '--teacher', teacher)).stdout).toMatch(/^reproduced$/m)
  })

  it('has controls, prototypes and fewer views than epochs', { timeout: 240_000 }, async () => {
    const args = ['--teacher', teacher, '--epochs', '2']
    const anchors = [undefined, 'shuffled', 'one-hot']
    const controls = await bench(
      ...args,
      '--method',
      'embed-kd',
      '--anchors',
      'teacher,shuffled,one-hot',
    )
    expect(controls.records.map(({ trial }) => trial.anchors)).toEqual(anchors)
    const losses = controls.records.map(({ curves }) => curves!.epochs[1]!.trainLoss)
    expect(new Set(losses).size).toBe(anchors.length)
    expect(controls.stderr.match(/^embedding .*$/gm)).toHaveLength(1)

    const views = await bench(
      ...args,
      '--method',
      'embed-kd,cached-kd',
      '--prototypes',
      '2',
      '--augment',
      'flip',
      '--views',
      '1',
    )
    const of = byMethod(views.records)
    expect(of['embed-kd']).toMatchObject({ status: 'ok', trial: { prototypes: 2 } })
    expectFileOf(of['embed-kd']!.embeddings!.bytes, 4 * 2 * 3 * 5)
    expect(of['cached-kd']).toMatchObject({ status: 'ok', trial: { views: 1 } })
    expect(of['cached-kd']!.embeddings!.images).toBe(48)
  })

  it('teaches together with a file of embeddings', { timeout: 120_000 }, async () => {
    const other = at('stored.safetensors')
    const rows = hostTensor('float32', [48, 3], new Float32Array(144).fill(1))
    const labels = hostTensor(
      'int32',
      [48],
      Int32Array.from({ length: 48 }, (_, i) => i / 16),
    )
    writeFileSync(
      other,
      formatSafetensors(
        new Map<string, HostTensor>([
          ['embeddings', rows],
          ['labels', labels],
        ]),
      ),
    )
    const both = `${teacher}+${other}@0.5`
    const { records, stderr } = await bench(
      '--teacher',
      both,
      '--method',
      'cached-kd',
      '--epochs',
      '1',
    )
    expect(stderr.match(/^(testing teacher|embedding) .*$/gm)).toHaveLength(2)
    const [{ status, trial, embeddings, ...record }] = records as [BenchRecord]
    expect(recordSchema.safeParse(records[0]).error).toBeUndefined()
    expect([status, embeddings!.images]).toEqual(['ok', 48])
    expectFileOf(embeddings!.bytes, 4 * 48 * 5)
    expect(record.rerunCommand).toContain('scores.onnx+')
    expect(trial.teacher).toEqual({
      name: 'scores.onnx + stored.safetensors@0.5',
      kind: 'several',
      embeddingWidth: 8,
      members: [
        {
          name: 'scores.onnx',
          kind: 'pretrained',
          parameterCount: 136,
          imageSize: 8,
          embeddingWidth: 5,
          digest: expect.stringMatching(/^\w{64}$/),
          accuracy: 1,
          weight: 1,
        },
        {
          name: 'stored.safetensors',
          kind: 'embeddings',
          embeddingWidth: 3,
          digest: expect.stringMatching(/^\w{64}$/),
          weight: 0.5,
        },
      ],
    })
    const step = ['step', '--dataset', dataset, '--student', student, '--batch', '8']
    const live = await runCli(...step, '--method', 'logit-kd', '--teacher', both)
    expect([live.code, live.stderr]).toEqual([
      1,
      expect.stringContaining(
        'logit-kd learns from one teacher that sees each batch, but scores.onnx + stored.safetensors@0.5 are several',
      ),
    ])
  })

  it('is measured beside the graph by step', { timeout: 120_000 }, async () => {
    const step = [
      'step',
      '--dataset',
      dataset,
      '--student',
      student,
      '--batch',
      '8',
      '--samples',
      '2',
    ]
    const args = [...step, '--method', 'cached-kd', '--teacher', teacher, '--json']
    const stored = await runCli(...args)
    expect(JSON.parse(stored.stdout)).toMatchObject({
      status: 'ok',
      trial: { teacher: { name: 'scores.onnx', embeddingWidth: 5 } },
    })
    const { stdout } = await runCli(...step, '--method', 'teacher-kd', '--teacher', teacher)
    expect(stdout).toContain('work of a step without the teacher')
  })
})

describe('embed and distill', () => {
  it('write controls, take a file of embeddings as a teacher, and name what they refuse', async () => {
    const file = at('samples.safetensors')
    const embed = (...args: string[]) =>
      runCli('embed', '--teacher', teacher, '--dataset', dataset, ...args)
    expect((await embed('--kind', 'samples', '--out', file)).code).toBe(0)
    for (const name of ['shuffled', 'one-hot'])
      expect((await embed('--anchors', name, '--out', at(`${name}.safetensors`))).code).toBe(0)
    const read = (name: string) => parseSafetensors(readFileSync(at(`${name}.safetensors`)))
    expect(read('shuffled').metadata['anchors']).toBe('shuffled')
    const { data } = read('one-hot').tensors.get('centroids')!
    expect([...data].filter((value) => value !== 0)).toHaveLength(3)

    const distill = (teacher: string, method: string) => {
      const args = ['distill', '--dataset', dataset, '--student', student, '--batch', '8']
      const out = at(`out-${outs++}`)
      return runCli(
        ...args,
        '--epochs',
        '1',
        '--out',
        out,
        '--teacher',
        teacher,
        '--method',
        method,
      )
    }
    expect((await distill(file, 'embed-kd')).stderr).toContain(`teacher: ${file}`)
    expect((await distill(file, 'teacher-kd')).stderr).toMatch(
      /teacher-kd needs a teacher that sees each batch, but .*samples\.safetensors is a file of embeddings/,
    )
    expect((await distill('trained-s', 'teacher-kd')).stderr).toMatch(
      /trained-s is a teacher that a sweep trains for itself; train it with embed-kd train-teacher/,
    )
  }, 120_000)
})

describe('other teachers of a sweep', () => {
  it('are checkpoints that crop, beside the graph', { timeout: 240_000 }, async () => {
    const clip = golden('hf-clip-vision')
    const args = ['--teacher', clip, '--method', 'teacher-kd,cached-kd', '--epochs', '1']
    const { records } = await bench(...args)
    const of = byMethod(records)
    expect(of['teacher-kd']).toMatchObject({
      status: 'ok',
      trial: { teacher: { name: 'hf-clip-vision', kind: 'pretrained', place: 'beside' } },
    })
    expect(of['cached-kd']).toMatchObject({ status: 'ok' })
  })

  it('are ONNX repositories on the hub, downloaded once', { timeout: 240_000 }, async () => {
    const files = ['scores.onnx', 'config.json', 'preprocessor_config.json'].map(
      (name) => [name.replace('scores', 'onnx/model'), readFileSync(at('encoder', name))] as const,
    )
    const hub = newHub(new Map(files))
    const { server, address } = await startHub(hub)
    const variables = { HF_ENDPOINT: address, HF_HUB_CACHE: at('hub'), HF_TOKEN: '' }
    Object.assign(process.env, variables)
    try {
      const args = ['--teacher', 'us/tiny', '--epochs', '1', '--method']
      const { records, stderr } = await bench(...args, 'logit-kd')
      expect(stderr.match(/^downloading us\/tiny\/onnx\/model\.onnx/gm)).toHaveLength(1)
      for (const { status, trial } of records)
        expect([status, trial.teacher!.name, trial.teacher!.accuracy]).toEqual(['ok', 'us/tiny', 1])
    } finally {
      await stopHub(server)
      for (const name of Object.keys(variables)) delete process.env[name]
    }
  })

  it('are files of embeddings, where a method takes them', { timeout: 240_000 }, async () => {
    // The file of samples is the one that embed made above.
    const embed = ['embed', '--teacher', teacher, '--dataset', dataset, '--out']
    expect((await runCli(...embed, at('centroids.safetensors'))).code).toBe(0)
    const teachers = `${at('centroids.safetensors')},${at('samples.safetensors')}`
    const args = ['--epochs', '1', '--teacher']
    const { records, stderr } = await bench(...args, teachers, '--method', 'embed-kd')
    expect(records.map(({ status, reason }) => [status, reason])).toEqual([
      ['ok', undefined],
      ['ok', undefined],
    ])
    expect(stderr).not.toContain('embedding ')
    expect(records[0]!.trial.teacher).toEqual({
      name: 'centroids.safetensors',
      kind: 'embeddings',
      embeddingWidth: 5,
      parameterCount: 136,
      imageSize: 8,
      digest: expect.any(String),
    })
    // The same centroids, whether they are read or computed from the embeddings of the images.
    expect(records[0]!.curves!.loss).toEqual(records[1]!.curves!.loss)

    const stored = await bench(...args, at('samples.safetensors'), '--method', 'cached-kd')
    expect(stored.records.map(({ status }) => status)).toEqual(['ok'])
  })

  it.each<[string, () => string[], RegExp]>([
    [
      'a file of embeddings for teacher-kd',
      () => ['--teacher', at('samples.safetensors'), '--method', 'embed-kd,teacher-kd'],
      /teacher-kd needs a teacher that sees each batch, but samples\.safetensors is a file of embeddings; give the teacher itself/,
    ],
    [
      'centroids for cached-kd',
      () => ['--teacher', at('centroids.safetensors'), '--method', 'cached-kd'],
      /cached-kd needs an embedding for each image, but centroids\.safetensors has one for each class/,
    ],
    [
      'embeddings of plain images for augmented ones',
      () => ['--teacher', at('samples.safetensors'), '--method', 'cached-kd', '--augment', 'flip'],
      /cached-kd needs embeddings of images with flip, but samples\.safetensors has them of images with no augmentation/,
    ],
    [
      'centroids of more images than have labels',
      () => ['--teacher', at('centroids.safetensors'), '--method', 'embed-kd', '--labels', '50%'],
      /embed-kd needs centroids of the labelled images alone, but centroids\.safetensors has centroids of more/,
    ],
    [
      'an encoder without scores for logit-kd',
      () => ['--teacher', join(fixtures, 'plain.onnx'), '--method', 'logit-kd'],
      /logit-kd needs a teacher that scores the 3 classes of the data, plain\.onnx has no classifier/,
    ],
    [
      'a model that is no image encoder',
      () => ['--teacher', join(fixtures, 'two-towers.onnx'), '--method', 'embed-kd'],
      /two-towers\.onnx encodes images and texts together/,
    ],
    [
      'more anchors than dimensions',
      () => [
        '--teacher',
        teacher,
        '--method',
        'embed-kd',
        '--anchors',
        'one-hot',
        '--prototypes',
        '2',
      ],
      /6 one-hot anchors do not fit into embeddings of width 5/,
    ],
  ])('are refused before any work: %s', async (_, args, message) => {
    const out = at(`out-${outs++}`)
    const small = ['--dataset', dataset, '--student', student, '--batch', '8', '--epochs', '1']
    const { code, stderr } = await runCli('bench', ...small, '--out', out, ...args())
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(code).toBe(1)
    expect(() => readdirSync(out)).toThrow()
  })
})
