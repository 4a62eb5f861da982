// The table of configurations: searched, sorted, held against a baseline of the reader's choice, and downloaded.
import { type Configuration, counted, methodName, summaryOf, teacherName } from '@embed-kd/records'
import type { View } from '../model/view.js'
import type { App, Part } from './app.js'
import { type Column, matcher, namesOf, SHOWN, sorted } from './columns.js'
import { button, element, fill } from './dom.js'
import { downloadConfigurations, downloadRecords, downloadTrials, paperTables } from './download.js'
import { tableHead, tableRow } from './trials-table.js'

/** Rows at first, and rows that each further click shows. */
const PAGE = 40
const MORE = 500

export function createTrials(app: App): Part {
  const table = element('table', { class: 'trials' })
  const caption = element('caption', { class: 'unseen' }, 'Configurations')
  const common = element('p', { class: 'common' })
  const comparing = element('p', { class: 'comparing', role: 'status' })
  const more = element('p', { class: 'more' })
  const search = element('input', {
    type: 'search',
    placeholder: 'Search rows',
    'aria-label': 'Search rows',
  })
  search.addEventListener('input', () => app.change({ search: search.value }))
  const chooser = createChooser(app)
  let view: View | undefined
  let shown: readonly Configuration[] = []
  let limit = PAGE
  const tools = element(
    'p',
    { class: 'tools' },
    search,
    chooser.node,
    button('Records (JSON lines)', () => downloadRecords(view!.records)),
    button('Trials (CSV)', () => downloadTrials(view!.records)),
    button('Configurations (CSV)', () => downloadConfigurations(rowsOf(view!))),
    ...paperTables(() => shown),
  )
  const node = element(
    'section',
    { id: 'trials', tabindex: '-1', 'aria-labelledby': 'trials-title' },
    element('h2', { id: 'trials-title' }, 'Trials'),
    element(
      'p',
      { class: 'lede' },
      'One row a configuration, means over its runs. Open one for its samples, curves and the command to run it again; Compare shows every other row relative to it.',
    ),
    tools,
    common,
    comparing,
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table of trials' },
      table,
    ),
    more,
  )

  const update = (fresh: View) => {
    if (fresh !== view) limit = PAGE
    view = fresh
    const configurations = rowsOf(fresh)
    const named = namesOf(fresh.all)
    const { sort = '', descending, baseline: baselineId, search: words = '', hide } = app.state()
    if (search.value !== words) search.value = words
    const hidden = new Set(hide)
    const differs = ({ of }: Column) => new Set(configurations.map(of)).size > 1
    const varying = named.filter((column, at) => at < 3 || differs(column))
    const measured = SHOWN.filter((measure) =>
      configurations.some((item) => summaryOf(item, measure) !== undefined),
    )
    chooser.update([
      ...varying.slice(1).map(({ id, label }) => [id, label] as const),
      ...measured.map(({ id, short }) => [id, short] as const),
    ])
    const names = varying.filter(({ id }) => !hidden.has(id))
    const measures = measured.filter(({ id }) => !hidden.has(id))
    const baseline = findBaseline(app, fresh, baselineId)
    shown = sorted(configurations.filter(matcher(words, named)), named, sort, descending)
    const focused = focusKey()
    fill(
      table,
      caption,
      tableHead(app, names, measures, sort, descending),
      element(
        'tbody',
        {},
        ...shown.slice(0, limit).map((item) => tableRow(app, item, names, measures, baseline)),
      ),
    )
    restoreFocus(table, focused)
    const constant = named.filter(
      (column) => !varying.includes(column) && configurations.length > 0,
    )
    fill(
      common,
      constant.length === 0
        ? undefined
        : `All rows: ${constant.map(({ label, of }) => `${label.toLowerCase()} ${of(configurations[0]!)}`).join(' · ')}.`,
    )
    fill(comparing, ...comparingText(app, baseline, baselineId !== undefined))
    const rest = shown.length - limit
    fill(
      more,
      rest > 0
        ? [
            `${counted(rest, 'more row')}. `,
            button(`Show ${Math.min(rest, MORE)} more`, () => {
              limit += MORE
              update(fresh)
            }),
          ]
        : shown.length > 0
          ? undefined
          : configurations.length === 0
            ? 'No trial passes the filters.'
            : 'No row has these words.',
    )
  }
  return { node, update }
}

/** Results, then trials of searches. */
const rowsOf = ({ configurations, searches }: View): readonly Configuration[] =>
  searches.length === 0 ? configurations : [...configurations, ...searches]

/** A menu of checkboxes for the columns; the method's column is always there. */
function createChooser(app: App) {
  const fieldset = element('fieldset', {}, element('legend', { class: 'unseen' }, 'Columns'))
  const node = element('details', { class: 'menu' }, element('summary', {}, 'Columns'), fieldset)
  let offered = ''
  const update = (columns: readonly (readonly [id: string, label: string])[]) => {
    const hidden = new Set(app.state().hide)
    const offer = JSON.stringify([columns, [...hidden]])
    if (offer === offered) return
    offered = offer
    const focused = focusKey()
    const boxes = columns.map(([id, label]) => {
      const box = element('input', {
        type: 'checkbox',
        value: id,
        'data-focus': `column ${id}`,
        checked: !hidden.has(id),
      })
      box.addEventListener('change', () => {
        const { hide } = app.state()
        app.change({ hide: box.checked ? hide.filter((name) => name !== id) : [...hide, id] })
      })
      return element('label', {}, box, element('span', {}, label))
    })
    fill(fieldset, element('legend', { class: 'unseen' }, 'Columns'), ...boxes)
    restoreFocus(fieldset, focused)
  }
  document.addEventListener('click', (event) => {
    if (!node.contains(event.target as Node)) node.open = false
  })
  node.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return
    node.open = false
    node.querySelector('summary')?.focus()
  })
  return { node, update }
}

function findBaseline(app: App, view: View, id: string | undefined): Configuration | undefined {
  if (id === undefined) return undefined
  return rowsOf(view).find(({ runs }) => runs.some((record) => app.names.of(record) === id))
}

function comparingText(app: App, baseline: Configuration | undefined, chosen: boolean) {
  if (!chosen) return []
  const clear = () => app.change({ baseline: undefined })
  if (baseline === undefined) {
    return ['The chosen baseline does not pass the filters. ', button('Drop it', clear)]
  }
  return [
    'Compared with ',
    element(
      'b',
      {},
      `${methodName(baseline.method)}, ${teacherName(baseline.trial)}, batch ${baseline.trial.batch}`,
    ),
    ': ratios of runs paired by seed. Coloured are those whose 95 % interval over runs excludes 1; by chance alone one in twenty would. ',
    button('Drop the baseline', clear),
  ]
}

function focusKey(): string | undefined {
  return document.activeElement instanceof HTMLElement
    ? document.activeElement.dataset['focus']
    : undefined
}

function restoreFocus(parent: HTMLElement, key: string | undefined): void {
  if (key === undefined) return
  for (const node of parent.querySelectorAll<HTMLElement>('[data-focus]')) {
    if (node.dataset['focus'] === key) return node.focus({ preventScroll: true })
  }
}
