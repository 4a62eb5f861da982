// Ctrl-C while images are decoded: every command that reads data says so, and leaves nothing unfinished behind.
import { spawn } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'

import { temporaryDirectory } from './cli.js'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const directory = temporaryDirectory()
const photos = join(directory, 'photos')

// One large image under many names takes long to decode and little room.
beforeAll(async () => {
  const background = { r: 90, g: 140, b: 30 }
  const create = { width: 3000, height: 3000, channels: 3, background } as const
  const image = await sharp({ create }).jpeg().toBuffer()
  for (const place of ['train/a', 'train/b', 'test/a', 'test/b']) {
    mkdirSync(join(photos, place), { recursive: true })
    const first = join(photos, place, '0.jpg')
    writeFileSync(first, image)
    for (let i = 1; i < 100; i++) linkSync(first, join(photos, place, `${i}.jpg`))
  }
})

const data = ['--dataset', `images:${photos}`, '--data-size', '32']
const commands: readonly (readonly string[])[] = [
  ['bench', '--method', 'supervised', '--steps', '1', '--out', join(directory, 'bench')],
  ['step', '--method', 'supervised'],
  ['distill', '--method', 'supervised', '--out', join(directory, 'distill')],
]

describe('Ctrl-C while images are decoded', { timeout: 60_000 }, () => {
  it.each(commands)('leaves nothing unfinished: %s', async (...args) => {
    const cache = join(directory, args[0]!, 'cache')
    mkdirSync(cache, { recursive: true })
    const child = spawn(process.execPath, [CLI, ...args, ...data], {
      env: { ...process.env, XDG_CACHE_HOME: cache },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    const files = () => readdirSync(cache, { recursive: true, encoding: 'utf8' })
    const isDecoding = () => files().some((name) => name.endsWith('.tmp'))
    while (!isDecoding() && child.exitCode === null) await sleep(20)
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(stderr).toContain('interrupted: no decoded images were kept')
    expect(files().filter((name) => /\.(tmp|bin)/.test(name))).toEqual([])
  })
})
