// Four processes want the lock of a dead one at the same moment, again and again: exactly one may get it.
// EMBED_KD_LOCK_ROUNDS says how often (default 200; 10000 take about two minutes). Needs the built package, as takers run from it.
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { FileLock } from '../src/node/files/lock.js'
import { temporaryDirectory } from './temporary.js'

const ROUNDS = Number(process.env['EMBED_KD_LOCK_ROUNDS'] ?? 200)
const TAKERS = 4
const options = { holder: 'run', remedy: 'wait for it' }

const directory = temporaryDirectory()
let places = 0
const newPlace = () => join(directory, `${places++}.lock`)

/** The content of a lock whose process has ended. */
function deadLock(changes: object = {}): string {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const place = newPlace()
  const lock = FileLock.take(place, options)
  const content = JSON.parse(readFileSync(place, 'utf8'))
  lock.release()
  return JSON.stringify({ ...content, pid, ...changes })
}

describe('a lock', () => {
  it('has one holder, who leaves nothing behind', () => {
    const place = newPlace()
    const lock = FileLock.take(place, options)
    expect(() => FileLock.take(place, options)).toThrow(
      new RegExp(`another run \\(process ${process.pid} on .*\\) writes to .*; wait for it`),
    )
    lock.check()
    lock.release()
    FileLock.take(place, options).release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is taken over from a dead process, whose children it names', () => {
    const place = newPlace()
    const lock = FileLock.take(place, options)
    lock.noteChildren([process.pid])
    const { children, ...content } = JSON.parse(readFileSync(place, 'utf8'))
    lock.release()
    writeFileSync(place, JSON.stringify({ ...content, children, pid: 2 ** 22 + 1 }))
    const next = FileLock.take(place, options)
    expect(next.survivors).toMatchObject([{ pid: process.pid }])
    next.release()
    expect(existsSync(place)).toBe(false)
  })

  it('of another machine is taken over once its heartbeat is a minute old, and not before', () => {
    const place = newPlace()
    writeFileSync(place, deadLock({ machine: 'another', host: 'node17' }))
    const minuteAgo = Date.now() / 1000 - 61
    utimesSync(place, minuteAgo, minuteAgo)
    FileLock.take(place, options).release()

    writeFileSync(place, deadLock({ machine: 'another', host: 'node17' }))
    const lately = Date.now() / 1000 - 58
    utimesSync(place, lately, lately)
    const began = performance.now()
    FileLock.take(place, options).release()
    expect(performance.now() - began).toBeGreaterThan(1000)
  })

  it('that was lost says so, and its release takes nothing from the new holder', () => {
    const place = newPlace()
    const lock = FileLock.take(place, options)
    // As if this process had been suspended on another machine.
    const content = JSON.parse(readFileSync(place, 'utf8'))
    writeFileSync(place, JSON.stringify({ ...content, pid: 2 ** 22 + 1 }))
    const next = FileLock.take(place, options)
    expect(() => lock.check()).toThrow('this run no longer holds')
    lock.release()
    next.check()
    next.release()
    expect(existsSync(place)).toBe(false)
  })

  it('that cannot be read is named with its remedy', () => {
    const place = newPlace()
    writeFileSync(place, 'host 12 345')
    expect(() => FileLock.take(place, options)).toThrow(/is no lock .*; delete it/)
  })
})

describe(`${TAKERS} processes`, { timeout: 60_000 + ROUNDS * 100 }, () => {
  let takers: ChildProcess[]
  beforeAll(async () => {
    const taker = fileURLToPath(new URL('fixtures/lock-taker.js', import.meta.url))
    takers = Array.from({ length: TAKERS }, () => fork(taker, { execArgv: [] }))
    await Promise.all(takers.map((child) => once(child, 'message')))
  })
  afterAll(() => takers.forEach((child) => child.kill()))

  const ask = async (message: object): Promise<string[]> => {
    const answers = takers.map(async (child) => (await once(child, 'message'))[0] as string)
    for (const child of takers) child.send(message)
    return Promise.all(answers)
  }

  it(`take ${ROUNDS} stale locks, one each`, async () => {
    const stale = deadLock()
    const counted = { held: 0, refused: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const place = newPlace()
      writeFileSync(place, stale)
      const answers = await ask({ path: place, at: Date.now() + 2 })
      const held = answers.filter((answer) => answer === 'held').length
      expect(answers.filter((answer) => answer !== 'held' && answer !== 'refused')).toEqual([])
      expect(held, `holders in round ${round}`).toBe(1)
      counted.held += held
      counted.refused += TAKERS - held
      await ask({ release: true })
      expect(existsSync(place)).toBe(false)
    }
    console.log(`${ROUNDS} rounds: ${counted.held} held, ${counted.refused} refused`)
    expect(readdirSync(directory).filter((name) => name.includes('.lock.'))).toEqual([])
  })
})
