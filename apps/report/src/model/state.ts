// What the reader has chosen, kept in the URL's fragment so that a link shows the same thing.
import { DIMENSIONS, type Filters } from './filters.js'

export interface State {
  readonly filters: Filters
  /** Measure or column that the table is sorted by. */
  readonly sort?: string | undefined
  readonly descending: boolean
  /** Id of a record; its configuration is what the others are held against. */
  readonly baseline?: string | undefined
  /** Id of the record whose own page is open. */
  readonly trial?: string | undefined
}

/** Reads a fragment; whatever is not understood is passed over. */
export function parseState(fragment: string): State {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''))
  const filters: Record<string, readonly string[]> = {}
  for (const { id } of DIMENSIONS) {
    const values = fields.getAll(id)
    if (values.length > 0) filters[id] = values
  }
  const text = (name: string) => {
    const value = fields.get(name)
    return value === null || value === '' ? {} : { [name]: value }
  }
  return {
    filters,
    descending: fields.get('order') === 'descending',
    ...text('sort'),
    ...text('baseline'),
    ...text('trial'),
  }
}

export function formatState({ filters, sort, descending, baseline, trial }: State): string {
  const fields = new URLSearchParams()
  for (const { id } of DIMENSIONS) {
    for (const value of filters[id] ?? []) fields.append(id, value)
  }
  if (sort !== undefined) fields.set('sort', sort)
  if (descending) fields.set('order', 'descending')
  if (baseline !== undefined) fields.set('baseline', baseline)
  if (trial !== undefined) fields.set('trial', trial)
  return fields.toString()
}
