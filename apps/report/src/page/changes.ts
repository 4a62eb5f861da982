// What changed since an earlier set of records: regressions first, then improvements, then what one side lacks.
import type { BenchRecord } from '@embed-kd/record'
import { type Change, changesBetween, SINGLE_RUN_THRESHOLD } from '../model/changes.js'
import { type Configuration, scopeName, teacherName } from '../model/corpus.js'
import { counted, formatRange, formatRatio, methodName } from '../model/format.js'
import { summaryOf } from '../model/measures.js'
import { element, textTable } from './dom.js'
import type { App } from './main.js'

const MOST_ROWS = 50

export function changesSection({ payload }: App, before: readonly BenchRecord[]): HTMLElement {
  const { worse, better, unchanged, onlyBefore, onlyAfter } = changesBetween(
    before,
    payload.records,
  )
  return element(
    'section',
    { id: 'changes', tabindex: '-1', 'aria-labelledby': 'changes-title' },
    element('h2', { id: 'changes-title' }, 'Since the earlier records'),
    element(
      'p',
      { class: 'lede' },
      `${counted(worse.length, 'regression')}, ${counted(better.length, 'improvement')}, ${counted(unchanged, 'configuration')} without a change that the data show. ` +
        `A change counts when the 95 % interval of the paired ratio leaves 1 out; between single runs it must also pass ${SINGLE_RUN_THRESHOLD * 100} %.`,
    ),
    list('Worse', worse),
    list('Better', better),
    missing('Only in the earlier records', onlyBefore),
    missing('Only in the new records', onlyAfter),
  )
}

function list(title: string, changes: readonly Change[]): HTMLElement | undefined {
  if (changes.length === 0) return undefined
  const rest = changes.length - MOST_ROWS
  return element(
    'div',
    { class: title.toLowerCase() },
    element('h3', {}, `${title} (${changes.length})`),
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title },
      textTable(
        ['Configuration', 'Quantity', 'Before', 'Now', 'Ratio', '95 % interval', 'Paired runs'],
        changes.slice(0, MOST_ROWS).map(rowOf),
      ),
    ),
    rest > 0 ? element('p', {}, `And ${counted(rest, 'smaller change')}.`) : undefined,
  )
}

function nameOf({ method, trial, scope }: Configuration): string {
  return `${methodName(method)}, ${teacherName(trial)}, batch ${trial.batch}, ${scopeName(scope)}`
}

function rowOf({ before, after, figure }: Change): string[] {
  if (figure === undefined) {
    const status = ({ runs }: Configuration) => runs[0]!.status
    return [nameOf(after), 'status', status(before), status(after), '–', '–', '–']
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

function missing(title: string, items: readonly Configuration[]): HTMLElement | undefined {
  if (items.length === 0) return undefined
  return element(
    'details',
    { class: 'data' },
    element('summary', {}, `${title} (${items.length})`),
    element('ul', {}, ...items.slice(0, MOST_ROWS).map((item) => element('li', {}, nameOf(item)))),
    items.length > MOST_ROWS
      ? element('p', {}, `And ${items.length - MOST_ROWS} more.`)
      : undefined,
  )
}
