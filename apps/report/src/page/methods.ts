// The methods against each other: a table of methods × label shares for each setting, every cell with its mean, interval and
// tests. The fullest table stands open; the others wait behind their names. Nothing is computed before it comes into sight.
import {
  BASELINES,
  type Cell,
  type Configuration,
  counted,
  latexTable,
  LEVEL,
  markdownTable,
  METHOD_TABLE_NOTE,
  methodName,
  methodsCsv,
  type MethodTable,
  methodTablesOf,
  methodTableText,
  methodTableTitle,
  sayAccuracy,
  sayDifference,
  sayP,
  saySeeds,
  type Test,
} from '@embed-kd/records'
import type { View } from '../model/view.js'
import type { Part } from './app.js'
import { button, element, fill } from './dom.js'
import { download } from './download.js'
import { controlsBlock, searchBlock, teacherSetBlock } from './experiment.js'
import { lookOf } from './figures/figure.js'

/** More tables than this are counted only; filters bring them up. */
const MOST = 12

export function createMethods(): Part {
  const body = element('div')
  const node = element(
    'section',
    { id: 'methods', tabindex: '-1', 'aria-labelledby': 'methods-title' },
    element('h2', { id: 'methods-title' }, 'Methods'),
    body,
  )
  let view: View | undefined
  let drawn: View | undefined
  let near = false
  const draw = () => {
    if (!near || view === undefined || view === drawn) return
    drawn = view
    const { configurations } = view
    const { tables, rest } = methodTablesOf(configurations, MOST)
    const [first, ...others] = tables
    fill(
      body,
      first === undefined
        ? element('p', { class: 'methods-note' }, NOTHING)
        : [
            tableNode(first),
            element('p', { class: 'methods-note' }, METHOD_TABLE_NOTE),
            tools(configurations, tables),
          ],
      others.map(closedTable),
      rest > 0
        ? element(
            'p',
            { class: 'methods-note' },
            `${counted(rest, 'more setting')}: narrow the filters.`,
          )
        : undefined,
      controlsBlock(view),
      teacherSetBlock(view),
      searchBlock(view),
    )
  }
  new IntersectionObserver(
    (entries) => {
      near = entries.at(-1)!.isIntersecting
      draw()
    },
    { rootMargin: '200px' },
  ).observe(node)
  addEventListener('beforeprint', () => {
    near = true
    draw()
  })
  return {
    node,
    update: (fresh) => {
      view = fresh
      draw()
    },
  }
}

const NOTHING = 'No setting that passes the filters has an accuracy of two methods.'

/** A table that is drawn when the reader opens it. */
function closedTable(table: MethodTable): HTMLElement {
  const details = element(
    'details',
    { class: 'data' },
    element('summary', {}, methodTableTitle(table)),
  )
  details.addEventListener('toggle', () => {
    if (details.childElementCount === 1) details.append(tableNode(table))
  })
  return details
}

function tools(
  configurations: readonly Configuration[],
  tables: readonly MethodTable[],
): HTMLElement {
  const texts = () => tables.map(methodTableText)
  const all = () => methodTablesOf(configurations).tables
  return element(
    'p',
    { class: 'figure-tools' },
    button('CSV', () => download('methods.csv', methodsCsv(all()), 'text/csv')),
    button('LaTeX', () =>
      download('methods.tex', texts().map(latexTable).join('\n'), 'text/x-tex'),
    ),
    button('Markdown', () =>
      download('methods.md', texts().map(markdownTable).join('\n'), 'text/markdown'),
    ),
  )
}

function tableNode(table: MethodTable): HTMLElement {
  const title = methodTableTitle(table)
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title },
    element(
      'table',
      { class: 'methods' },
      element('caption', {}, title),
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          element('th', { scope: 'col' }, 'Method'),
          ...table.columns.map((name) => element('th', { scope: 'col' }, name)),
        ),
      ),
      element(
        'tbody',
        {},
        ...table.rows.map(({ name, method, cells }) =>
          element(
            'tr',
            {},
            element('th', { scope: 'row', style: `color: ${lookOf(method).color}` }, name),
            ...cells.map((cell) => element('td', {}, ...(cell ? cellContent(cell) : ['–']))),
          ),
        ),
      ),
    ),
  )
}

function cellContent(cell: Cell): HTMLElement[] {
  const { accuracy, against } = cell
  return [
    element(
      'p',
      { class: 'mean' },
      element('b', {}, sayAccuracy(cell)),
      ` ${counted(accuracy.n, 'seed')}`,
    ),
    ...BASELINES.flatMap((baseline) => {
      const test = against[baseline]
      return test === undefined ? [] : testLine(`to ${methodName(baseline)}`, test)
    }),
  ]
}

function testLine(label: string, test: Test): HTMLElement {
  const { difference, corrected } = test
  const found = corrected !== undefined && corrected < LEVEL
  const change = found ? (difference.value > 0 ? 'better' : 'worse') : ''
  const { seeds } = difference
  return element(
    'p',
    { class: `test ${change}`, ...(seeds && { title: saySeeds(seeds) }) },
    `${label} `,
    element('span', { class: 'change' }, sayDifference(test)),
    corrected === undefined ? '' : `, p ${sayP(test)}`,
  )
}
