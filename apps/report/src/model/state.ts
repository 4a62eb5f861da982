// What the reader has chosen, kept in the URL's fragment so that a link shows the same thing.
import { DIMENSIONS, type Filters } from './filters.js'

export interface State {
  readonly filters: Filters
  /** Words that rows of the table must have. */
  readonly search?: string | undefined
  /** Ids of the table's columns that are hidden. */
  readonly hide: readonly string[]
  /** Id of the figure that the address leads to. */
  readonly figure?: string | undefined
  /** Measure or column that the table is sorted by. */
  readonly sort?: string | undefined
  readonly descending: boolean
  /** Id of a record whose configuration the others are held against. */
  readonly baseline?: string | undefined
  /** Id of the record whose own page is open. */
  readonly trial?: string | undefined
}

/** Reads a fragment; unknown fields are skipped. */
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
    hide: fields.getAll('hide'),
    descending: fields.get('order') === 'descending',
    ...text('search'),
    ...text('figure'),
    ...text('sort'),
    ...text('baseline'),
    ...text('trial'),
  }
}

export function formatState(state: State): string {
  const { filters, search, hide, figure, sort, descending, baseline, trial } = state
  const fields = new URLSearchParams()
  for (const { id } of DIMENSIONS) {
    for (const value of filters[id] ?? []) fields.append(id, value)
  }
  if (search !== undefined && search !== '') fields.set('search', search)
  for (const id of hide) fields.append('hide', id)
  if (figure !== undefined) fields.set('figure', figure)
  if (sort !== undefined) fields.set('sort', sort)
  if (descending) fields.set('order', 'descending')
  if (baseline !== undefined) fields.set('baseline', baseline)
  if (trial !== undefined) fields.set('trial', trial)
  return fields.toString()
}
