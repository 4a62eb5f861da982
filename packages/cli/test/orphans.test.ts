// Kills the parent process of a sweep alone, while its child computes steps that block the child's event loop for seconds:
// no child may outlive its parent process by 2 s. EMBED_KD_ORPHANS is the number of kills for each backend (default 1), and
// EMBED_KD_ORPHANS_BACKENDS names other backends with commas between them. The test prints a table.
import { join } from 'node:path'

import { Random } from '@embed-kd/core'
import { formatTable } from '@embed-kd/records/terminal'
import { afterAll, describe, expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { startCli, temporaryDirectory } from './cli.js'
import { childrenOf, isAlive, kill, sleep } from './processes.js'

const KILLS = Number(process.env['EMBED_KD_ORPHANS'] ?? 1)
const BACKENDS = (
  process.env['EMBED_KD_ORPHANS_BACKENDS'] ?? 'reference,tfjs:cpu,tfjs:wasm,ort:cpu'
).split(',')
const LIMIT_MS = 2000
/** Longest time from a child's start to the kill: children are hit while they load, compile and compute. */
const LATEST_MS = 6000

const rows: string[][] = []
afterAll(() => {
  if (rows.length > 0)
    console.log(formatTable(['backend', 'kills', 'outlived by 2 s', 'longest ms'], rows))
})

describe.runIf(process.platform === 'linux')('a killed sweep', () => {
  it.each(BACKENDS)(
    'leaves no child on %s',
    { timeout: 60_000 + KILLS * 30_000 },
    async (backend) => {
      const directory = temporaryDirectory()
      const dataset = writeTinyDataset(join(directory, 'data'))
      const grid = { student: ['paper'], batch: [64], steps: 1000, backend: [backend] }
      const config = writeConfig(directory, tinyGrid(dataset, grid))
      const random = new Random(Date.now())
      const lives: number[] = []
      for (let i = 0; i < KILLS; i++) {
        const out = join(directory, `out-${i}`)
        const { child, result } = startCli(['bench', '--config', config, '--out', out])
        const parent = child.pid!
        while (childrenOf(parent).length === 0 && child.exitCode === null) await sleep(5)
        await sleep(random.int(LATEST_MS))
        let orphans = childrenOf(parent)
        // A probe has ended and the trial's child has not started.
        while (orphans.length === 0 && child.exitCode === null) {
          await sleep(1)
          orphans = childrenOf(parent)
        }
        expect(child.exitCode, 'the sweep ended before it was killed').toBeNull()
        kill(parent)
        const killed = performance.now()
        while (orphans.some(isAlive) && performance.now() - killed < LIMIT_MS) await sleep(10)
        lives.push(performance.now() - killed)
        const outlived = orphans.filter(isAlive)
        outlived.forEach(kill)
        await result
        expect(outlived, 'a child outlived its parent process by 2 s').toEqual([])
      }
      const late = lives.filter((ms) => ms >= LIMIT_MS).length
      rows.push([backend, `${KILLS}`, `${late}`, Math.max(...lives).toFixed(0)])
    },
  )
})
