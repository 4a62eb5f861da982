// What the reader can narrow the records by. A dimension is a name and a value read off a record.
import {
  type BenchRecord,
  machineName,
  versionName,
  methodName,
  precisionName,
  teacherName,
} from '@embed-kd/records'

export interface Dimension {
  readonly id: string
  readonly label: string
  readonly of: (record: BenchRecord) => string
  /** How a value is shown. */
  readonly name?: (value: string) => string
}

export const DIMENSIONS: readonly Dimension[] = [
  { id: 'backend', label: 'Backend', of: ({ trial }) => trial.backend.split(':')[0]! },
  { id: 'device', label: 'Device', of: ({ trial }) => trial.backend.split(':')[1] ?? 'none' },
  { id: 'precision', label: 'Precision', of: ({ trial }) => precisionName(trial) },
  { id: 'method', label: 'Method', of: ({ trial }) => trial.method, name: methodName },
  { id: 'teacher', label: 'Teacher', of: ({ trial }) => teacherName(trial) },
  { id: 'batch', label: 'Batch', of: ({ trial }) => String(trial.batch) },
  { id: 'dataset', label: 'Data set', of: ({ trial }) => trial.dataset.name },
  { id: 'preset', label: 'Preset', of: ({ trial }) => trial.preset },
  {
    id: 'student',
    label: 'Student',
    of: ({ trial: { student } }) => `${student.name} ${student.imageSize} px`,
  },
  { id: 'status', label: 'Status', of: ({ status }) => status },
  { id: 'machine', label: 'Machine', of: machineName },
  { id: 'version', label: 'Version', of: versionName },
]

/** Chosen values by dimension; a dimension that is absent or empty lets everything through. */
export type Filters = Readonly<Record<string, readonly string[]>>

/**
 * Whether a record passes. Supervised runs have no teacher and would vanish whenever one is chosen, though they are
 * what every teacher is held against: a filter on teachers lets them through.
 */
export function passing(filters: Filters): (record: BenchRecord) => boolean {
  const active = DIMENSIONS.flatMap((dimension) => {
    const values = filters[dimension.id]
    return values === undefined || values.length === 0
      ? []
      : [{ dimension, values: new Set(values) }]
  })
  return (record) =>
    active.every(
      ({ dimension, values }) =>
        values.has(dimension.of(record)) ||
        (dimension.id === 'teacher' && record.trial.teacher === undefined),
    )
}

/** The values a dimension takes and how many records have each, numbers in their order. */
export function valuesOf(
  records: readonly BenchRecord[],
  dimension: Dimension,
): (readonly [value: string, count: number])[] {
  const counts = new Map<string, number>()
  for (const record of records) {
    const value = dimension.of(record)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return [...counts].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
}
