// Files that are written whole: links stay links, pipes stay pipes, and what cannot be written is told in one line.
import { execFileSync, spawn } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { UserError } from '@embed-kd/core'
import { expect, it } from 'vitest'

import { RowWriter } from '../src/node/embeddings/row-writer.js'
import { checkOutputFile, writeOutputFile } from '../src/node/files/output-file.js'
import { temporaryDirectory } from './temporary.js'

it('writes through a link, and leaves no other file', () => {
  const directory = temporaryDirectory()
  const [file, link] = [join(directory, 'a/b/file'), join(directory, 'link')]
  writeOutputFile(file, 'old')
  symlinkSync(file, link)
  writeOutputFile(link, 'new')
  expect(readFileSync(file, 'utf8')).toBe('new')
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(readdirSync(join(directory, 'a/b'))).toEqual(['file'])
})

it.runIf(process.platform === 'linux')('writes into a pipe, which stays one', async () => {
  const pipe = join(temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [pipe])
  const read = text(spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
  writeOutputFile(pipe, 'through')
  expect(await read).toBe('through')
  expect(lstatSync(pipe).isFIFO()).toBe(true)
  expect(() => checkOutputFile(pipe)).toThrow('pipe is no file; give the name of a file')
})

it('says what cannot be written', () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'directory'))
  writeFileSync(join(directory, 'file'), '')
  const inside = join(directory, 'file/inside')
  for (const write of [
    () => writeOutputFile(join(directory, 'directory'), ''),
    () => writeOutputFile(inside, ''),
    () => new RowWriter(inside, 1, new Map(), {}),
  ]) {
    expect(write).toThrow(UserError)
    expect(write).toThrow(/cannot be written \((EISDIR|ENOTDIR|EEXIST).*; choose another --out$/)
  }
  expect(readdirSync(directory)).toEqual(['directory', 'file'])
})
