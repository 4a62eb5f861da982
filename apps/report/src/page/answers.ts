// The first screen's answers: one sentence, three cards about one matched setting, the cost of a larger teacher, when
// embeddings pay, which trials did not finish, and which batches fit.
import {
  type Answers,
  answersOf,
  type BreakEven,
  breakEvens,
  type Comparison,
  counted,
  exhaustionSentence,
  type Failure,
  failuresOf,
  formatCount,
  formatRatio,
  formatSeconds,
  lengthName,
  listed,
  methodName,
  type Question,
  scopeName,
  significant,
  statusName,
  teacherName,
  timedSteps,
  verdictOf,
} from '@embed-kd/records'
import type { View } from '../model/view.js'
import type { App, Part } from './app.js'
import { card } from './cards.js'
import { element, fill } from './dom.js'
import { recommendationTable } from './recommendations.js'

const QUESTIONS: readonly (readonly [Question, string])[] = [
  ['memory', 'Memory'],
  ['time', 'Time'],
  ['accuracy', 'Accuracy'],
]

export function createAnswers(app: App): Part {
  const answer = element('p', { class: 'answer' })
  const title = element('h2', { id: 'answers-title' }, 'Embed-KD against Teacher-KD')
  const setting = element('p', { class: 'lede' })
  const cards = element('div', { class: 'cards' })
  const asides = element('div', { class: 'asides' })
  const node = element(
    'section',
    { id: 'answers', tabindex: '-1', 'aria-labelledby': 'answers-title' },
    answer,
    title,
    setting,
    cards,
    asides,
  )
  return {
    node,
    update: (view) => {
      const found = answersOf(view)
      fill(answer, view.all.length === 0 ? undefined : verdictOf(found))
      title.classList.toggle('unseen', found.matched === undefined)
      fill(setting, found.matched === undefined ? undefined : settingText(found.matched))
      // Without a setting the sentence has said why; three empty cards would say it again.
      const { matched, answers } = found
      fill(cards, matched && QUESTIONS.map(([question, name]) => card(name, answers[question])))
      fill(
        asides,
        exhaustionAside(found),
        costAside(found),
        matched && breakEvenAside(view),
        failureAside(app, view),
        recommendationTable(view.configurations),
      )
    },
  }
}

/** Names the setting once for all three cards, with the number of runs and of timed steps. */
function settingText(comparison: Comparison): string {
  const { embedKd } = comparison
  const { trial, scope } = embedKd
  const kind = trial.teacher?.kind === 'random' ? ' with random weights' : ''
  return (
    `One setting: teacher ${teacherName(trial)}${kind}, batch ${trial.batch}, ${lengthName(trial)} · ${scopeName(scope)} · ` +
    `${scope.machine}, ${scope.version}. Embed-KD has ${runsText(comparison, 0)}, Teacher-KD ${runsText(comparison, 1)}.`
  )
}

function runsText(comparison: Comparison, at: 0 | 1): string {
  const runs = [comparison.embedKd, comparison.teacherKd][at]!.runs.length
  return `${counted(runs, 'run')} of ${counted(timedSteps(comparison)[at], 'timed step')}`
}

function aside(title: string, ...content: readonly (Node | string)[]): HTMLElement {
  return element('p', { class: 'aside' }, element('b', {}, `${title} `), ...content)
}

function exhaustionAside({ exhaustion }: Answers): HTMLElement | undefined {
  return exhaustion && aside('Out of memory:', exhaustionSentence(exhaustion))
}

function costAside({ cost }: Answers): HTMLElement | undefined {
  if (cost === undefined) return undefined
  const { comparison, memory, time } = cost
  const { trial } = comparison.embedKd
  const weights = trial.teacher?.kind === 'random' ? 'random weights, ' : ''
  const [embed, teacher] = timedSteps(comparison)
  const parts = [memory, time].flatMap(({ question, found }) => {
    if (found === undefined) return []
    const { value } = found.ratio
    const amount = `${formatRatio(value < 1 ? 1 / value : value)} ${value < 1 ? 'more' : 'less'}`
    return `${amount} ${question === 'memory' ? 'peak memory' : 'time per epoch'} (${found.measure.format(found.embedKd)} against ${found.measure.format(found.teacherKd)})`
  })
  return aside(
    'Cost alone, with a larger teacher:',
    `${teacherName(trial)} (${weights}batch ${trial.batch}) needs ${listed(parts)} with Embed-KD. ` +
      `Extrapolated from ${counted(embed, 'timed step')} of Embed-KD and ${teacher} of Teacher-KD in ${counted(comparison.embedKd.runs.length, 'run')}; nothing is known about accuracy.`,
  )
}

function breakEvenAside({ comparisons }: View): HTMLElement {
  const items = breakEvens(comparisons)
  if (items.length === 0)
    return aside(
      'Break-even:',
      'the setting lacks the one-time cost of its embeddings or the time of an epoch.',
    )
  return aside('Break-even:', items.map(breakEvenText).join(' '))
}

function breakEvenText(item: BreakEven): string {
  const { trial } = item.comparison.embedKd
  const how = item.embeddingExtrapolated ? ' (extrapolated from a few batches)' : ''
  const made = `Embeddings of ${counted(item.images, 'image')} by ${teacherName(trial)} take ${formatSeconds(item.embeddingSeconds)} once${how}`
  if (item.epochs === undefined || item.steps === undefined) {
    return `${made}; at batch ${trial.batch} that time is never saved again.`
  }
  return `${made}; at batch ${trial.batch} that time is saved after ${counted(item.steps, 'step')}, ${significant(item.epochs, 2)} epochs.`
}

const MOST_FAILURES = 4

function failureAside(app: App, { configurations, records }: View): HTMLElement | undefined {
  const failures = failuresOf(configurations)
  if (failures.length === 0) return undefined
  const trials = failures.reduce((sum, failure) => sum + failure.trials, 0)
  const rest = failures.slice(MOST_FAILURES)
  return element(
    'div',
    { class: 'aside failures' },
    element(
      'b',
      {},
      `Did not finish: ${formatCount(trials)} of ${counted(records.length, 'trial')}. `,
    ),
    element(
      'ul',
      {},
      ...failures.slice(0, MOST_FAILURES).map((failure) => failureItem(app, failure)),
      rest.length === 0
        ? undefined
        : element(
            'li',
            {},
            `and ${counted(rest.length, 'other reason')}; filter by status to see them.`,
          ),
    ),
  )
}

function failureItem(app: App, { status, reason, trials, methods, example }: Failure): HTMLElement {
  const who = listed(methods.map(([method, count]) => `${methodName(method)} ${count}`))
  return element(
    'li',
    {},
    `${counted(trials, 'trial')} ${statusName(status)} (${who}): ${reason}. `,
    element('a', { href: app.link({ trial: app.names.of(example) }) }, 'See one'),
  )
}
