// The process that tries one reader on damaged files, from a first number to a last one, and tells its parent process of each try.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { isForUser, Random } from '@embed-kd/core'

import { mutate } from './mutate.js'
import { targets } from './targets.js'

const [name, from, to, seed] = [process.argv[2], ...process.argv.slice(3).map(Number)]
const { files: make, damaged: damageable, read } = targets[name]
const work = mkdtempSync(join(tmpdir(), 'embed-kd-fuzz-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
process.once('disconnect', () => process.exit(1))
const tell = (message) => new Promise((resolve) => process.send(message, resolve))

const files = await make(work)
const names = damageable ?? Object.keys(files)
let directories = 0

async function attempt(damaged) {
  const directory = join(work, `${directories++}`)
  for (const [file, bytes] of Object.entries({ ...files, ...damaged })) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    writeFileSync(join(directory, file), bytes)
  }
  try {
    await read(directory, join(directory, 'cache'))
    return { outcome: 'read' }
  } catch (error) {
    if (isForUser(error)) return { outcome: 'clear', message: error.message }
    return { outcome: 'unclear', message: String(error?.stack ?? error) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const valid = await attempt({})
if (valid.outcome !== 'read') throw new Error(`the valid files are not read: ${valid.message}`)
await tell({ type: 'ready' })
for (let index = from; index < to; index++) {
  const random = new Random(seed * 1_000_003 + index)
  const file = names[random.int(names.length)]
  await tell({ type: 'trying', index, file })
  const result = await attempt({ [file]: mutate(files[file], random) })
  await tell({ type: 'tried', index, file, ...result })
}
process.exit(0)
