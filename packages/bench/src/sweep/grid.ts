// The grid of a sweep: the values of each axis as a configuration file or the command line gives them, and the trials they span.
import { UserError } from '@embed-kd/core'
import type { Student } from '@embed-kd/distill'
import { axes, SEARCHED_AXES, type SearchedAxis, type SearchSpace } from '@embed-kd/records'
import { z } from 'zod'

import { trialConfigSchema, type TrialConfig } from '../axes/config.js'
import { findMethod } from '../axes/methods.js'
import { axisOptions, givenAxes, optionOf, type GivenAxis } from '../axes/table.js'
import { flagOf, itemSchema, valueInTrial } from '../axes/words.js'
import { checkSearch, SEARCH_SEED } from './search.js'

/** The axes that a grid gives lists of. Seeds are counted instead, from `firstSeed` on. */
export type GridAxis = Exclude<GivenAxis, 'seed'>
const isGridAxis = (name: string): name is GridAxis =>
  name !== 'seed' && (givenAxes as string[]).includes(name)
export const gridAxes: readonly GridAxis[] = givenAxes.filter(isGridAxis)
/** In the order in which a grid nests them, outermost first. */
const nestedAxes = Object.keys(axisOptions).filter(isGridAxis)

type Lists = { readonly [Name in GridAxis]?: readonly unknown[] | undefined }

function listSchema(name: GridAxis): z.ZodType {
  const { help, default: values } = optionOf(name)
  const list = z.array(itemSchema(name)).min(1, 'give at least one value').describe(help)
  return values ? list.prefault([...values]) : list.optional()
}

/** The axes that say how long a trial is, one of which a grid gives. */
export const lengthAxes = ['epochs', 'imagesSeen', 'steps'] as const satisfies readonly GridAxis[]

const fromOne = 'give a whole number from 1 on'

const searchedSchema = (name: SearchedAxis) =>
  z.array(itemSchema(name)).min(1, 'give at least one value').optional()

const searchSchema = z
  .strictObject({
    learningRate: searchedSchema('learningRate'),
    weightDecay: searchedSchema('weightDecay'),
    dropout: searchedSchema('dropout'),
    kdWeight: searchedSchema('kdWeight'),
  } satisfies Record<SearchedAxis, z.ZodType>)
  .transform((search) => search as SearchSpace)
  .describe(
    'values of hyperparameters to try for each method, with a seed of their own and judged on held-out training images; results run with the best ones',
  )

const gridSchema = z
  .strictObject({
    ...(Object.fromEntries(gridAxes.map((name) => [name, listSchema(name)])) as {
      [Name in GridAxis]: z.ZodType<readonly unknown[] | undefined>
    }),
    seeds: z
      .int(fromOne)
      .positive(fromOne)
      .default(1)
      .describe('number of repetitions of each configuration, each with another seed'),
    search: searchSchema.optional(),
    firstSeed: trialConfigSchema.shape.seed.default(0).describe('seed of the first repetition'),
  })
  .refine((grid) => lengthAxes.filter((name) => grid[name] !== undefined).length === 1, {
    message:
      'give either epochs or imagesSeen (to train for accuracy), or steps (to measure the cost alone)',
  })

/** The values of each axis. */
export interface Grid extends Lists {
  readonly seeds: number
  readonly firstSeed: number
  readonly search?: SearchSpace | undefined
}

type OneOrMore<T> = T | readonly T[]

/** A grid as a profile or a file says it: one value of an axis, or a list of them. */
export type GridInput = {
  readonly [Name in GridAxis]?: OneOrMore<string | number | Student>
} & { readonly seeds?: number; readonly firstSeed?: number; readonly search?: SearchSpace }

/** The fields of a grid. */
export const gridFields: readonly string[] = Object.keys(gridSchema.shape)

const sweepSchema = z.strictObject({
  grids: z
    .array(gridSchema)
    .min(1, 'give at least one grid')
    .describe('one grid, or several that are run as one sweep'),
})

/** Returns the JSON Schema (draft 2020-12) of a configuration file. */
export function sweepJsonSchema(): object {
  return z.toJSONSchema(sweepSchema, {
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema !== gridSchema) return
      for (const name of gridAxes) {
        const {
          description,
          default: values,
          ...list
        } = jsonSchema.properties![name] as {
          description?: string
          default?: unknown
          items: object
        }
        jsonSchema.properties![name] = {
          ...(description === undefined ? {} : { description }),
          ...(values === undefined ? {} : { default: values }),
          anyOf: [list.items, list],
        } as never
      }
    },
  })
}

/**
 * Reads the grids of a sweep. @param source names the place they come from.
 * @throws UserError naming the first field that is wrong.
 */
export function parseGrids(value: { readonly grids: readonly object[] }, source: string): Grid[] {
  const grids = value.grids.map((grid) =>
    Object.fromEntries(
      Object.entries(grid).map(([field, values]) => [
        field,
        isGridAxis(field) && values !== undefined && !Array.isArray(values) ? [values] : values,
      ]),
    ),
  )
  for (const { search, ...grid } of grids)
    for (const name of SEARCHED_AXES)
      if (grid[name] !== undefined && (search as SearchSpace | undefined)?.[name] !== undefined)
        throw new UserError(
          `${source}: ${axes[name].label} is both given and searched`,
          `leave out ${flagOf(name)}, or its values in the search`,
        )
  const result = sweepSchema.safeParse({ ...value, grids })
  if (result.success) {
    for (const grid of result.data.grids) if (grid.search) checkSearch(grid.search, grid)
    return result.data.grids
  }
  const { path, message } = firstIssue(result.error.issues[0]!)
  const field = path.filter((key) => typeof key === 'string' && key !== 'grids').join('.')
  const place = field === '' ? source : `${source}: ${field}`
  if (!message.startsWith('give '))
    throw new UserError(
      `${place}: ${message}`,
      'embed-kd bench --schema prints what a configuration may say',
    )
  const wrong = valueAt({ grids }, path)
  throw new UserError(
    field === '' ? `${source} cannot be used` : `${place} cannot be ${JSON.stringify(wrong)}`,
    message,
  )
}

type Issue = z.core.$ZodIssue

/** Returns an issue of the last alternative that a value could be: the one with fields of its own. */
function firstIssue(issue: Issue): Pick<Issue, 'path' | 'message'> {
  const inner = issue.code === 'invalid_union' ? issue.errors.at(-1)?.[0] : undefined
  if (!inner) return issue
  const { path, message } = firstIssue(inner)
  return { path: [...issue.path, ...path], message }
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value)

/** A sweep of more trials would take weeks, and its plan alone minutes. */
const MOST_TRIALS = 10_000

/**
 * Returns all trials of the grids, each once: those of searches, then every trial that a search may choose. Seeds are the outermost axis, so that repetitions of one configuration lie far
 * apart in time and a drift of the machine favours no method.
 * @throws UserError if there are too many trials, micro-batches do not divide a batch, or a method's module is not loaded.
 */
export function expandGrids(grids: readonly Grid[]): TrialConfig[] {
  const count = grids.reduce((sum, grid) => sum + sizeOf(grid), 0)
  if (count > MOST_TRIALS)
    throw new UserError(
      `the sweep has ${count} trials, more than ${MOST_TRIALS}`,
      'give fewer values or fewer --seeds, or run it in parts',
    )
  const seeds = Math.max(...grids.map((grid) => grid.seeds))
  const trials = new Map<string, TrialConfig>()
  const add = (grid: Grid, seed: number, purpose?: 'search') => {
    const { search } = grid
    for (const choice of choicesOf({ ...grid, ...search }, nestedAxes)) {
      const trial = trialOf(choice, {
        seed,
        ...(search ? { search } : {}),
        ...(purpose ? { purpose } : {}),
      })
      trials.set(JSON.stringify(trial), trial)
    }
  }
  for (const grid of grids) if (grid.search) add(grid, SEARCH_SEED, 'search')
  for (let repetition = 0; repetition < seeds; repetition++)
    for (const grid of grids) if (repetition < grid.seeds) add(grid, grid.firstSeed + repetition)
  return [...trials.values()]
}

const sizeOf = (grid: Grid): number =>
  gridAxes.reduce(
    (product, name) => product * ({ ...grid, ...grid.search }[name]?.length ?? 1),
    grid.seeds + (grid.search ? 1 : 0),
  )

type Choice = { readonly [Name in GridAxis]?: unknown }

function* choicesOf(grid: Grid, [name, ...inner]: readonly GridAxis[]): Generator<Choice> {
  if (name === undefined) yield {}
  else
    for (const value of grid[name] ?? [undefined])
      for (const choice of choicesOf(grid, inner)) yield { [name]: value, ...choice }
}

function trialOf(
  choice: Choice,
  rest: Pick<TrialConfig, 'seed' | 'search' | 'purpose'>,
): TrialConfig {
  const values = nestedAxes.flatMap((name) => {
    const { inTrial } = optionOf(name)
    const given = valueInTrial(name, choice[name])
    const value = inTrial ? inTrial(given, choice as never) : given
    return value === undefined ? [] : [[name, value]]
  })
  const { module: methodModule } = findMethod(choice.method as string)
  return trialConfigSchema.parse({ ...Object.fromEntries(values), methodModule, ...rest })
}
