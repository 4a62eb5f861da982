// Head and rows of the table of trials. Names stay in sight; values are held against a baseline if one is chosen.
import {
  absenceOf,
  type Configuration,
  counted,
  coversRuns,
  excludesOne,
  finished,
  formatRange,
  formatRatio,
  type Measure,
  methodName,
  ratioOf,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import type { App } from './app.js'
import type { Column } from './columns.js'
import { button, element } from './dom.js'
import { lookOf } from './figures/figure.js'

export function tableHead(
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
    ),
  )
}

export function tableRow(
  app: App,
  item: Configuration,
  names: readonly Column[],
  measures: readonly Measure[],
  baseline: Configuration | undefined,
): HTMLElement {
  const [first, ...others] = names
  const id = app.names.of(item.runs[0]!)
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
        swatch(item.method),
        String(first!.of(item)),
      ),
      button(isBaseline ? 'Baseline' : 'Compare', () => app.change({ baseline: id }), {
        class: 'quiet',
        'data-focus': `baseline ${id}`,
        'aria-pressed': String(isBaseline),
        'aria-label': `${isBaseline ? 'Baseline' : 'Compare'}: ${methodName(item.method)}, ${teacherName(item.trial)}, batch ${item.trial.batch}`,
      }),
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
  )
}

/** Quantities of the graph that differ by less than this read as equal. */
const SAME = 0.0005

function valueCell(
  item: Configuration,
  measure: Measure,
  baseline: Configuration | undefined,
): HTMLElement {
  const summary = summaryOf(item, measure)
  if (summary === undefined) {
    const why = absenceOf(item, measure.id === 'accuracy')
    return element('td', { class: 'numeric absent', title: why }, '–')
  }
  const ratio = baseline === undefined ? undefined : ratioOf(item, baseline, measure)
  const value = measure.format(summary.mean)
  if (ratio === undefined) return element('td', { class: 'numeric' }, value)
  // Steps of one run do not say how the next run differs: only intervals over runs earn a colour.
  const real =
    measure.exact === true
      ? Math.abs(Math.log(ratio.value)) > SAME
      : coversRuns(ratio.over) && excludesOne(ratio)
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

function swatch(method: string): HTMLElement {
  const mark = element('i', { class: 'swatch', 'aria-hidden': 'true' })
  mark.style.background = lookOf(method).color
  return mark
}
