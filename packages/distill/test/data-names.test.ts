// Data sets by name: the real MNIST and Fashion-MNIST, and names that there are not.

import { describe, expect, it, vi } from 'vitest'

import { isDirectory } from '../src/node/data/files.js'
import { loadDataset } from '../src/node/data/registry.js'
import { temporaryDirectory } from './temporary.js'

vi.stubEnv('XDG_CACHE_HOME', temporaryDirectory())

describe('by name', () => {
  const specs =
    'mnist, mnist-small, fashion-mnist, cifar10, cifar100, idx:DIR, cifar10:DIR, cifar100:DIR, images:DIR, parquet:DIR, webdataset:DIR'
  it.each(['', 'minst', 'idx', 'idx:', 'mnist:dir', 'toString', 'constructor:x'])(
    'refuses %j, saying what there is',
    async (spec) => {
      const error = await loadDataset(spec).catch((e: unknown) => e as Error)
      expect(error).toMatchObject({
        message: expect.stringMatching(
          /^data set ".*": there is none of that name; .*give one of /,
        ),
      })
      expect((error as Error).message.endsWith(specs)).toBe(true)
    },
  )

  it('reads MNIST, and the part of it that needs no download', async () => {
    const data = await loadDataset('mnist')
    const small = await loadDataset('mnist-small')
    expect([small.train.count, small.test.count, small.classes]).toEqual([6000, 1000, 10])
    for (const split of ['train', 'test'] as const) {
      const { labels } = small[split]
      expect(labels).toEqual(data[split].labels.subarray(0, labels.length))
    }
    expect(data).toMatchObject({ classes: 10, channels: 1, height: 28, width: 28 })
    expect([data.train.count, data.test.count]).toEqual([60_000, 10_000])
    expect([...data.train.labels.subarray(0, 8)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3])
    const { mean, std } = data.statistics
    expect(mean[0]).toBeCloseTo(0.1307, 4) // the figures everyone normalises MNIST with
    expect(std[0]).toBeCloseTo(0.3081, 4)
  })

  it('reads Fashion-MNIST', async (context) => {
    const installed = '/usr/share/datasets/fashion-mnist'
    if (!isDirectory(installed)) {
      const reason = `the Debian package dataset-fashion-mnist is not installed (no ${installed})`
      console.warn(`skipped: ${reason}`)
      context.skip(reason)
    }
    const data = await loadDataset('fashion-mnist')
    expect([data.train.count, data.test.count]).toEqual([60_000, 10_000])
    expect([...data.train.labels.subarray(0, 4)]).toEqual([9, 0, 0, 3])
    for (let label = 0; label < 10; label++)
      expect(data.train.labels.filter((l) => l === label)).toHaveLength(6000)
    expect(data.classNames).toHaveLength(10)
  })
})
