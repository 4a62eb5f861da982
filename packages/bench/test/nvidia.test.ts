// What is made of the driver's answers, with a script in place of nvidia-smi: no GPU is needed.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { nvidiaGpu, nvidiaProcesses, nvidiaWatts } from '../src/measure/nvidia.js'
import { Watch, type Observed } from '../src/trial/watch.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'

const { PATH } = process.env
let directory: string
beforeEach(() => {
  directory = temporaryDirectory()
  process.env['PATH'] = `${directory}:${PATH}`
})
afterEach(() => {
  process.env['PATH'] = PATH
})

/** From now on nvidia-smi gives these lines to the query whose name the key begins. */
function driverSays(answers: Readonly<Record<string, string>>): void {
  const cases = Object.entries(answers).map(
    ([query, lines]) => `*--query-${query}*) printf '%s\\n' '${lines}';;`,
  )
  const script = `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\n*) exit 9;;\nesac\n`
  writeFileSync(join(directory, 'nvidia-smi'), script)
  chmodSync(join(directory, 'nvidia-smi'), 0o755)
}

const MIB = 2 ** 20

describe('the driver', () => {
  it('tells the device, its power and who uses it', async () => {
    driverSays({
      'gpu=name': 'NVIDIA H200, 570.124.06, 143771',
      'gpu=power': '118.52',
      'compute-apps': '4321, 1024\n99, 12',
    })
    expect(await nvidiaGpu()).toEqual({
      name: 'NVIDIA H200',
      driver: '570.124.06',
      memoryBytes: 143771 * MIB,
    })
    expect(await nvidiaWatts()).toBe(118.52)
    expect([...(await nvidiaProcesses())]).toEqual([
      [4321, 1024 * MIB],
      [99, 12 * MIB],
    ])
  })

  it('is not taken for saying 0 or NaN where it does not know', async () => {
    driverSays({
      'gpu=name': 'NVIDIA GB10, 580.95.05, [N/A]',
      'gpu=power': '[N/A]',
      'compute-apps': '4321, [N/A]',
    })
    expect(await nvidiaGpu()).toEqual({ name: 'NVIDIA GB10', driver: '580.95.05' })
    expect(await nvidiaWatts()).toBeUndefined()
    expect([...(await nvidiaProcesses())]).toEqual([[4321, 0]])
  })

  it('is not missed where there is none', async () => {
    process.env['PATH'] = directory
    expect(await nvidiaGpu()).toBeUndefined()
    expect(await nvidiaWatts()).toBeUndefined()
    expect(await nvidiaProcesses()).toEqual(new Map())
  })
})

describe('a watched device', () => {
  const mine = 4321

  /** Watches while `change` happens, and long enough to have seen it. */
  async function watch(change: () => void, phase = 'timing 0/5'): Promise<Observed> {
    const watched = new Watch(mine, { watchDevice: true, phase: () => phase, onRss: () => {} })
    await new Promise((resolve) => setTimeout(resolve, 300))
    change()
    await new Promise((resolve) => setTimeout(resolve, 1200))
    return watched.stop()
  }

  it('shows the memory of the trial, the power, and a process that was there before', async () => {
    driverSays({ 'compute-apps': '7, 500', 'gpu=power': '90' })
    const observed = await watch(() =>
      driverSays({ 'compute-apps': `7, 500\n${mine}, 2048`, 'gpu=power': '90' }),
    )
    expect(observed).toMatchObject({
      devicePeakBytes: 2048 * MIB,
      deviceWatts: 90,
      othersOnDevice: [7],
    })
  })

  it('shows a process that came later, once the trial itself is listed', async () => {
    driverSays({ 'compute-apps': '' })
    const observed = await watch(() =>
      driverSays({ 'compute-apps': `${mine}, 2048\n8, 9000`, 'gpu=power': '90' }),
    )
    expect(observed).toMatchObject({ devicePeakBytes: 2048 * MIB, othersOnDevice: [8] })
  })

  it('takes a newcomer for the trial where that is not listed, as in a container', async () => {
    driverSays({ 'compute-apps': '7, 500' })
    const observed = await watch(() =>
      driverSays({ 'compute-apps': '7, 500\n70001, 2048', 'gpu=power': '90' }),
    )
    expect(observed).toMatchObject({ devicePeakBytes: 2048 * MIB, othersOnDevice: [7] })
  })

  it('has no figures where the driver has none, and no power while nothing is timed', async () => {
    driverSays({ 'compute-apps': `${mine}, [N/A]`, 'gpu=power': '90' })
    const observed = await watch(() => {}, 'loading 0/1')
    expect(observed).toEqual({ othersOnDevice: [] })
  })
})
