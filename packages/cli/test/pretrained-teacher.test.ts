// A Hugging Face checkpoint as the teacher of a sweep: its weights are made to fit the student's pixels.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { embedGraph, evaluate, hostTensor, Random, type HostTensor } from '@embed-kd/core'
import { parseRecords } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { loadHfTeacher } from '@embed-kd/distill/node'
import { renormalised } from '@embed-kd/distill/node'
import { runCli, temporaryDirectory } from './cli.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const golden = (name: string) => fileURLToPath(new URL(`../../../golden/${name}`, import.meta.url))

describe('weights for other pixels', () => {
  const { model, parameters, input } = loadHfTeacher(golden('hf-vit-classifier'))
  const size = input.height
  const random = new Random(5)
  const pixels = Float32Array.from({ length: 2 * 3 * size * size }, () => random.uniform())

  const embed = (
    weights: ReadonlyMap<string, HostTensor>,
    { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
    channels: number,
  ) => {
    const area = size * size
    const values = Float32Array.from({ length: 2 * channels * area }, (_, i) => {
      const channel = Math.floor(i / area) % channels
      const image = Math.floor(i / area / channels)
      // A grey image is the first channel of a coloured one.
      return (pixels[(image * 3 + channel) * area + (i % area)]! - mean[channel]!) / std[channel]!
    })
    const inputs = new Map([...weights].map(([name, value]) => [`teacher.${name}`, value]))
    inputs.set('batch.images', hostTensor('float32', [2, channels, size, size], values))
    const graph = embedGraph(model, 2, { channels, size })
    return Float32Array.from(evaluate(graph, Object.fromEntries(inputs))['embeddings']!.data)
  }

  it('give the same embeddings', () => {
    const seen = { mean: [0.1, 0.4, 0.6], std: [0.3, 0.2, 0.7] }
    const expected = embed(parameters, input, 3)
    const given = embed(renormalised(parameters, input, seen), seen, 3)
    given.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4))
  })

  it('take a grey image for all channels', () => {
    const seen = { mean: [0.13], std: [0.31] }
    const given = embed(renormalised(parameters, input, seen), seen, 1)
    const area = size * size
    for (let i = 0; i < pixels.length; i++)
      pixels[i] = pixels[Math.floor(i / (3 * area)) * 3 * area + (i % area)]!
    const expected = embed(parameters, input, 3)
    given.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4))
  })
})

describe('embed-kd bench', () => {
  it(
    'takes a checkpoint as teacher, and as the beginning of a student',
    { timeout: 120_000 },
    async () => {
      const directory = temporaryDirectory()
      const dataset = writeTinyDataset(join(directory, 'data'))
      const teacher = `hf:${golden('hf-vit')}`
      const config = writeConfig(
        directory,
        tinyGrid(dataset, {
          method: ['embed-kd', 'teacher-kd', 'cached-kd'],
          teacher: [teacher],
          epochs: 2,
        }),
        tinyGrid(dataset, { method: ['supervised'], init: [golden('hf-vit')], epochs: 1 }),
      )
      const out = join(directory, 'out')
      const { code, stderr } = await runCli('bench', '--config', config, '--out', out)
      expect(stderr).toContain('(centroids)')
      expect(stderr).toMatch(/loaded \d+ of \d+ parameters from .*hf-vit at \d+ pixels/)
      expect(code).toBe(0)
      const { records } = parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8'))
      const published = { name: 'hf-vit', digest: expect.stringMatching(/^\w{64}$/) }
      for (const record of records)
        expect(record).toMatchObject({
          status: 'ok',
          costOnly: false,
          accuracy: expect.any(Number),
          trial:
            record.trial.method === 'supervised'
              ? { init: published, student: { name: 'hf-vit' } }
              : { teacher: { kind: 'pretrained', ...published } },
        })
      expect(records).toHaveLength(4)
      expect(records.at(-1)!.rerunCommand).toMatch(/^(?!.*--student).* --init \S*hf-vit /)
    },
  )

  it('complains of one that is not there, or that does not score the classes', async () => {
    const bench = (teacher: string, method = 'embed-kd') =>
      runCli('bench', '--method', method, '--teacher', teacher, '--steps', '1', '--dry-run')
    const complaints = [
      [
        await bench('hf:/no/such/model'),
        /there is no file or directory \/no\/such\/model; check the path/,
      ],
      [
        await bench(`hf:${golden('hf-vit-classifier')}`, 'logit-kd'),
        /10 classes of the data, .* scores 4;/,
      ],
    ] as const
    for (const [{ code, stderr }, message] of complaints) {
      expect(stderr).toMatch(message)
      expect(stderr).not.toMatch(/^\s+at /m)
      expect(code).toBe(1)
    }
  })
})
