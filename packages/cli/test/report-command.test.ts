// `embed-kd report` from end to end: compressed files, directories, standard input, Windows files and damaged lines.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { formatRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { syntheticRecords } from '../../records/test/synthetic.js'
import { runCli, startCli, temporaryDirectory } from './cli.js'

const text = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 2 })
  .map(formatRecord)
  .join('')
const directory = temporaryDirectory()
const out = join(directory, 'report.html')
const place = (name: string, content: string | Buffer): string => {
  const file = join(directory, name)
  writeFileSync(file, content)
  return file
}

describe('embed-kd report', () => {
  it.each([
    ['a file', () => place('a.jsonl', text)],
    ['a compressed file', () => place('b.jsonl.gz', gzipSync(text))],
    ['a file from Windows', () => place('c.jsonl', `\uFEFF${text.replaceAll('\n', '\r\n')}`)],
    ['a directory, each record once', () => directory],
  ])('reads %s', async (_name, path) => {
    const { code, stdout, stderr } = await runCli('report', path(), '--out', out, '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ records: 8, summarized: false, skipped: [] })
    expect(readFileSync(out, 'utf8')).toContain('id="payload">{')
  })

  it('reads standard input', async () => {
    const { child, result } = startCli(['report', '-', '--out', out, '--json'], 'pipe')
    child.stdin!.end(gzipSync(text))
    expect(JSON.parse((await result).stdout)).toMatchObject({ records: 8 })
  })

  it('names the lines that it skips', async () => {
    const damaged = place('d.txt', `${text}{"half":\n`)
    const { code, stderr } = await runCli('report', damaged, '--out', out)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^skipped line 9 of .*d\.txt: is not JSON/)
  })

  it('says why a damaged archive cannot be read', async () => {
    const archive = place('e.gz', gzipSync(text).subarray(0, 200))
    const { code, stderr } = await runCli('report', archive, '--out', out)
    expect(code).toBe(1)
    expect(stderr).toMatch(/e\.gz ends in the middle of its compressed data/)
  })

  it('takes a trial that was run again as another run', async () => {
    const later = text.replaceAll('2026-11-23', '2026-11-24')
    const { stdout } = await runCli(
      'report',
      place('f.jsonl', text + later),
      '--out',
      out,
      '--json',
    )
    expect(JSON.parse(stdout)).toMatchObject({ records: 16 })
  })
})
