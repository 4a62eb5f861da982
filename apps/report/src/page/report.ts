// The report itself: what was run, the answers, the figures, the table of trials, and how all of it was computed.
import {
  abridged,
  type Content,
  counted,
  formatBytes,
  isSummary,
  listed,
  machineName,
  methodName,
  methodSentences,
  statusName,
  runtimeName,
  SUMMARY_NOTICE,
  versionName,
} from '@embed-kd/records'
import { DIMENSIONS, type Filters, valuesOf } from '../model/filters.js'
import { type View, viewOf } from '../model/view.js'
import { createAnswers } from './answers.js'
import { changesSection } from './changes.js'
import { button, element } from './dom.js'
import { createFigures } from './figure-section.js'
import { createFilterBar } from './filter-bar.js'
import type { App } from './app.js'
import { createMethods } from './methods.js'
import { notes } from './notes.js'
import { withTerms } from './terms.js'
import { themeButton } from './theme.js'
import { createTrials } from './trials.js'
import { createWhatIf } from './what-if.js'

export function createReport(app: App): { node: HTMLElement; update: () => void } {
  const { content } = app
  const answers = createAnswers(app)
  const methods = createMethods()
  const bar = createFilterBar(app)
  const figures = createFigures(app)
  const whatIf = createWhatIf()
  const trials = createTrials(app)
  const parts = [bar, answers, methods, figures, whatIf, trials]
  const main = element(
    'main',
    { id: 'main', tabindex: '-1' },
    intro(content),
    ...(content.before === undefined ? [] : [changesSection(app, content.before)]),
    answers.node,
    bar.node,
    methods.node,
    figures.node,
    whatIf.node,
    trials.node,
    notes(),
  )
  const node = element('div', { class: 'sheet' }, masthead(main), main)
  let shown: { filters: Filters; view: View } | undefined
  return {
    node,
    update: () => {
      const { filters } = app.state()
      if (shown !== undefined && JSON.stringify(shown.filters) === JSON.stringify(filters)) {
        trials.update(shown.view)
        return
      }
      shown = { filters, view: viewOf(app.configurations, filters) }
      for (const part of parts) part.update(shown.view)
    },
  }
}

const SECTIONS = [
  ['answers', 'Answers'],
  ['methods', 'Methods'],
  ['figures', 'Figures'],
  ['what-if', 'What if'],
  ['trials', 'Trials'],
  ['notes', 'How it was computed'],
] as const

function masthead(main: HTMLElement): HTMLElement {
  const jump = (id: string) => {
    const target = main.querySelector<HTMLElement>(`#${id}`) ?? main
    target.scrollIntoView()
    target.focus({ preventScroll: true })
  }
  // The fragment holds the reader's choices, so that these links must not change it.
  const link = (id: string, name: string, attributes = {}) => {
    const node = element('a', { href: `#${id}`, ...attributes }, name)
    node.addEventListener('click', (event) => {
      event.preventDefault()
      jump(id)
    })
    return node
  }
  return element(
    'header',
    { class: 'masthead' },
    link('main', 'Skip to the report', { class: 'skip' }),
    element('span', { class: 'mark' }, 'embed-kd'),
    element('nav', { 'aria-label': 'Sections' }, ...SECTIONS.map(([id, name]) => link(id, name))),
    themeButton(),
  )
}

function intro({ title, records }: Content): HTMLElement {
  const of = (id: string) =>
    valuesOf(
      records,
      DIMENSIONS.find((dimension) => dimension.id === id)!,
    ).map(([value]) => value)
  const statuses = valuesOf(
    records,
    DIMENSIONS.find(({ id }) => id === 'status')!,
  ).map(([status, count]) => `${count.toLocaleString('en')} ${statusName(status)}`)
  const teachers = of('teacher').filter((name) => name !== 'no teacher')
  const methods = of('method').map(methodName)
  const machines = of('machine')
  const backends = [...new Set(records.map(({ trial }) => trial.backend))]
  const facts: [string, string][] = [
    ['Teachers', abridged(teachers)],
    ['Students', abridged(of('student'))],
    ['Data', abridged(of('dataset'))],
    ['Batch and preset', `${abridged(of('batch'))}; ${abridged(of('preset'))}`],
    ['Backends', abridged(backends)],
    ['Machine', `${abridged(machines)}; ${memoryOf(records)}`],
    ['Software', software(records)],
    ['Trials', listed(statuses)],
  ]
  if (records.length === 0) {
    return element(
      'section',
      { class: 'intro' },
      element('h1', {}, title),
      element('p', { class: 'lede' }, 'There are no records in this report.'),
    )
  }
  const definitions = of('method').flatMap((method) => methodSentences(method) ?? [])
  const details = element(
    'details',
    { class: 'data' },
    element('summary', {}, 'What the methods are, and what was run'),
    element(
      'ul',
      { class: 'definitions' },
      ...definitions.map((text) => element('li', {}, ...withTerms(text))),
    ),
    element(
      'dl',
      { class: 'facts' },
      ...facts.map(([name, value]) =>
        element(
          'div',
          {},
          element('dt', {}, name),
          element('dd', {}, value === '' ? 'none' : value),
        ),
      ),
    ),
  )
  // On paper nothing can be opened.
  addEventListener('beforeprint', () => (details.open = true))
  return element(
    'section',
    { class: 'intro' },
    element('h1', {}, title),
    element(
      'p',
      { class: 'lede' },
      `${counted(records.length, 'trial')} of ${counted(methods.length, 'method')} with ${counted(teachers.length, 'teacher')} on ${listed(of('dataset'))}, run by ${listed(backends)} on ${abridged(machines)}, ${dates(records)}.`,
    ),
    records.some(isSummary) ? element('p', { class: 'notice' }, SUMMARY_NOTICE) : undefined,
    details,
    citation(records),
  )
}

/** A button that copies a reference to these records, with version and date. */
function citation(records: Content['records']): HTMLElement {
  const versions = [...new Set(records.map(versionName))].sort()
  const text = [
    '@misc{embed-kd-records,',
    `  title = {embed-kd benchmark records, ${abridged(versions)}},`,
    `  note = {${counted(records.length, 'trial')} on ${abridged([...new Set(records.map(machineName))].sort())}, ${dates(records)}},`,
    `  year = {${records
      .map(({ startedAt }) => startedAt)
      .sort()
      .at(-1)!
      .slice(0, 4)}}`,
    '}',
  ].join('\n')
  const node = button(
    'Copy a citation (BibTeX)',
    () => {
      void navigator.clipboard.writeText(text).then(
        () => (node.textContent = 'Copied'),
        () => node.replaceWith(element('pre', { tabindex: '0', 'aria-label': 'Citation' }, text)),
      )
    },
    { class: 'quiet cite' },
  )
  return node
}

function memoryOf(records: Content['records']): string {
  const sizes = records.flatMap(({ environment: { memoryBytes } }) =>
    memoryBytes === undefined ? [] : formatBytes(memoryBytes),
  )
  return sizes.length === 0 ? 'unknown memory' : `${abridged([...new Set(sizes)])} of memory`
}

function software(records: Content['records']): string {
  const kinds = new Set(
    records.map(({ environment, benchmarkVersion }) => {
      const { os, commit, dirty } = environment
      const at =
        commit === undefined
          ? ''
          : `, commit ${commit.slice(0, 7)}${dirty === true ? ' (changed)' : ''}`
      return `embed-kd ${benchmarkVersion}${at}, ${runtimeName(environment)}, ${os}`
    }),
  )
  return abridged([...kinds])
}

function dates(records: Content['records']): string {
  const times = records.map(({ startedAt }) => startedAt).sort()
  const day = (time: string) =>
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(time))
  const [first, last] = [times[0], times.at(-1)]
  if (first === undefined || last === undefined) return ''
  return day(first) === day(last) ? day(first) : `${day(first)} to ${day(last)}`
}
