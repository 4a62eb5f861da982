// Code blocks of guides and READMEs work: programs compile and run, commands have the options that they are shown with.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { codeBlocks, root } from './pages.js'

const blocks = codeBlocks()
const backendExample = readFileSync(join(root, 'examples/float32-backend.js'), 'utf8')
// Quotations of an example are tested with it; every other block is a whole program.
const programs = blocks.filter(
  ({ language, text }) => ['ts', 'js'].includes(language) && !backendExample.includes(text),
)
const fileOf = (place: string) => join(programsDirectory, `${place.replaceAll(/\W+/g, '-')}.ts`)

// Inside the repository, so that the programs find its packages.
const programsDirectory = join(import.meta.dirname, '../.blocks')
const workDirectory = mkdtempSync(join(tmpdir(), 'embed-kd-docs-'))

beforeAll(() => {
  rmSync(programsDirectory, { recursive: true, force: true })
  mkdirSync(programsDirectory)
  for (const { place, text } of programs) writeFileSync(fileOf(place), text)
  // The name that the guides give a reader's own backend.
  writeFileSync(join(programsDirectory, 'my-backend.js'), backendExample)
  writeFileSync(
    join(programsDirectory, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.base.json',
      compilerOptions: { noEmit: true, composite: false, allowJs: true, types: ['node'] },
      include: ['*.ts'],
    }),
  )
  process.chdir(workDirectory)
})
afterAll(() => {
  process.chdir(root)
  for (const directory of [programsDirectory, workDirectory]) rmSync(directory, { recursive: true })
})

describe('programs', () => {
  it('compile', () => {
    const tsc = join(root, 'node_modules/.bin/tsc')
    execFileSync(tsc, ['-p', programsDirectory], { stdio: 'inherit' })
  })

  // A program that is itself a test is not run inside a test.
  const runnable = programs.filter(({ text }) => !text.includes("from 'vitest'"))
  it.each(runnable.map(({ place }) => place))('%s runs', async (place) => {
    await import(fileOf(place))
  })
})

describe('commands', () => {
  const help = new Map<string, string>()
  const helpOf = (command: string): string => {
    if (!help.has(command)) {
      const cli = join(root, 'packages/cli/bin/embed-kd.js')
      help.set(command, execFileSync(cli, [command, '--help'], { encoding: 'utf8' }))
    }
    return help.get(command)!
  }

  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ place, text }) =>
      [...text.replaceAll(/\\\n\s*/g, ' ').matchAll(/^npx embed-kd (\S+)(.*)$/gm)].map((match) => ({
        place,
        command: match[1]!,
        words: match[2]!.split(/\s+/),
      })),
    )

  it('are found', () => expect(commands.length).toBeGreaterThan(5))

  it.each(commands)('$place: $command', ({ command, words }) => {
    for (const word of words)
      if (word.startsWith('--')) expect(helpOf(command)).toMatch(new RegExp(`${word}\\b`))
  })
})
