// Methods from modules of users: what is found in a module, what its digest covers, and what each mistake says.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { UserError } from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import { digestModule } from '../src/node/files/user-module.js'
import { loadMethod } from '../src/node/run/method.js'
import { temporaryDirectory } from './temporary.js'

const directory = temporaryDirectory()
const write = (name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}
const method = (label: string, loss = 'op.mean(op.mul(embedding, embedding))') =>
  `{ label: '${label}', description: 'shrinks embeddings', teacher: 'none', loss: ({ embedding, op }) => ${loss} }`
/** Loads a module with this text. */
const load = (name: string, text: string, choice = '') => loadMethod(write(name, text) + choice)

describe('a method from a module', () => {
  it.each([
    ['default.mjs', `export default ${method('My KD')}`, '', 'my-kd'],
    ['only.mjs', `export const mine = ${method('Mine')}`, '', 'mine'],
    ['common.cjs', `module.exports = ${method('Old')}`, '', 'old'],
    ['two.mjs', `export const a = ${method('A')}, b = ${method('B')}`, '#b', 'b'],
    ['main.mjs', `export const a = ${method('A')}; export default ${method('Main')}`, '', 'main'],
  ])('is its default export, its only one, or the one that is named: %s', async (...given) => {
    const [file, text, choice, name] = given
    const loaded = await load(file, text, choice)
    expect(loaded).toMatchObject({ name, definition: { teacher: 'none', needsLabels: true } })
    expect(loaded.module!.specifier).toMatch(new RegExp(`^\\.\\.?/.*${file}${choice}$`))
    expect(loaded.module!.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  it.each([
    ['none.mjs', 'export const x = 1', '', 'exports no method; it must have: export default'],
    ['throws.mjs', `throw new Error('boom')`, '', 'cannot be loaded: boom; run it by itself'],
    ['syntax.mjs', 'export default {', '', 'cannot be loaded: '],
    [
      'import.mjs',
      `import 'no-such-package'`,
      '',
      'imports no-such-package, which is not installed',
    ],
    [
      'many.mjs',
      `export const a = ${method('A')}, b = ${method('B')}`,
      '',
      'several methods: a, b',
    ],
    [
      'wrong.mjs',
      `export const pull = ${method('A')}`,
      '#pul',
      'did you mean pull? it exports pull',
    ],
    ['named.mjs', `export default ${method('Embed-KD')}`, '', 'a built-in method has this name'],
    ['field.mjs', `export default { ...${method('A')}, teecher: 1 }`, '', 'no field "teecher"'],
  ])('is refused with the reason: %s', async (file, text, choice, message) => {
    const failed = load(file, text, choice)
    await expect(failed).rejects.toThrow(UserError)
    await expect(failed).rejects.toThrow(message)
  })

  it('is looked for among the files that are there', async () => {
    write('present.mjs', '')
    await expect(loadMethod(join(directory, 'presnt.mjs'))).rejects.toThrow(
      /there is no file .*presnt.mjs; did you mean present.mjs\?/,
    )
    await expect(loadMethod('embd-kd')).rejects.toThrow(
      'there is no method "embd-kd"; did you mean',
    )
  })

  it('says the line at which its loss fails', async () => {
    const { definition } = await load('line.mjs', `export default ${method('L', '\nnothing()')}`)
    const inputs = {} as Parameters<NonNullable<typeof definition.loss>>[0]
    expect(() => definition.loss!(inputs)).toThrow(
      /the loss of .*line.mjs fails: nothing is not defined; change line 2/,
    )
  })

  it('has a digest of its own text and of the files that it imports by relative paths', () => {
    mkdirSync(join(directory, 'parts'))
    const part = write('parts/part.mjs', 'export const x = 1')
    const main = write('whole.mjs', `import { x } from './parts/part.mjs'\nexport { x }`)
    write('parts/loop.mjs', '')
    const before = digestModule(main)
    expect(digestModule(main)).toBe(before)
    write('parts/part.mjs', `import './loop.mjs'\nexport const x = 2`)
    const edited = digestModule(main)
    write('parts/loop.mjs', `import '../whole.mjs'`)
    expect(new Set([before, edited, digestModule(main), digestModule(part)]).size).toBe(4)
  })
})
