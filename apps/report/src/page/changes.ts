// The report's section on changes since an earlier set of benchmark records: regressions, then improvements, then
// configurations that only one of the two sets contains.
import {
  abridged,
  type Side,
  type BenchRecord,
  type Change,
  changesBetween,
  type Configuration,
  counted,
  formatRange,
  formatRatio,
  methodName,
  scopeNamer,
  SINGLE_RUN_THRESHOLD,
  statusName,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { element, textTable } from './dom.js'
import type { App } from './app.js'

const FIRST_ROWS = 8
const MOST_ROWS = 200

export function changesSection({ content }: App, before: readonly BenchRecord[]): HTMLElement {
  const changes = changesBetween(before, content.records)
  const { worse, better, unchanged, onlyBefore, onlyAfter } = changes
  const nameScope = scopeNamer(
    [...worse, ...better]
      .map(({ after }) => after)
      .concat(onlyBefore, onlyAfter)
      .map(({ scope }) => scope),
  )
  const nameOf = (item: Configuration) => {
    const place = nameScope(item.scope)
    const name = `${methodName(item.method)}, ${teacherName(item.trial)}, batch ${item.trial.batch}`
    return place === '' ? name : `${name} · ${place}`
  }
  const rows = (items: readonly Change[]) => items.map((change) => rowOf(change, nameOf))
  return element(
    'section',
    { id: 'changes', tabindex: '-1', 'aria-labelledby': 'changes-title' },
    element('h2', { id: 'changes-title' }, 'Since the earlier records'),
    element(
      'p',
      { class: 'lede' },
      `From ${sideText(changes.from)} to ${sideText(changes.to)}: `,
      element('b', { class: 'worse' }, counted(worse.length, 'regression')),
      ', ',
      element('b', { class: 'better' }, counted(better.length, 'improvement')),
      `, ${counted(unchanged, 'configuration')} without a change that the data show. ` +
        `A change counts if the 95 % interval of the paired ratio excludes 1; between single runs it must also exceed ${SINGLE_RUN_THRESHOLD * 100} %.`,
    ),
    changes.sameMachine
      ? undefined
      : element(
          'p',
          { class: 'notice' },
          'No machine ran both sides. Times and measured memory depend on the machine and are not compared; planned memory and accuracy are.',
        ),
    changes.differences.length === 0
      ? undefined
      : element(
          'p',
          { class: 'common' },
          `Software that differs: ${changes.differences.map(([name, was, is]) => `${name} ${was} → ${is}`).join('; ')}.`,
        ),
    list('Worse', rows(worse)),
    list('Better', rows(better)),
    missing('Only in the earlier records', onlyBefore.map(nameOf)),
    missing('Only in the new records', onlyAfter.map(nameOf)),
  )
}

function sideText({ versions, machines, days: [first, last] }: Side): string {
  const when = first === last ? first : `${first} to ${last}`
  return `${abridged(versions)} (${when}, ${abridged(machines)})`
}

const COLUMNS = ['Configuration', 'Quantity', 'Before', 'Now', 'Ratio', '95 % interval', 'Pairs']

function list(title: string, rows: readonly (readonly string[])[]): HTMLElement | undefined {
  if (rows.length === 0) return undefined
  const table = (part: typeof rows, label: string) =>
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
      textTable(COLUMNS, part),
    )
  const rest = rows.slice(FIRST_ROWS, MOST_ROWS)
  return element(
    'div',
    { class: 'changes' },
    element('h3', {}, `${title} (${rows.length})`),
    table(rows.slice(0, FIRST_ROWS), title),
    rest.length === 0
      ? undefined
      : element(
          'details',
          { class: 'data' },
          element('summary', {}, `${rest.length} smaller changes`),
          table(rest, `${title}, smaller changes`),
        ),
  )
}

function rowOf(
  { before, after, figure }: Change,
  nameOf: (item: Configuration) => string,
): string[] {
  if (figure === undefined) {
    const status = ({ runs }: Configuration) => runs[0]!.status
    return [
      nameOf(after),
      'outcome',
      statusName(status(before)),
      statusName(status(after)),
      '–',
      '–',
      '–',
    ]
  }
  const { measure, ratio } = figure
  return [
    nameOf(after),
    measure.label,
    measure.format(summaryOf(before, measure)!.mean),
    measure.format(summaryOf(after, measure)!.mean),
    formatRatio(ratio.value),
    ratio.interval === undefined
      ? measure.exact === true
        ? 'exact'
        : 'none'
      : formatRange(ratio.interval) + (ratio.over === 'steps' ? ' (steps of one run)' : ''),
    String(ratio.n),
  ]
}

function missing(title: string, names: readonly string[]): HTMLElement | undefined {
  if (names.length === 0) return undefined
  const rest = names.length - MOST_ROWS
  return element(
    'details',
    { class: 'data' },
    element('summary', {}, `${title} (${names.length})`),
    element('ul', {}, ...names.slice(0, MOST_ROWS).map((name) => element('li', {}, name))),
    rest > 0 ? element('p', {}, `And ${rest} more.`) : undefined,
  )
}
