// Opens the page: reads the records it carries, keeps what the reader chose in the URL, and shows the report or, when
// one is chosen, a single trial.
import { type Content, type Payload, unpack } from '@embed-kd/records'
import { formatState, parseState } from '../model/state.js'
import type { App } from './app.js'
import { element } from './dom.js'
import { createReport } from './report.js'
import { restoreTheme } from './theme.js'
import { trialPage } from './trial-page.js'

function open(root: HTMLElement, content: Content): void {
  let state = parseState(location.hash)
  let leftAt = 0
  const app: App = {
    content,
    state: () => state,
    change: (change) => {
      state = { ...state, ...change }
      history.replaceState(null, '', `#${formatState(state)}`)
      report.update()
    },
    link: (change) => `#${formatState({ ...state, ...change })}`,
  }
  document.title = content.title
  const byId = new Map(content.records.map((record) => [record.id, record]))
  const report = createReport(app)
  const detail = element('div', { hidden: true })
  root.replaceChildren(report.node, detail)

  const show = () => {
    const chosen = state.trial === undefined ? undefined : byId.get(state.trial)
    const wasDetail = !detail.hidden
    if (chosen !== undefined && !wasDetail) leftAt = scrollY
    detail.hidden = chosen === undefined
    report.node.hidden = chosen !== undefined
    if (chosen !== undefined) {
      detail.replaceChildren(trialPage(app, chosen))
      scrollTo(0, 0)
      detail.querySelector<HTMLElement>('h1')?.focus()
      return
    }
    detail.replaceChildren()
    report.update()
    if (wasDetail) scrollTo(0, leftAt)
  }
  addEventListener('hashchange', () => {
    state = parseState(location.hash)
    show()
  })
  show()
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
