// A sweep over images of which some cannot be decoded: the record and its command say what was skipped.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, type BenchRecord } from '@embed-kd/records'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'

import { runCli, temporaryDirectory } from './cli.js'

const directory = temporaryDirectory()
const photos = join(directory, 'photos')
const out = join(directory, 'out')

beforeAll(async () => {
  const background = { r: 90, g: 140, b: 30 }
  const picture = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background } }).png()
  for (const place of ['train/a', 'train/b', 'test/a', 'test/b']) {
    mkdirSync(join(photos, place), { recursive: true })
    for (let i = 0; i < 4; i++) await picture(8 + i, 8).toFile(join(photos, place, `${i}.png`))
  }
  writeFileSync(join(photos, 'train/a/broken.png'), 'no image')
  await picture(1100, 1000).toFile(join(photos, 'train/b/large.png'))
})

const student = 'vit:width=8,layers=1,heads=2,patch=4,image=8'
const trial = ['--method', 'supervised', '--student', student, '--dataset', `images:${photos}`]
const bench = (...args: string[]) =>
  runCli(
    'bench',
    '--steps',
    '1',
    ...trial,
    '--data-size',
    '8',
    '--batch',
    '4',
    '--preset',
    'paper',
    '--out',
    out,
    ...args,
  )

describe('--skip-corrupt and --max-megapixels', { timeout: 120_000 }, () => {
  it('are part of a trial: of its record, its command and its resumption', async () => {
    const refused = await bench()
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/broken\.png: it cannot be decoded .*--skip-corrupt/)

    const skip = ['--skip-corrupt', '--max-megapixels', '1']
    const done = await bench(...skip)
    expect(done.stderr).toMatch(/broken\.png: it cannot be decoded .*; skipped/)
    expect(done.stderr).toMatch(/large\.png: .* more than 1 megapixels.*; skipped/)
    expect(done.code).toBe(0)
    const { records } = parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8'))
    const described = { skipCorrupt: true, maxMegapixels: 1, dataset: { trainSize: 8 } }
    expect(records).toMatchObject([{ status: 'ok', trial: described }])
    expect(records[0]!.rerunCommand).toMatch(/ --skip-corrupt --max-megapixels 1 /)

    expect((await bench(...skip, '--resume', '--json')).stdout).toContain('"ran":0')

    // With a higher limit the large image is there: another trial, of other data.
    const { stdout } = await bench('--skip-corrupt', '--dry-run', '--json')
    const [other] = (JSON.parse(stdout) as { trials: BenchRecord[] }).trials
    expect(other!.trial).toMatchObject({ skipCorrupt: true, dataset: { trainSize: 9 } })
    expect(other!.id).not.toBe(records[0]!.id)
  })
})
