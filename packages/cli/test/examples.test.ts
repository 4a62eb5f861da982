// The programs in examples/ run as their first lines say, on data so small that each takes seconds.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { formatSafetensors, hostTensor } from '@embed-kd/core'
import { loadDataset } from '@embed-kd/distill/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { runCli } from './cli.js'
import { buildSite, hasChromium } from '../../conformance/test/browser/site.js'
import { python } from '../../distill/test/python.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const examples = new URL('../../../examples/', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'embed-kd-examples-'))
let dataset: string
beforeAll(() => {
  dataset = writeTinyDataset(join(directory, 'tiny'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const run = async (file: string, ...args: string[]): Promise<string> => {
  const options = { cwd: directory }
  return (await promisify(execFile)('node', [join(examples, file), ...args], options)).stdout
}

describe('examples', { timeout: 120_000 }, () => {
  it('are short, and open by saying what they show', () => {
    const files = readdirSync(examples, { recursive: true, encoding: 'utf8' })
    for (const file of files.filter((name) => /\.(mjs|py)$|main\.js$/.test(name))) {
      const lines = readFileSync(join(examples, file), 'utf8').split('\n')
      expect(lines.length, file).toBeLessThanOrEqual(61)
      expect(lines[0], file).toMatch(/^(\/\/|#) Shows /)
    }
  })

  it('train-from-centroids', async () => {
    const printed = await run('train-from-centroids.mjs', dataset, '3')
    expect(printed.match(/epoch \d: loss \d\.\d{3}, accuracy [\d.]+/g)).toHaveLength(3)
    expect(existsSync(join(directory, 'centroids.onnx'))).toBe(true)
  })

  it('custom-method, as a program and as --method', async () => {
    const losses = [...(await run('custom-method.mjs')).matchAll(/loss ([\d.]+)/g)]
    expect(Number(losses.at(-1)![1])).toBeLessThan(Number(losses[0]![1]))
    const centroids = join(directory, 'two.safetensors')
    const rows = hostTensor('float32', [3, 2], [1, 0, 0, 1, 1, 1])
    writeFileSync(centroids, formatSafetensors(new Map([['centroids', rows]])))
    const options = `--dataset ${dataset} --student small --epochs 1 --json`.split(' ')
    const method = join(examples, 'custom-method.mjs')
    const out = join(directory, 'custom')
    const taught = ['distill', '--method', method, '--embeddings', centroids, '--out', out]
    const { code, stdout, stderr } = await runCli(...taught, ...options)
    expect(stderr).toContain('method pull-kd')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ method: 'pull-kd' })
  })

  it('bring-your-own-embeddings', async () => {
    const file = join(directory, 'embeddings.safetensors')
    const images = dataset.replace('idx:', '')
    if (python)
      execFileSync(python, [
        join(examples, 'bring-your-own-embeddings/embeddings.py'),
        images,
        file,
      ])
    else {
      const { train } = await loadDataset(dataset)
      const tensors = {
        embeddings: hostTensor('float32', [train.count, 16]),
        labels: hostTensor('int32', [train.count], train.labels),
      }
      tensors.embeddings.data.forEach((_, i, data) => (data[i] = Math.sin(i)))
      writeFileSync(file, formatSafetensors(new Map(Object.entries(tensors))))
      console.warn('embeddings.py was not run: there is no Python with numpy and safetensors')
    }
    const out = join(directory, 'mine')
    const printed = await run('bring-your-own-embeddings/distil.mjs', file, dataset, out, '1')
    expect(printed).toMatch(/accuracy [\d.]+, by guessing [\d.]+; model: .*model\.onnx/)
  })

  it('export-and-classify', async () => {
    const printed = await run('export-and-classify.mjs', dataset, '4')
    expect(printed).toMatch(/ONNX Runtime classifies \d+ of 60 test images correctly/)
    expect(printed).toMatch(/transformers\.js says [0-2] \(\d+ %\) of an image of class [0-2]/)
  })

  it('sweep-from-code', async () => {
    const results = join(directory, 'sweep')
    const printed = await run('sweep-from-code.mjs', dataset, results, '1')
    expect(printed).toContain('embed-kd')
    const records = readFileSync(join(results, 'records.jsonl'), 'utf8').trim().split('\n')
    expect(records).toHaveLength(2)
  })

  it('custom-backend: it conforms, and trains as ort:cpu does', async () => {
    const mine = join(examples, 'custom-backend.mjs')
    const checked = await runCli('conform', '--backend', mine, '--json')
    expect(checked.code, checked.stderr).toBe(0)
    const losses = async (backend: string): Promise<number[]> => {
      const student = 'vit:width=16,layers=1,heads=2,patch=4,image=8'
      const options = `--method supervised --student ${student} --dropout 0 --batch 30 --epochs 2 --json`
      const out = join(directory, backend === mine ? 'on-mine' : 'on-ort')
      const places = ['--dataset', dataset, '--backend', backend, '--out', out]
      const { code, stdout, stderr } = await runCli('distill', ...places, ...options.split(' '))
      expect(code, stderr).toBe(0)
      const { epochs } = JSON.parse(stdout) as { epochs: { trainLoss: number }[] }
      return epochs.map(({ trainLoss }) => trainLoss)
    }
    const expected = await losses('ort:cpu')
    const got = await losses(mine)
    expect(got).toHaveLength(2)
    got.forEach((loss, epoch) => expect(loss).toBeCloseTo(expected[epoch]!, 4))
  })

  it.skipIf(!hasChromium).each(['tfjs:wasm', 'ort:wasm'])(
    'train-in-the-browser on %s, with threads',
    async (backend) => {
      const site = await buildSite(join(examples, 'train-in-the-browser'), 'built')
      try {
        const page = await site.open({ isolated: true, query: `?backend=${backend}` })
        const log = page.page.locator('#log')
        await log.filter({ hasText: 'this is a' }).waitFor({ timeout: 240_000 })
        const threads = backend === 'ort:wasm' ? page.cores : `up to ${page.cores}`
        const text = await log.textContent()
        expect(text).toContain(`training on ${backend}, threads: ${threads}\n`)
        const losses = [...text!.matchAll(/epoch \d+: loss ([\d.]+)/g)].map(([, x]) => Number(x))
        expect(losses).toHaveLength(15)
        expect(losses.at(-1)!).toBeLessThan(losses[0]!)
        expect(page.errors).toEqual([])
      } finally {
        await site.close()
      }
    },
    300_000,
  )
})
