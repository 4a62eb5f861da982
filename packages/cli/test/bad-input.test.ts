// What a user can get wrong: one clear line with its remedy, no stack trace, nothing written. The exit code is 2 if the command
// line cannot be understood, and 1 if what it names cannot be used.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, describe, expect, it } from 'vitest'

import { formatTable } from '@embed-kd/records/terminal'
import { runCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const directory = temporaryDirectory()
const out = join(directory, 'out')
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

const noLabels = join(directory, 'no-labels')
writeTinyDataset(noLabels)
unlinkSync(join(noLabels, 'train-labels-idx1-ubyte'))

const truncated = join(directory, 'truncated')
writeTinyDataset(truncated)
const images = join(truncated, 'train-images-idx3-ubyte')
truncateSync(images, readFileSync(images).length - 10)

const broken = join(directory, 'broken')
for (const place of ['train/a', 'train/b', 'test/a', 'test/b']) {
  mkdirSync(join(broken, place), { recursive: true })
  writeFileSync(join(broken, place, 'x.png'), 'no image')
}

const supervised = [
  '--method',
  'supervised',
  '--dataset',
  writeTinyDataset(join(directory, 'tiny')),
]
const quick = fileURLToPath(new URL('../../../docs/results/quick.jsonl', import.meta.url))

const blocked = file('blocked', 'a file, no directory')
const notPlugin = file('not-a-plugin.mjs', 'export const something = 1')

const cases: readonly [what: string, args: string[], message: RegExp][] = [
  ['an unknown backend', ['--backend', 'abacus'], /unknown backend "abacus"; choose one of ort/],
  ['an unknown device', ['--backend', 'ort:abacus'], /no device "abacus"; choose one of ort:cpu/],
  ['a plug-in that is not there', ['--backend', './no.js'], /there is no file \.\/no\.js/],
  ['a plug-in that is none', ['--backend', notPlugin], /must export \{ backend \}/],
  [
    'an unknown method',
    ['--method', 'osmosis'],
    /--method cannot be "osmosis"; give one of supervised, logit-kd/,
  ],
  [
    'an image that cannot be decoded',
    ['--dataset', `images:${broken}`],
    /a\/x\.png: it cannot be decoded \(.*\); repair or remove it, or have such images skipped \(--skip-corrupt\)/,
  ],
  ['an unknown teacher', ['--teacher', 'socrates'], /there is no teacher socrates; give/],
  ['an unknown student', ['--student', 'plato'], /unknown student "plato"; choose one of small/],
  [
    'an unknown preset',
    ['--preset', 'wild'],
    /--preset cannot be "wild"; give one of paper, corrected/,
  ],
  ['an unknown data set', ['--dataset', 'mnits'], /"mnits": there is none.*give one of mnist/],
  [
    'a missing file of data',
    ['--dataset', `idx:${noLabels}`],
    /train-labels-idx1-ubyte: there is no such file/,
  ],
  ['a truncated file of data', ['--dataset', `idx:${truncated}`], /train-images-idx3-ubyte: .*;/],
  ['a batch the data cannot fill', ['--batch', '70000'], /a batch of 70000 needs as many images/],
  [
    'a batch that is no number',
    ['--batch', 'many'],
    /--batch cannot be "many"; give a whole number from 1 on/,
  ],
  [
    'epochs and steps',
    ['--epochs', '1'],
    /cannot be used; give either epochs or imagesSeen \(to train for accuracy\), or steps/,
  ],
  [
    'an unwritable directory',
    ['--out', join(blocked, 'x')],
    /cannot be written .*choose a directory/,
  ],
  ['a directory in /proc', ['--out', '/proc/no'], /\/proc\/no cannot be written/],
  ['an unknown profile', ['--profile', 'slow'], /unknown profile "slow"; choose one of quick/],
  ["a profile that is JavaScript's", ['--profile', 'toString'], /unknown profile "toString"/],
  [
    'a learning rate of 0',
    ['--learning-rate', '0'],
    /--learning-rate cannot be "0"; give a number/,
  ],
  [
    'too many seeds',
    ['--seeds', '4000000000'],
    /the sweep has 16000000000 trials, more than 10000/,
  ],
  [
    'a size of images of one size',
    ['--data-size', '64'],
    /--data-size does not apply to it.*leave out --data-size/,
  ],
  ['a missing configuration', ['--config', 'no.json'], /no\.json cannot be read as JSON/],
  ['a wrong configuration', ['--config', file('a.json', '{"grids": [{"bach": [1]}]}')], /bach/],
  ['an unknown option', ['--frobnicate'], /unknown option '--frobnicate'/],
  ['a shard that is none', ['--shard', '3/2'], /--shard cannot be "3\/2"; give part\/parts/],
  ['an empty path', ['--out', ''], /--out cannot be ""; give a value/],
  ['too many shards', ['--shard', '1/1000000000'], /at most 99999 parts/],
  [
    'a size that is none',
    ['--memory-limit', 'lots'],
    /--memory-limit cannot be "lots"; give a size such as 900M or 2G/,
  ],
]

/** The hint that ends every error of a command line that cannot be understood. */
const exitCodeOf = (stderr: string) => (stderr.includes('(embed-kd COMMAND --help') ? 2 : 1)

const answers: string[][] = []
// The table that shows what each of them prints.
afterAll(() => console.log(formatTable(['bad input', 'what is printed'], answers)))
const note = (what: string, stderr: string) =>
  answers.push([what, stderr.trim().replaceAll('\n', ' ').replaceAll(`${directory}/`, '')])

describe('embed-kd bench', () => {
  it.each(cases)('complains of %s', async (what, args, message) => {
    const length = args.includes('--profile') || args.includes('--config') ? [] : ['--steps', '1']
    const where = args.includes('--out') ? [] : ['--out', out]
    const { code, stdout, stderr } = await runCli('bench', ...length, ...where, ...args)
    note(what, stderr)
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^error: /)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
    expect({ code, stdout }).toEqual({ code: exitCodeOf(stderr), stdout: '' })
    expect(existsSync(out)).toBe(false)
  })
})

describe('the other commands', () => {
  it.each([
    [['step', '--method', 'osmosis'], /method/],
    [['step', '--teacher', 'socrates'], /there is no teacher socrates/],
    [['report', '/no/such/place'], /\/no\/such\/place cannot be read/],
    [['report', directory], /holds no records/],
    [['merge', notPlugin, '--out', out], /holds no records/],
    [['merge', directory], /required option '--out <file>'/],
    [['merge', quick, '--out', directory], /cannot be written \(EISDIR.*choose another --out/],
    [['distill', ...supervised, '--out', '/proc/no'], /directory \/proc\/no cannot be made/],
    [['distill', ...supervised, '--out', out, '--pooling', 'cls'], /no meaning without a live/],
    [['bundle', '--out', 'x.zip'], /x\.zip is no name of an archive; give one that ends in \.tar/],
    [['doctor', '--backend', 'abacus'], /unknown backend "abacus"/],
    [['frobnicate'], /unknown command 'frobnicate'/],
  ] as [string[], RegExp][])('complain: %j', async (args, message) => {
    const { code, stderr } = await runCli(...args)
    note(args.join(' ').replaceAll(`${directory}/`, ''), stderr)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(code).toBe(exitCodeOf(stderr))
  })
})
