// A part of the fuzzing that `npm run fuzz` does: damaged files are read, or refused with a clear error, by every reader; none hangs,
// crashes, or takes 512 MiB more. EMBED_KD_FUZZ is the number of tries of all readers together (default 500).
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { expect, it } from 'vitest'

const TRIES = Number(process.env['EMBED_KD_FUZZ'] ?? 500)
const fuzzer = (...args: string[]) =>
  execFileSync(
    process.execPath,
    [fileURLToPath(new URL('../fuzz/fuzz.js', import.meta.url)), ...args],
    {
      encoding: 'utf8',
    },
  )
const READERS = 13

it('every reader reads damaged files or refuses them clearly', { timeout: 600_000 }, () => {
  const table = fuzzer('--count', `${Math.ceil(TRIES / READERS)}`, '--seed', `${Date.now() % 1e6}`)
  console.log(table)
  expect(table.trim().split('\n')).toHaveLength(READERS + 2)
})
