// Searches for hyperparameters, as the results that used them tell: what was tried for each method on held-out images, what
// was chosen, and at what expense. Trials of a search are no results, and no other figure shows them.
import { type AxisName, axisNames, type Trial } from '../axes.js'
import { SEARCHED_AXES, type SearchedAxis } from '../axis.js'
import type { BenchRecord } from '../schema.js'
import { axisWords, varyingAxes } from '../trial-names.js'
import { compareText, type Configuration } from './corpus.js'
import type { TextTable } from './export.js'
import { counted, formatPercent, formatSeconds, methodName } from './format.js'
import { placeOf } from './method-table.js'
import { isSearch } from './variants.js'

type Searched = NonNullable<BenchRecord['searched']>

export interface Search {
  /** The results that use what the search chose. */
  readonly configuration: Configuration
  readonly trials: Searched['trials']
  /** The values that were searched, in the table's order. */
  readonly axes: readonly SearchedAxis[]
  /** Values of the results, which were the best on held-out images. */
  readonly chosen: Searched['trials'][number] | undefined
  /** Seconds of all trials of the search; absent if their records are not here. */
  readonly seconds?: number
  /** True if a chosen value is the smallest or largest that was tried, so that a better one may lie beyond. */
  readonly atEdge: readonly SearchedAxis[]
}

/** Returns one search for each configuration whose hyperparameters were chosen by one. */
export function searchesOf(
  configurations: readonly Configuration[],
  records: readonly BenchRecord[],
): Search[] {
  const seconds = new Map(
    records
      .filter(({ trial }) => isSearch(trial))
      .map(({ id, wallSeconds }) => [id, wallSeconds] as const),
  )
  return configurations
    .flatMap((configuration): Search[] => {
      const searched = configuration.runs.find((record) => record.searched)?.searched
      return searched === undefined ? [] : [searchOf(configuration, searched.trials, seconds)]
    })
    .sort(
      (a, b) =>
        shareOf(a) - shareOf(b) ||
        placeOf(a.configuration.method) - placeOf(b.configuration.method) ||
        compareText(a.configuration.key, b.configuration.key),
    )
}

const shareOf = ({ configuration: { trial } }: Search) => trial.labels ?? 1

function searchOf(
  configuration: Configuration,
  trials: Searched['trials'],
  seconds: ReadonlyMap<string, number>,
): Search {
  const axes = SEARCHED_AXES.filter((name) =>
    trials.some(({ values }) => values[name] !== undefined),
  )
  const { trial } = configuration
  const chosen = trials.find(({ values }) =>
    axes.every((name) => values[name] === undefined || values[name] === trial[name]),
  )
  const spent = trials.map(({ id }) => seconds.get(id))
  return {
    configuration,
    trials,
    axes,
    chosen,
    atEdge: axes.filter((name) => isAtEdge(name, trials, trial)),
    ...(spent.every((value) => value !== undefined) && {
      seconds: spent.reduce((sum, value) => sum + value, 0),
    }),
  }
}

function isAtEdge(name: SearchedAxis, trials: Searched['trials'], trial: Trial): boolean {
  const values = trials.flatMap(({ values }) => values[name] ?? [])
  const value = trial[name]
  if (value === undefined || new Set(values).size < 3) return false
  return value === Math.min(...values) || value === Math.max(...values)
}

/** Returns one row for each search: what was tried, on what budget, and what was chosen. */
export function searchTable(searches: readonly Search[]): TextTable {
  const varying = varyingAxes(searches.map(({ configuration }) => configuration.trial))
  const names = axisNames.filter(
    (name) => varying.has(name) && !isSearchedName(name) && !UNNAMED.has(name),
  )
  return {
    title: 'Hyperparameters chosen on held-out training images',
    columns: ['Results', 'Chosen', 'Held-out accuracy', 'Others', 'Tried', 'Expense'],
    rows: searches.map((search) => [
      nameOf(search.configuration, names),
      sayChosen(search),
      search.chosen?.accuracy === undefined ? '–' : formatPercent(search.chosen.accuracy),
      sayOthers(search),
      sayTried(search),
      search.seconds === undefined
        ? counted(search.trials.length, 'trial')
        : `${counted(search.trials.length, 'trial')}, ${formatSeconds(search.seconds)}`,
    ]),
  }
}

/** Axes that the name of a search leaves out: the method comes first, and the searched values have columns. */
const UNNAMED: ReadonlySet<AxisName> = new Set<AxisName>(['method', 'search', 'seed'])

const nameOf = ({ method, trial }: Configuration, names: readonly AxisName[]) =>
  [methodName(method), ...names.flatMap((name) => axisWords(trial, name) ?? [])].join(', ')

const isSearchedName = (name: string) => (SEARCHED_AXES as readonly string[]).includes(name)

/** `learning rate 0.0001, 0.001; distillation weight 0.5, 2` */
function sayTried({ trials, axes, configuration }: Search): string {
  return axes
    .map((name) => {
      const values = [...new Set(trials.flatMap(({ values }) => values[name] ?? []))]
      const label = labelOf(name, configuration.trial)
      return `${label} ${values.sort((a, b) => a - b).join(', ')}`
    })
    .join('; ')
}

function sayChosen({ axes, configuration: { trial }, atEdge }: Search): string {
  return axes
    .map(
      (name) =>
        `${labelOf(name, trial)} ${trial[name]}${atEdge.includes(name) ? ' (at the edge)' : ''}`,
    )
    .join('; ')
}

const labelOf = (name: SearchedAxis, trial: Trial) =>
  axisWords(trial, name)?.replace(/ [\d.e+-]+$/, '') ?? name

/** Says the range of the accuracies that were not chosen, and how many trials did not finish. */
function sayOthers({ trials, chosen }: Search): string {
  const others = trials.filter((trial) => trial !== chosen)
  const values = others.flatMap(({ accuracy }) => accuracy ?? [])
  const failed = others.length - values.length
  const ends = values.length === 0 ? [] : [Math.min(...values), Math.max(...values)]
  const range = [...new Set(ends.map(formatPercent))].join(' to ')
  return [range, failed > 0 ? `${failed} did not finish` : ''].filter(Boolean).join('; ') || '–'
}
