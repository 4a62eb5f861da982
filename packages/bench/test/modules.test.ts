// Trials whose method or backend is a module of the user's: what identifies them, and what their records and processes say.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { describe, expect, it } from 'vitest'

import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'
import { loadMethods } from '../src/axes/methods.js'
import { redactRecord } from '../src/measure/redact.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { makeRecord } from '../src/sweep/make-record.js'
import { planTrials } from '../src/sweep/plan.js'
import { formatRerun, parseRerun } from '../src/sweep/rerun.js'
import { captureEnvironment } from '../src/measure/environment.js'
import { loadPlannedModules } from '../src/trial/planned-modules.js'

const directory = temporaryDirectory()
const dataset = writeTinyDataset(join(directory, 'tiny'))
const example = (name: string) => new URL(`../../../examples/${name}`, import.meta.url)

/** A copy of a module in a directory of its own, which imports the library by its path. */
function copyOf(name: string): string {
  const copy = join(temporaryDirectory(), name)
  copyFileSync(example(name), copy)
  const core = pathToFileURL(join(import.meta.dirname, '../../core/dist/index.js')).href
  writeFileSync(copy, readFileSync(copy, 'utf8').replaceAll("'@embed-kd/core'", `'${core}'`))
  return copy
}

const plan = async (fields: object) =>
  (
    await planTrials(
      expandGrids(parseGrids({ grids: [tinyGrid(dataset, { steps: 1, ...fields })] }, 'test')),
    )
  )[0]!

const others: readonly (readonly ['method' | 'backend', string, string])[] = [
  ['method', 'custom-method.mjs', 'pull-kd'],
  ['backend', 'float32-backend.js', 'float32:js'],
]

describe.each(others)('a %s from a module', (axis, file, name) => {
  const planOf = async (path: string, fields: object = {}) => {
    if (axis === 'method') await loadMethods([path])
    return plan({ ...fields, [axis]: [path] })
  }

  it('is named in the record, with a relative path and a digest', async () => {
    const { description } = await planOf(copyOf(file))
    expect(description[axis]).toBe(name)
    expect(description[`${axis}Module`]).toEqual({
      specifier: expect.stringMatching(new RegExp(`^\\.\\./.*/${file}$`)),
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  it('is refused in the process of a trial if it was changed', async () => {
    const path = copyOf(file)
    const { config } = await planOf(path)
    await loadPlannedModules(config)
    const module = `${axis}Module` as const
    const changed = { ...config, [module]: { ...config[module]!, digest: 'another' } }
    await expect(loadPlannedModules(changed)).rejects.toThrow('was changed after the trial')
  })

  it('is run again by the command in the record', async () => {
    const { config } = await planOf(copyOf(file), { student: ['small'] })
    expect(parseRerun(formatRerun(config)!)).toEqual({ ...config, backendModule: undefined })
  })
})

describe('a plug-in backend', () => {
  it('is identified by its name and content, not by its path', async () => {
    const [one, moved, edited] = [
      copyOf('float32-backend.js'),
      copyOf('float32-backend.js'),
      copyOf('float32-backend.js'),
    ]
    writeFileSync(edited, `${readFileSync(edited, 'utf8')}\n// edited\n`)
    const { id } = await plan({ backend: [one] })
    expect((await plan({ backend: [moved] })).id).toBe(id)
    expect((await plan({ backend: [edited] })).id).not.toBe(id)
  })
})

describe('a record', () => {
  it('keeps no directories above data and no home directory of a module', async () => {
    const trial = await plan({ backend: [copyOf('float32-backend.js')] })
    const outcome = { status: 'error', reason: 'none' } as const
    const environment = await captureEnvironment()
    const made = makeRecord(trial, outcome, { startedAt: new Date(0), wallSeconds: 1, environment })
    expect(made.trial.dataset.name).toBe('idx:tiny')
    const backendModule = { specifier: '/home/ann/backend.js', digest: 'd' }
    const dirty = { ...made, trial: { ...made.trial, backendModule } }
    expect(redactRecord(dirty).trial.backendModule!.specifier).toBe('~/backend.js')
  })
})
