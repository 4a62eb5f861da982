// Kills a sweep at random moments, parent, child or both, again and again: no record may be lost, doubled or torn.
// EMBED_KD_KILLS is the number of kills (default 2; 200 take about half an hour), and the test prints their victims. Linux only.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Random } from '@embed-kd/core'
import { parseRecords } from '@embed-kd/records'
import { expect, it } from 'vitest'

import { startCli, temporaryDirectory } from './cli.js'
import { childrenOf, isAlive, kill, sleep } from './processes.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const kills = Number(process.env['EMBED_KD_KILLS'] ?? 2)
const SECONDS_PER_KILL = 60
/** Longer than a trial takes, so that every moment of one is hit. */
const LATEST_MS = 4000

const mishaps = fileURLToPath(new URL('fixtures/mishaps.js', import.meta.url))

it.runIf(process.platform === 'linux')(
  `a sweep killed ${kills} times loses, doubles and tears no record`,
  { timeout: kills * SECONDS_PER_KILL * 1000 },
  async () => {
    const directory = temporaryDirectory()
    const dataset = writeTinyDataset(join(directory, 'data'))
    // More trials than the kills let through.
    const trials = 3 * kills
    const grid = tinyGrid(dataset, { backend: [`${mishaps}:works`], steps: 1, seeds: trials })
    const out = join(directory, 'out')
    const args = ['bench', '--config', writeConfig(directory, grid), '--out', out, '--resume']
    const file = join(out, 'records.jsonl')
    const read = () => (existsSync(file) ? parseRecords(readFileSync(file, 'utf8')).records : [])

    const seed = Date.now()
    console.log(`moments are drawn from seed ${seed}`)
    const random = new Random(seed)
    const seen = new Map<string, string>()
    const check = () => {
      const records = read()
      const lines = new Map(records.map((record) => [record.id, JSON.stringify(record)]))
      expect(lines.size, 'a trial has two records').toBe(records.length)
      for (const [id, line] of seen) expect(lines.get(id), 'a record was lost').toBe(line)
      for (const [id, line] of lines) seen.set(id, line)
    }

    const killed = { parent: 0, child: 0, both: 0 }
    const done = () => killed.parent + killed.child + killed.both
    while (done() < kills) {
      const { child, result } = startCli(args)
      const parent = child.pid!
      const orphans = new Set<number>()
      while (done() < kills && child.exitCode === null && child.signalCode === null) {
        const victim = (['parent', 'child', 'both'] as const)[random.int(3)]!
        await sleep(random.int(LATEST_MS))
        let children = childrenOf(parent)
        // Between two trials there is no child.
        if (victim !== 'parent')
          while (children.length === 0 && isAlive(parent)) {
            await sleep(1)
            children = childrenOf(parent)
          }
        if (!isAlive(parent)) break
        if (victim !== 'parent') children.forEach(kill)
        if (victim !== 'child') {
          children.forEach((pid) => orphans.add(pid))
          kill(parent)
        }
        killed[victim]++
        check()
      }
      kill(parent)
      await result
      check()
      for (let i = 0; i < 20 && [...orphans].some(isAlive); i++) await sleep(100)
      expect([...orphans].filter(isAlive), 'a child outlived its parent').toEqual([])
    }

    const finished = await startCli(args).result
    expect(finished.stdout).toContain(`${trials} of ${trials} trials have a record`)
    check()
    expect(seen.size).toBe(trials)
    const lost = read().filter(({ status }) => status !== 'ok')
    for (const record of lost) expect(record.reason).toMatch(/^ended by SIGKILL/)
    expect(lost.length).toBeLessThan(trials)
    console.log(
      `killed ${killed.parent} times the parent, ${killed.child} the child, ${killed.both} both: ` +
        `${trials} trials have one record each, ${trials - lost.length} ok, ${lost.length} of killed children`,
    )
  },
)
