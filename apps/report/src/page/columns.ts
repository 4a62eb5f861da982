// Columns of the table of trials: which there are, and the order of rows by each of them.
import {
  axes,
  type AxisName,
  axisNames,
  axisWords,
  type Configuration,
  finished,
  lengthName,
  MEASURES,
  methodName,
  summaryOf,
  teacherName,
  type Trial,
} from '@embed-kd/records'
import { compareMethods } from './figures/figure.js'

/** Measures that have a column if any row has a value: all but the FLOPs of a step. */
export const SHOWN = MEASURES.filter(({ id }) => id !== 'stepFlops')

/** Whether a configuration has all words of a search in its names. */
export function matcher(
  search: string,
  names: readonly Column[],
): (item: Configuration) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return () => true
  return (item) => {
    const text = [...names.map(({ of }) => of(item)), ...item.runs.map(({ id }) => id)]
      .join(' ')
      .toLowerCase()
    return words.every((word) => text.includes(word))
  }
}

export interface Column {
  readonly id: string
  readonly label: string
  readonly of: (item: Configuration) => string | number | undefined
}

/** Columns of names. The first three are always there, others if rows differ in them. */
const NAMES: readonly Column[] = [
  { id: 'method', label: 'Method', of: ({ method }) => methodName(method) },
  { id: 'teacher', label: 'Teacher', of: ({ trial }) => teacherName(trial) },
  { id: 'batch', label: 'Batch', of: ({ trial }) => trial.batch },
  { id: 'length', label: 'Length', of: ({ trial }) => lengthName(trial) },
  { id: 'backend', label: 'Backend', of: ({ scope }) => scope.backend },
  { id: 'precision', label: 'Precision', of: ({ scope }) => scope.precision },
  { id: 'dataset', label: 'Data set', of: ({ scope }) => scope.dataset },
  { id: 'preset', label: 'Preset', of: ({ scope }) => scope.preset },
  { id: 'student', label: 'Student', of: ({ scope }) => scope.student },
  { id: 'machine', label: 'Machine', of: ({ scope }) => scope.machine },
  { id: 'version', label: 'Version', of: ({ scope }) => scope.version },
]

/** Axes that the columns of names say already, or that are no names. */
const SAID = new Set<AxisName>([
  'method',
  'teacher',
  'batch',
  'epochs',
  'imagesSeen',
  'steps',
  'backend',
  'precision',
  'dataset',
  'preset',
  'student',
  'seed',
])
const OTHERS = axisNames.filter((name) => !SAID.has(name))
const known = new WeakMap<readonly Configuration[], readonly Column[]>()

/** Returns the columns of names: the usual ones, and one for each further axis in which the configurations differ. */
export function namesOf(all: readonly Configuration[]): readonly Column[] {
  let columns = known.get(all)
  if (columns === undefined) {
    const first = all[0]?.trial
    const differs = (name: AxisName) =>
      all.some(({ trial }) => valueOf(trial, name) !== valueOf(first!, name))
    columns = [...NAMES, ...OTHERS.filter(differs).map(axisColumn)]
    known.set(all, columns)
  }
  return columns
}

const valueOf = (trial: Trial, name: AxisName): unknown =>
  typeof trial[name] === 'object' ? JSON.stringify(trial[name]) : trial[name]

const axisColumn = (name: AxisName): Column => ({
  id: name,
  label: `${axes[name].label[0]!.toUpperCase()}${axes[name].label.slice(1)}`,
  of: ({ trial }) => {
    const value = trial[name]
    return typeof value === 'number' && !('words' in axes[name])
      ? value
      : (axisWords(trial, name) ?? '–')
  },
})

// Made once: making one costs more than sorting with it.
const COLLATOR = new Intl.Collator('en', { numeric: true })

export function sorted(
  configurations: readonly Configuration[],
  names: readonly Column[],
  sort: string,
  descending: boolean,
): readonly Configuration[] {
  const measure = SHOWN.find(({ id }) => id === sort)
  const column = names.find(({ id }) => id === sort)
  const key =
    measure !== undefined
      ? (item: Configuration) => summaryOf(item, measure)?.mean
      : sort === 'runs'
        ? (item: Configuration) => finished(item).length
        : column?.of
  if (key === undefined) return configurations.toSorted(inReadingOrder)
  const sign = descending ? -1 : 1
  // Rows without a value stay at the end in both directions.
  return configurations
    .map((item) => [key(item), item] as const)
    .sort(([a], [b]) => {
      if (a === undefined || b === undefined)
        return Number(a === undefined) - Number(b === undefined)
      if (typeof a === 'number' && typeof b === 'number') return sign * (a - b)
      return sign * COLLATOR.compare(String(a), String(b))
    })
    .map(([, item]) => item)
}

function inReadingOrder(a: Configuration, b: Configuration): number {
  const size = ({ trial }: Configuration) => trial.teacher?.parameterCount ?? 0
  return (
    Number(a.scope.key > b.scope.key) - Number(a.scope.key < b.scope.key) ||
    size(b) - size(a) ||
    b.trial.batch - a.trial.batch ||
    compareMethods(a.method, b.method)
  )
}
