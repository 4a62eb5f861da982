// Opens the page: reads the records it carries, keeps what the reader chose in the URL, and shows the report or, when
// one is chosen, a single trial.
import {
  type BenchRecord,
  configurationsOf,
  type Content,
  type Payload,
  unpack,
} from '@embed-kd/records'
import { nameRecords } from '../model/names.js'
import { formatState, parseState } from '../model/state.js'
import type { App } from './app.js'
import { element } from './dom.js'
import { createReport } from './report.js'
import { restoreTheme } from './theme.js'
import { trialPage } from './trial-page.js'

function open(root: HTMLElement, content: Content): void {
  let state = parseState(location.hash)
  let leftAt = 0
  const names = nameRecords(content.records)
  const app: App = {
    content,
    configurations: configurationsOf(content.records),
    names,
    state: () => state,
    change: (change) => {
      state = { ...state, ...change }
      history.replaceState(null, '', `#${formatState(state)}`)
      report.update()
    },
    link: (change) => `#${formatState({ ...state, figure: undefined, ...change })}`,
  }
  const report = createReport(app)
  const detail = element('div', { hidden: true })
  root.replaceChildren(report.node, detail)

  const showTrial = (record: BenchRecord) => {
    if (detail.hidden) leftAt = scrollY
    report.node.hidden = true
    detail.hidden = false
    detail.replaceChildren(trialPage(app, record))
    scrollTo(0, 0)
    const heading = detail.querySelector<HTMLElement>('h1')
    document.title = `${heading?.textContent} – ${content.title}`
    heading?.focus()
  }
  /** Shows the report, where the reader left it if a trial was open. */
  const showReport = (from: string | undefined) => {
    const wasDetail = !detail.hidden
    report.node.hidden = false
    detail.hidden = true
    detail.replaceChildren()
    document.title = content.title
    report.update()
    if (wasDetail) returnTo(report.node, leftAt, from)
    if (state.figure !== undefined)
      goTo(document.querySelector(`#figure-${CSS.escape(state.figure)}`))
  }
  const show = (from?: string) => {
    const chosen = state.trial === undefined ? undefined : names.find(state.trial)
    if (chosen === undefined) showReport(from)
    else showTrial(chosen)
  }
  addEventListener('hashchange', () => {
    const from = state.trial
    state = parseState(location.hash)
    show(from)
  })
  show()
}

/** Scrolls back to where the reader was, and focuses the link that was followed. */
function returnTo(node: HTMLElement, top: number, trial: string | undefined): void {
  const back = () => scrollTo({ top, behavior: 'instant' })
  back()
  // Parts out of sight get their height once they have been laid out.
  requestAnimationFrame(back)
  const links = [...node.querySelectorAll<HTMLElement>('[data-focus]')]
  const link = links.find(({ dataset }) => dataset['focus'] === `open ${trial}`)
  link?.focus({ preventScroll: true })
}

function goTo(figure: Element | null): void {
  figure?.scrollIntoView()
  // Figures above are drawn on the way and push this one down.
  setTimeout(() => figure?.scrollIntoView(), 300)
}

restoreTheme()
const root = document.querySelector<HTMLElement>('#page')!
const payload = JSON.parse(document.querySelector('#payload')!.textContent) as Payload | null
const details = document.querySelectorAll('script.details')
if (payload === null) root.replaceChildren('This page was built without records.')
else
  open(
    root,
    unpack(payload, (index) => details[index]!.textContent),
  )
