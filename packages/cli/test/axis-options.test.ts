// Options of axes: a record's command means the same trial to the command line as to the library, and help shows all defaults.
import { expandGrids, formatRerun, gridFields, parseGrids } from '@embed-kd/bench'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { anyGrid } from '../../bench/test/any-grid.js'
import { benchCommand } from '../src/commands/bench.js'
import { stepCommand } from '../src/commands/step.js'

const expand = (grid: object) => expandGrids(parseGrids({ grids: [grid] }, 'test'))

/** Returns the words that a shell makes of a command that `formatRerun` quoted. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\'/g, (_, quoted: string | undefined) => quoted ?? "'"),
  )

describe('the options of embed-kd bench', () => {
  it('take the command of any record and give its trial', () => {
    fc.assert(
      fc.property(anyGrid, (grid) => {
        for (const trial of expand(grid)) {
          const command = benchCommand()
          command.parseOptions(wordsOf(formatRerun(trial)!).slice(2))
          const fields = Object.entries(command.opts<Record<string, unknown>>())
          const given = Object.fromEntries(fields.filter(([key]) => gridFields.includes(key)))
          expect(expand(given)).toEqual([trial])
        }
      }),
    )
  })
})

describe('the options of embed-kd step', () => {
  it('take the names of defaults, which no trial has', () => {
    const command = stepCommand()
    command.parseOptions(['--precision', 'float32', '--rematerialise', 'none'])
    expect(command.opts()).toEqual(stepCommand().opts())
  })

  it('take switches, which stand alone', () => {
    const command = stepCommand()
    command.parseOptions(['--skip-corrupt', '--max-megapixels', '1'])
    expect(command.opts()).toMatchObject({ skipCorrupt: true, maxMegapixels: 1 })
    expect(stepCommand().opts()).not.toHaveProperty('skipCorrupt')
  })
})

describe('help', () => {
  it.each([
    ['bench', benchCommand()],
    ['step', stepCommand()],
  ])('of %s gives a default for each value', (_, { options }) => {
    for (const { flags, description, required, defaultValue } of options)
      if (required && defaultValue === undefined)
        expect(`${flags} ${description}`).toMatch(/\(.*default: .*\)$/)
  })
})
