// Columns of the table of trials: which there are, and the order of rows by each of them.
import {
  accuracy,
  type Configuration,
  devicePeakBytes,
  deviceResidentBytes,
  epochSeconds,
  extrapolatedEpochSeconds,
  finished,
  hostPeakBytes,
  hostResidentBytes,
  imagesPerSecond,
  joulesPerStep,
  lengthName,
  methodName,
  plannedPeakBytes,
  plannedResidentBytes,
  rooflineShare,
  stepSeconds,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { compareMethods } from './figures/figure.js'

/** Measures that have a column if any row has a value. */
export const SHOWN = [
  stepSeconds,
  imagesPerSecond,
  epochSeconds,
  extrapolatedEpochSeconds,
  hostPeakBytes,
  devicePeakBytes,
  plannedPeakBytes,
  hostResidentBytes,
  deviceResidentBytes,
  plannedResidentBytes,
  accuracy,
  rooflineShare,
  joulesPerStep,
]

/** Whether a configuration has all words of a search in its names. */
export function matcher(search: string): (item: Configuration) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return () => true
  return (item) => {
    const text = [...NAMES.map(({ of }) => of(item)), ...item.runs.map(({ id }) => id)]
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
export const NAMES: readonly Column[] = [
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

// Made once: making one costs more than sorting with it.
const COLLATOR = new Intl.Collator('en', { numeric: true })

export function sorted(
  configurations: readonly Configuration[],
  sort: string,
  descending: boolean,
): readonly Configuration[] {
  const measure = SHOWN.find(({ id }) => id === sort)
  const column = NAMES.find(({ id }) => id === sort)
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
