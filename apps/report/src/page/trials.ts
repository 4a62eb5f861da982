// The table of configurations: sortable, each row held against a baseline of the reader's choice, and downloadable.
import {
  accuracy,
  type Configuration,
  counted,
  devicePeakBytes,
  deviceResidentBytes,
  coversRuns,
  excludesOne,
  finished,
  formatRange,
  formatRatio,
  hostPeakBytes,
  hostResidentBytes,
  imagesPerSecond,
  type Measure,
  methodName,
  plannedPeakBytes,
  plannedResidentBytes,
  ratioOf,
  rooflineShare,
  stepSeconds,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import type { View } from '../model/view.js'
import { button, element, fill } from './dom.js'
import { downloadRecords, downloadTable } from './download.js'
import { METHOD_ORDER } from './figures/figure.js'
import type { App } from './app.js'
import type { Part } from './app.js'

const SHOWN = [
  stepSeconds,
  imagesPerSecond,
  hostPeakBytes,
  devicePeakBytes,
  plannedPeakBytes,
  hostResidentBytes,
  deviceResidentBytes,
  plannedResidentBytes,
  accuracy,
  rooflineShare,
]
const PAGE = 40

interface Column {
  readonly id: string
  readonly label: string
  readonly of: (item: Configuration) => string | number | undefined
}

const NAMES: readonly Column[] = [
  { id: 'method', label: 'Method', of: ({ method }) => methodName(method) },
  { id: 'teacher', label: 'Teacher', of: ({ trial }) => teacherName(trial) },
  { id: 'batch', label: 'Batch', of: ({ trial }) => trial.batch },
  { id: 'backend', label: 'Backend', of: ({ scope }) => scope.backend },
  { id: 'precision', label: 'Precision', of: ({ scope }) => scope.precision },
  { id: 'dataset', label: 'Data set', of: ({ scope }) => scope.dataset },
  { id: 'preset', label: 'Preset', of: ({ scope }) => scope.preset },
  { id: 'student', label: 'Student', of: ({ scope }) => scope.student },
  { id: 'machine', label: 'Machine', of: ({ scope }) => scope.machine },
]

export function createTrials(app: App): Part {
  const table = element('table', { class: 'trials' })
  const caption = element('caption', { class: 'unseen' }, 'Configurations')
  const common = element('p', { class: 'common' })
  const comparing = element('p', { class: 'comparing', role: 'status' })
  const more = element('p', { class: 'more' })
  let view: View | undefined
  let limit = PAGE
  const tools = element(
    'p',
    { class: 'tools' },
    button('Download records (JSON lines)', () => downloadRecords(view!.records)),
    button('Download table (CSV)', () => downloadTable(view!.configurations)),
  )
  const node = element(
    'section',
    { id: 'trials', tabindex: '-1', 'aria-labelledby': 'trials-title' },
    element('h2', { id: 'trials-title' }, 'Trials'),
    element(
      'p',
      { class: 'lede' },
      'One row a configuration, means over its runs. Open one for its samples, curves and the command to run it again; choose a baseline to hold every other row against it.',
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
    const { configurations } = fresh
    const { sort = '', descending, baseline: baselineId } = app.state()
    const varying = NAMES.filter(
      ({ id, of }, at) => at < 3 || new Set(configurations.map(of)).size > 1 || id === 'method',
    )
    const measures = SHOWN.filter((measure) =>
      configurations.some((item) => summaryOf(item, measure) !== undefined),
    )
    const baseline = findBaseline(fresh, baselineId)
    const rows = sorted(configurations, sort, descending)
    const focused = focusKey()
    fill(
      table,
      caption,
      head(app, varying, measures, sort, descending),
      element(
        'tbody',
        {},
        ...rows.slice(0, limit).map((item) => row(app, item, varying, measures, baseline)),
      ),
    )
    restoreFocus(table, focused)
    const constant = NAMES.filter(
      (column) => !varying.includes(column) && configurations.length > 0,
    )
    fill(
      common,
      constant.length === 0
        ? undefined
        : `All rows: ${constant.map(({ label, of }) => `${label.toLowerCase()} ${of(configurations[0]!)}`).join(' · ')}.`,
    )
    fill(comparing, ...comparingText(app, baseline, baselineId !== undefined))
    const hidden = rows.length - limit
    fill(
      more,
      hidden > 0
        ? [
            `${counted(hidden, 'more row')}. `,
            button(`Show ${Math.min(hidden, 500)} more`, () => {
              limit += 500
              update(fresh)
            }),
          ]
        : rows.length === 0
          ? 'No trial passes the filters.'
          : undefined,
    )
  }
  return { node, update }
}

function findBaseline({ configurations }: View, id: string | undefined): Configuration | undefined {
  if (id === undefined) return undefined
  return configurations.find(({ runs }) => runs.some((record) => record.id === id))
}

function comparingText(app: App, baseline: Configuration | undefined, chosen: boolean) {
  if (!chosen) return []
  const clear = () => app.change({ baseline: undefined })
  if (baseline === undefined) {
    return ['The chosen baseline does not pass the filters. ', button('Drop it', clear)]
  }
  return [
    'Held against ',
    element(
      'b',
      {},
      `${methodName(baseline.method)}, ${teacherName(baseline.trial)}, batch ${baseline.trial.batch}`,
    ),
    ': ratios of runs paired by seed. Coloured are those whose 95 % interval over runs excludes 1; by chance alone one in twenty would. ',
    button('Drop the baseline', clear),
  ]
}

function head(
  app: App,
  names: readonly Column[],
  measures: readonly Measure[],
  sort: string,
  descending: boolean,
): HTMLElement {
  const cell = (id: string, label: string, numeric: boolean, hint?: string) => {
    const active = sort === id
    return element(
      'th',
      {
        scope: 'col',
        class: numeric ? 'numeric' : undefined,
        'aria-sort': active ? (descending ? 'descending' : 'ascending') : 'none',
      },
      button(label, () => app.change({ sort: id, descending: active ? !descending : false }), {
        class: 'sort',
        'data-focus': `sort ${id}`,
        title: hint,
      }),
    )
  }
  return element(
    'thead',
    {},
    element(
      'tr',
      {},
      ...names.map(({ id, label }) => cell(id, label, id === 'batch')),
      cell('runs', 'Runs', true),
      ...measures.map(({ id, short, label }) => cell(id, short, true, label)),
      element('th', { scope: 'col' }, 'Baseline'),
    ),
  )
}

function row(
  app: App,
  item: Configuration,
  names: readonly Column[],
  measures: readonly Measure[],
  baseline: Configuration | undefined,
): HTMLElement {
  const [first, ...others] = names
  const { id } = item.runs[0]!
  const isBaseline = item === baseline
  const done = finished(item).length
  const failures = item.runs.filter(({ status }) => status !== 'ok')
  return element(
    'tr',
    { class: isBaseline ? 'baseline' : undefined },
    element(
      'th',
      { scope: 'row' },
      element(
        'a',
        { href: app.link({ trial: id }), 'data-focus': `open ${id}` },
        element('i', { class: `swatch ${item.method}`, 'aria-hidden': 'true' }),
        String(first!.of(item)),
      ),
    ),
    ...others.map(({ id, of }) =>
      element('td', { class: id === 'batch' ? 'numeric' : undefined }, String(of(item))),
    ),
    element(
      'td',
      { class: 'numeric' },
      done > 0 || failures.length === 0 ? String(done) : undefined,
      failures.length === 0
        ? undefined
        : element(
            'span',
            { class: 'failure', title: failures[0]!.reason },
            `${done > 0 ? ' + ' : ''}${failures.length} ${failures[0]!.status}`,
          ),
    ),
    ...measures.map((measure) => valueCell(item, measure, isBaseline ? undefined : baseline)),
    element(
      'td',
      {},
      button(isBaseline ? 'Baseline' : 'Compare', () => app.change({ baseline: id }), {
        class: 'quiet',
        'data-focus': `baseline ${id}`,
        'aria-pressed': String(isBaseline),
        'aria-label': `${isBaseline ? 'Baseline' : 'Compare'}: ${methodName(item.method)}, ${teacherName(item.trial)}, batch ${item.trial.batch}`,
      }),
    ),
  )
}

function valueCell(
  item: Configuration,
  measure: Measure,
  baseline: Configuration | undefined,
): HTMLElement {
  const summary = summaryOf(item, measure)
  if (summary === undefined) return element('td', { class: 'numeric absent' }, '–')
  const ratio = baseline === undefined ? undefined : ratioOf(item, baseline, measure)
  const value = measure.format(summary.mean)
  if (ratio === undefined) return element('td', { class: 'numeric' }, value)
  // Steps of one run do not say how the next run differs: only intervals over runs earn a colour.
  const real =
    measure.exact === true ? ratio.value !== 1 : coversRuns(ratio.over) && excludesOne(ratio)
  const better = ratio.value > 1 === (measure.better === 'higher')
  const verdict = !real ? 'unclear' : better ? 'better' : 'worse'
  const interval =
    ratio.interval === undefined
      ? measure.exact === true
        ? 'exact'
        : `${counted(ratio.n, 'pair')}, no interval`
      : `95 % interval ${formatRange(ratio.interval)}, ${counted(ratio.n, 'pair')}${ratio.over === 'steps' ? ', over steps' : ''}`
  return element(
    'td',
    { class: 'numeric' },
    value,
    element(
      'span',
      { class: `relative ${verdict}`, title: interval },
      formatRatio(ratio.value),
      element('span', { class: 'unseen' }, ` of the baseline, ${verdict}, ${interval}`),
    ),
  )
}

// Made once: making one costs more than sorting with it.
const COLLATOR = new Intl.Collator('en', { numeric: true })

function sorted(
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
  // What was not measured stays at the end in both directions.
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
    METHOD_ORDER.indexOf(a.method) - METHOD_ORDER.indexOf(b.method)
  )
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
