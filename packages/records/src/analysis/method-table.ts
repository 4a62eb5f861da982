// Methods against each other in accuracy: tables of methods × label shares, in which each method is tested against training
// without a teacher and against the live teacher. Configurations of one table agree in everything that a method does not
// choose for itself.
import { axes, type AxisName, axisNames, METHODS, type Trial } from '../axes.js'
import { axisKey, axisWords, varyingAxes } from '../trial-names.js'
import { accuracyDifference, summaryOf } from './compare.js'
import { isControl } from './variants.js'
import { compareText, type Configuration, type Scope, teacherName } from './corpus.js'
import { methodName } from './format.js'
import { firstStart } from './history.js'
import { accuracy } from './measures.js'
import { PAPER_METHODS } from './paper.js'
import { holm } from './significance.js'
import { type Difference, pValueOf, type Summary } from './statistics.js'

/** The methods that the others are tested against. */
export const BASELINES = [PAPER_METHODS.without, PAPER_METHODS.replaced] as const
export type Baseline = (typeof BASELINES)[number]

/** Axes that methods share within a column, and in which the columns of a table differ. */
const COLUMN_AXES = [
  'labels',
  'epochs',
  'imagesSeen',
  'learningRate',
  'weightDecay',
  'dropout',
  'search',
] as const satisfies readonly AxisName[]
/** Axes that a method without a teacher, or without a distillation loss, does not have. */
const METHOD_AXES = ['teacher', 'kdWeight'] as const satisfies readonly AxisName[]

const isIn = (names: readonly AxisName[], name: AxisName) => names.includes(name)
const TABLE_AXES = axisNames.filter(
  (name) =>
    (axes[name].role === 'scope' || axes[name].role === 'setting') &&
    !isIn(COLUMN_AXES, name) &&
    !isIn(METHOD_AXES, name),
)
const VARIANT_AXES = axisNames.filter((name) => axes[name].role === 'variant')

/** Two rows of one column, tested against each other. */
export interface Test {
  readonly difference: Difference
  /** Two-sided p-value of no difference; absent if a single run leaves no interval. */
  readonly p?: number
  /** `p` after Holm's correction over the methods tested against the same baseline in the same column. */
  readonly corrected?: number
}

export interface Cell {
  readonly configuration: Configuration
  readonly accuracy: Summary
  /** Tests against the baselines; absent for the baseline itself, and if the baseline was not run. */
  readonly against: Readonly<Partial<Record<Baseline, Test>>>
}

export interface MethodRow {
  readonly name: string
  readonly method: string
  /** One cell for each column; undefined if the method has no accuracy there. */
  readonly cells: readonly (Cell | undefined)[]
}

export interface MethodTable {
  readonly scope: Scope
  readonly teacher: string
  /** Words for the axes in which this table differs from the other tables. */
  readonly setting: string
  /** Names of the columns: share of labels, and whatever else differs among them. */
  readonly columns: readonly string[]
  readonly rows: readonly MethodRow[]
}

interface Group {
  readonly key: string
  readonly items: readonly Configuration[]
}

/**
 * Returns the tables of the settings in which at least two methods have an accuracy, fullest first.
 * @param most number of tables to make; `rest` counts the settings beyond it.
 */
export function methodTablesOf(
  configurations: readonly Configuration[],
  most = Infinity,
): { readonly tables: readonly MethodTable[]; readonly rest: number } {
  const settings = new Map<string, Configuration[]>()
  for (const item of configurations) {
    if (isControl(item.trial) || summaryOf(item, accuracy) === undefined) continue
    const { table: key } = keysOf(item)
    const group = settings.get(key)
    if (group === undefined) settings.set(key, [item])
    else group.push(item)
  }
  const groups = Array.from(settings, ([key, items]) => byTeacher(key, items)).flat()
  const compared = groups
    .filter(({ items }) => new Set(items.map((item) => keysOf(item).variant)).size > 1)
    .sort(
      (a, b) =>
        b.items.length - a.items.length ||
        inOrder(lastOf(a), lastOf(b)) ||
        compareText(a.key, b.key),
    )
  const nameSetting = settingNamer(compared.map(lastOf))
  return {
    tables: compared.slice(0, most).map(({ items }) => tableOf(items, nameSetting)),
    rest: Math.max(0, compared.length - most),
  }
}

/** The configurations of a group begin with those that have no teacher. */
const lastOf = ({ items }: Group) => items.at(-1)!

/** Orders settings by the size of the teacher, then of the batch, largest first. */
function inOrder({ trial: a }: Configuration, { trial: b }: Configuration): number {
  return (b.teacher?.parameterCount ?? 0) - (a.teacher?.parameterCount ?? 0) || b.batch - a.batch
}

/** Names settings by what differs among them, other than their scopes' names. */
function settingNamer(settings: readonly Configuration[]): (setting: Configuration) => string {
  const varying = varyingAxes(settings.map(({ trial }) => trial))
  const names = TABLE_AXES.filter(
    (name) => varying.has(name) && (axes[name].role === 'setting' || name === 'dataSize'),
  )
  const places = (['machine', 'version'] as const).filter(
    (field) => new Set(settings.map(({ scope }) => scope[field])).size > 1,
  )
  return ({ trial, scope }) =>
    [wordsOf(trial, names), ...places.map((field) => scope[field])]
      .filter((part) => part !== '')
      .join(', ')
}

interface Keys {
  readonly table: string
  readonly column: string
  readonly variant: string
}

const known = new WeakMap<Configuration, Keys>()

/** Returns the keys that place a configuration in a table. */
function keysOf(item: Configuration): Keys {
  let keys = known.get(item)
  if (keys === undefined) {
    const { trial, source } = item
    const table = `${source}\n${keyOf(trial, TABLE_AXES)}`
    known.set(
      item,
      (keys = { table, column: columnKey(trial), variant: keyOf(trial, VARIANT_AXES) }),
    )
  }
  return keys
}

/** Returns what configurations share that differ in the method and its teacher alone. */
export function settingKey(item: Configuration): string {
  const { table, column } = keysOf(item)
  return `${table}\n${column}`
}

/** Returns the configuration that was trained without a teacher in the setting of another one. */
export function withoutTeacher(
  other: Configuration,
  configurations: readonly Configuration[],
): Configuration | undefined {
  const { table, column } = keysOf(other)
  return configurations.find(
    (item) =>
      item.method === PAPER_METHODS.without &&
      keysOf(item).table === table &&
      keysOf(item).column === column,
  )
}

/** Splits a setting by teacher. Methods without a teacher belong to every one of them. */
function byTeacher(setting: string, items: readonly Configuration[]): Group[] {
  const without = items.filter(({ trial }) => trial.teacher === undefined)
  const groups = new Map<string, Configuration[]>()
  for (const item of items) {
    if (item.trial.teacher === undefined) continue
    const key = axisKey(item.trial, 'teacher')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [...without, item])
    else group.push(item)
  }
  return Array.from(groups, ([key, all]) => ({ key: `${setting}\n${key}`, items: all }))
}

function tableOf(
  items: readonly Configuration[],
  nameSetting: (setting: Configuration) => string,
): MethodTable {
  const { scope, trial } = items.at(-1)!
  const columns = new Map(items.map((item) => [keysOf(item).column, item.trial]))
  const order = [...columns].sort(
    ([one, a], [other, b]) => compareColumns(a, b) || compareText(one, other),
  )
  const rowKey = rowKeysOf(items)
  const rows = new Map(items.map((item) => [rowKey(item), item.trial]))
  const keys = [...rows].sort(
    ([one, a], [other, b]) => compareRows(a, b) || compareText(one, other),
  )
  const differing = varyingAxes([...columns.values()])
  const cellAt = new Map<string, Configuration>()
  for (const item of items) {
    const at = `${rowKey(item)}\n${keysOf(item).column}`
    const present = cellAt.get(at)
    if (present === undefined || firstStart(item) > firstStart(present)) cellAt.set(at, item)
  }
  const grid = order.map(([column]) =>
    columnCells(keys.map(([row]) => cellAt.get(`${row}\n${column}`))),
  )
  return {
    scope,
    teacher: teacherName(trial),
    setting: nameSetting(items.at(-1)!),
    columns: order.map(([, column]) => columnName(column, differing)),
    rows: keys.map(([, row], at) => ({
      name: rowName(row, [...rows.values()]),
      method: row.method,
      cells: grid.map((cells) => cells[at]),
    })),
  }
}

/**
 * Returns which row a configuration belongs to. Weights of the distillation loss are rows of their own only if a column has several:
 * a method whose weight was searched in one column and given in another is one row.
 */
function rowKeysOf(items: readonly Configuration[]): (item: Configuration) => string {
  const weights = new Map<string, string>()
  const several = new Set<string>()
  for (const item of items) {
    const { column, variant } = keysOf(item)
    const weight = axisKey(item.trial, 'kdWeight')
    const at = `${variant}\n${column}`
    if ((weights.get(at) ?? weight) !== weight) several.add(variant)
    weights.set(at, weight)
  }
  return (item) => {
    const { variant } = keysOf(item)
    return several.has(variant) ? `${variant}\n${axisKey(item.trial, 'kdWeight')}` : variant
  }
}

/** Tests the methods of one column against the baselines, and corrects the p-values over them. */
function columnCells(items: readonly (Configuration | undefined)[]): (Cell | undefined)[] {
  const tests = new Map<Configuration, Partial<Record<Baseline, Test>>>()
  for (const name of BASELINES) {
    const baselines = items.filter((item) => item?.method === name)
    const found = items.flatMap((item) => {
      const baseline = item && nearest(item, baselines)
      if (item === undefined || baseline === undefined || item.method === name) return []
      const difference = accuracyDifference(item, baseline)
      return difference === undefined ? [] : [{ item, difference, p: pValueOf(difference) }]
    })
    const tested = found.filter(({ p }) => p !== undefined)
    const corrected = holm(tested.map(({ p }) => p!))
    for (const { item, difference, p } of found) {
      const at = tested.findIndex((test) => test.item === item)
      const test = { difference, ...(p !== undefined && { p, corrected: corrected[at]! }) }
      tests.set(item, { ...tests.get(item), [name]: test })
    }
  }
  return items.map((configuration) => {
    if (configuration === undefined) return undefined
    const against = tests.get(configuration) ?? {}
    return { configuration, accuracy: summaryOf(configuration, accuracy)!, against }
  })
}

/** Returns the baseline of the same distillation weight, or the first one if none has it. */
function nearest(
  { trial }: Configuration,
  baselines: readonly (Configuration | undefined)[],
): Configuration | undefined {
  const weight = axisKey(trial, 'kdWeight')
  return baselines.find((item) => axisKey(item!.trial, 'kdWeight') === weight) ?? baselines[0]
}

const keyOf = (trial: Trial, names: readonly AxisName[]) =>
  names.map((name) => axisKey(trial, name)).join('\n')

/** A method without a distillation loss has no weight to search, so that the weight tells no columns apart. */
function columnKey(trial: Trial): string {
  const { kdWeight: _weight, ...search } = trial.search ?? {}
  const others = COLUMN_AXES.filter((name) => name !== 'search')
  return `${keyOf(trial, others)}\n${JSON.stringify(search)}`
}

function compareColumns(a: Trial, b: Trial): number {
  return (a.labels ?? 1) - (b.labels ?? 1) || lengthOf(a) - lengthOf(b)
}

const lengthOf = ({ epochs, imagesSeen, dataset }: Trial) =>
  imagesSeen ?? (epochs ?? 0) * dataset.trainSize

function compareRows(a: Trial, b: Trial): number {
  return placeOf(a.method) - placeOf(b.method) || compareText(a.method, b.method)
}

/** Place of a method in core's table; methods that others define come last. */
export function placeOf(method: string): number {
  const at = (METHODS as readonly string[]).indexOf(method)
  return at < 0 ? METHODS.length : at
}

function columnName(trial: Trial, differing: ReadonlySet<AxisName>): string {
  const names = COLUMN_AXES.filter((name) => name === 'labels' || differing.has(name))
  return wordsOf(trial, names)
}

/** Names a row by its method, and by the axes in which rows of the method differ. */
function rowName(trial: Trial, all: readonly Trial[]): string {
  const own = all.filter(({ method }) => method === trial.method)
  const varying = varyingAxes(own)
  const variant = keyOf(trial, VARIANT_AXES)
  const alike = own.filter((other) => keyOf(other, VARIANT_AXES) === variant)
  const words = wordsOf(trial, [
    ...VARIANT_AXES.filter((name) => name !== 'method' && varying.has(name)),
    ...(alike.length > 1 ? (['kdWeight'] as const) : []),
  ])
  return [methodName(trial.method), words].filter((part) => part !== '').join(', ')
}

const wordsOf = (trial: Trial, names: readonly AxisName[]) =>
  names.flatMap((name) => axisWords(trial, name) ?? []).join(', ')
