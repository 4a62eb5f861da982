// What methods must share to be compared: labelled images, order, augmentation, initial values, length; and the result of each test
// image. End to end, with the command as built.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, unpackResults, type BenchRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, temporaryDirectory } from './cli.js'

const directory = temporaryDirectory()
const dataset = writeTinyDataset(join(directory, 'data'))
const cache = join(directory, 'cache')

async function sweep(grid: object, ...flags: string[]): Promise<BenchRecord[]> {
  const out = temporaryDirectory()
  const config = writeConfig(out, tinyGrid(dataset, grid))
  const where = ['--config', config, '--out', out, '--cache', cache]
  const { code, stderr } = await runCli('bench', ...where, ...flags)
  expect(code, stderr).toBe(0)
  return parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8')).records
}

describe('trials of one seed', { timeout: 120_000 }, () => {
  it('are the same training if the distillation loss counts for nothing', async () => {
    const method = ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd', 'cached-kd', 'cosine-kd']
    const records = await sweep({
      method,
      kdWeight: 0,
      labels: '60%',
      augment: 'flip+crop:1',
      dropout: 0.1,
      epochs: 2,
    })
    expect(records.map(({ trial }) => trial.method)).toEqual(method)
    const [supervised] = records
    const losses = ({ curves }: BenchRecord) => curves!.loss.map(([, loss]) => loss)
    for (const record of records) {
      expect(record.trial).toMatchObject({ labels: 0.6, dataset: { trainSize: 66, poolSize: 111 } })
      losses(record).forEach((loss, i) => expect(loss).toBeCloseTo(losses(supervised!)[i]!, 4))
      expect(record.testResults).toEqual(supervised!.testResults)
    }
  })
})

describe('a trial', { timeout: 120_000 }, () => {
  it('ends after the images asked for, and says which test images it classified correctly', async () => {
    const [record] = await sweep({ imagesSeen: 300, labels: '50%' })
    const { curves, checkpoint, testResults, trial, accuracy, time } = record!
    expect(trial).toMatchObject({ imagesSeen: 300, labels: 0.5, dataset: { trainSize: 57 } })
    expect(curves!.epochs.map(({ steps }) => steps)).toEqual([3, 6, 9, 12, 15, 18])
    // Evaluation takes at most a third of the work of training.
    expect(curves!.epochs.filter(({ testAccuracy }) => testAccuracy !== undefined)).toHaveLength(4)
    expect(checkpoint).toMatchObject({ chosenOn: 'held-out', images: 9 })
    expect(testResults).toMatchObject({ dataset: trial.dataset.digest, images: 60 })
    const correct = unpackResults(testResults!)
    expect(correct.reduce((sum, bit) => sum + bit, 0) / 60).toBeCloseTo(accuracy!, 12)
    expect(curves!.epochs[checkpoint!.epoch - 1]!.testAccuracy).toBe(accuracy)
    expect(time!.epochExtrapolated).toBe(false)
  })

  it('may end within an epoch', async () => {
    const [record] = await sweep({ imagesSeen: 32, preset: 'paper' })
    expect(record!.curves!.epochs).toMatchObject([{ epoch: 1, steps: 2 }])
    expect(record!.checkpoint).toMatchObject({ epoch: 1, chosenOn: 'test', images: 60 })
    expect(record!.time!.epochExtrapolated).toBe(true)
  })

  it('has centroids of its labelled images alone', async () => {
    const records = await sweep({ method: ['embed-kd'], labels: ['50%', '100%'], epochs: 1 })
    expect(records.map(({ embeddings }) => embeddings!.images)).toEqual([57, 120])
  })
})
