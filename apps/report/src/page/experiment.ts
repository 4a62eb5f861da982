// What belongs to an experiment beside its methods: the controls that could embarrass the method, several teachers against fewer,
// and the searches that chose hyperparameters. Each block is there only if the records have such trials.
import {
  controlsOf,
  controlTable,
  searchesOf,
  searchTable,
  type Support,
  teacherSetsOf,
  teacherSetTable,
  type TextTable,
} from '@embed-kd/records'
import type { View } from '../model/view.js'
import { verdictOf } from './cards.js'
import { element, textTable } from './dom.js'

/** More rows than this make a table that nobody reads. */
const MOST_ROWS = 60

export function controlsBlock({ configurations }: View): HTMLElement | undefined {
  const groups = controlsOf(configurations)
  if (groups.length === 0) return undefined
  return block(
    "Does the teacher's knowledge matter?",
    'Students trained on other vectors in place of the teacher’s: if they are as accurate, a second classifier head is what helps, not the teacher. p is corrected (Holm) over the controls of a setting.',
    controlTable(groups),
    ...groups
      .slice(0, 12)
      .map(({ setting, support, controls }) =>
        verdictOf(
          { ...support, claim: claimOf(support, groups.length > 1 ? setting : '') },
          Math.min(...controls.map(({ difference }) => difference.n)),
        ),
      ),
  )
}

const claimOf = ({ claim }: Support, setting: string) =>
  setting === '' ? claim : `${claim} (${setting})`

export function teacherSetBlock({ configurations }: View): HTMLElement | undefined {
  const groups = teacherSetsOf(configurations)
  if (groups.length === 0) return undefined
  return block(
    'What does each teacher add?',
    'Students that learn from several teachers at once, against students of fewer of them and of none, all else equal. p is corrected (Holm) over the smaller sets of a setting.',
    teacherSetTable(groups),
    ...groups
      .slice(0, 12)
      .map(({ setting, support, fewer }) =>
        verdictOf(
          { ...support, claim: claimOf(support, groups.length > 1 ? setting : '') },
          Math.min(...fewer.map(({ difference }) => difference.n)),
        ),
      ),
  )
}

export function searchBlock({ configurations, records }: View): HTMLElement | undefined {
  const searches = searchesOf(configurations, records)
  if (searches.length === 0) return undefined
  return block(
    'How hyperparameters were chosen',
    'Values were tried with one seed and judged on training images that were held out; test images played no part. Results use the best values, with other seeds.',
    searchTable(searches),
  )
}

function block(
  title: string,
  text: string,
  { columns, rows }: TextTable,
  ...below: readonly HTMLElement[]
): HTMLElement {
  return element(
    'div',
    { class: 'block' },
    element('h3', {}, title),
    element('p', { class: 'methods-note' }, text),
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title },
      textTable(columns, rows.slice(0, MOST_ROWS)),
    ),
    rows.length > MOST_ROWS
      ? element(
          'p',
          { class: 'methods-note' },
          `${rows.length - MOST_ROWS} more rows: narrow the filters.`,
        )
      : undefined,
    ...below,
  )
}
