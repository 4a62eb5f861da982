// The first screen's three answers as cards: the figure, what it was taken from, its evidence on one scale, and
// whether the data carry it.
import {
  answer,
  type Answer,
  type Finding,
  largestBreakEven,
  type Question,
} from '@embed-kd/records'
import { scopeName, teacherName } from '@embed-kd/records'
import { counted, formatRange, formatRatio, formatSeconds, significant } from '@embed-kd/records'
import { devicePeakBytes } from '@embed-kd/records'
import { type Interval, ratioRange } from '@embed-kd/records'
import type { View } from '../model/view.js'
import { element, fill } from './dom.js'
import type { Part } from './report.js'

const QUESTIONS: readonly (readonly [Question, string])[] = [
  ['memory', 'Memory'],
  ['time', 'Time'],
  ['accuracy', 'Accuracy'],
]

export function createAnswers(): Part {
  const cards = element('div', { class: 'cards' })
  const payback = element('p', { class: 'payback' })
  const node = element(
    'section',
    { id: 'answers', tabindex: '-1', 'aria-labelledby': 'answers-title' },
    element('h2', { id: 'answers-title' }, 'Embed-KD against Teacher-KD'),
    cards,
    payback,
  )
  return {
    node,
    update: ({ comparisons }) => {
      fill(cards, ...QUESTIONS.map(([question, name]) => card(name, answer(question, comparisons))))
      fill(payback, ...paybackText(comparisons))
    },
  }
}

function card(name: string, { question, found, support }: Answer): HTMLElement {
  return element(
    'article',
    {
      class: `card ${support.level}${found === undefined ? ' bare' : ''}`,
      'aria-label': name,
    },
    element('h3', {}, name),
    ...(found === undefined ? noFigure() : figure(question, found)),
    verdict(support, found?.ratio.n ?? 0),
  )
}

function noFigure() {
  return [element('p', { class: 'headline' }, element('span', { class: 'number' }, '–'))]
}

function figure(question: Question, found: Finding) {
  const { comparison, measure, ratio, range, settings } = found
  const { trial, scope } = comparison.embedKd
  const kind = trial.teacher?.kind === 'random' ? ', random weights' : ''
  const percent = (value: number) => `${(value * 100).toFixed(2)} %`
  const say = question === 'accuracy' ? percent : measure.format
  const verb = question === 'accuracy' ? 'reaches' : question === 'time' ? 'takes' : 'peaks at'
  return [
    headline(question, ratio.value),
    element(
      'p',
      { class: 'sentence' },
      `Embed-KD ${verb} `,
      element('b', {}, say(found.embedKd)),
      `, Teacher-KD `,
      element('b', {}, say(found.teacherKd)),
      question === 'memory'
        ? measure === devicePeakBytes
          ? ' on the device.'
          : ' over the baseline of the process.'
        : question === 'time'
          ? ' a step.'
          : ' on the test split.',
    ),
    evidence(question, found),
    element(
      'p',
      { class: 'setting' },
      `Teacher ${teacherName(trial)}${kind}, batch ${trial.batch}, ${scopeName(scope)}.`,
      settings > 1
        ? ` Over ${counted(settings, 'setting')}: ${formatRange(range)}.`
        : ' The only setting with both methods.',
    ),
  ]
}

function headline(question: Question, value: number): HTMLElement {
  const inverted = question !== 'accuracy' && value < 1
  const phrase =
    question === 'accuracy'
      ? 'the accuracy'
      : `${inverted ? 'more' : 'less'} ${question === 'memory' ? 'peak memory' : 'time per step'}`
  return element(
    'p',
    { class: 'headline' },
    element('span', { class: 'number' }, formatRatio(inverted ? 1 / value : value)),
    ' ',
    element('span', { class: 'phrase' }, phrase),
  )
}

interface Line {
  readonly kind: 'measured' | 'planned' | 'paper'
  readonly label: string
  readonly value: number
  readonly text?: string
  readonly interval?: Interval | undefined
}

const BESIDE_NAMES: Readonly<Record<string, readonly ['measured' | 'planned', string]>> = {
  plannedPeakBytes: ['planned', 'Peak, planned'],
  plannedResidentBytes: ['planned', 'Resident, planned'],
  hostResidentBytes: ['measured', 'Resident, measured'],
  deviceResidentBytes: ['measured', 'Resident, measured'],
  stepFlops: ['planned', 'FLOPs, planned'],
}

function evidence(question: Question, { ratio, beside, paperRatio }: Finding): HTMLElement {
  const own = { memory: 'Peak, measured', time: 'Step, measured', accuracy: 'Measured' }[question]
  const lines: Line[] = [
    { kind: 'measured', label: own, value: ratio.value, interval: ratio.interval },
    ...beside.map(({ measure, ratio }): Line => {
      const [kind, label] = BESIDE_NAMES[measure.id] ?? ['planned', measure.short]
      return { kind, label, value: ratio.value, interval: ratio.interval }
    }),
    { kind: 'paper', label: 'Paper', value: paperRatio, text: `${paperRatio}×` },
  ]
  const [low, high] = ratioRange(
    [1, ...lines.map(({ value }) => value)],
    lines.flatMap(({ interval }) => interval ?? []),
  )
  const place = (value: number) => {
    const inside = Math.min(high, Math.max(low, value))
    return `${4 + (92 * Math.log(inside / low)) / Math.log(high / low)}%`
  }
  const one = `left: ${place(1)}`
  return element(
    'table',
    { class: 'evidence' },
    element('caption', { class: 'unseen' }, 'The ratio and what stands beside it'),
    element(
      'thead',
      { class: 'unseen' },
      element(
        'tr',
        {},
        element('th', { scope: 'col' }, 'Quantity'),
        element('th', { scope: 'col' }, 'On a scale'),
        element('th', { scope: 'col' }, 'Ratio and 95 % interval'),
      ),
    ),
    element(
      'tbody',
      {},
      ...lines.map(({ kind, label, value, interval, text = formatRatio(value) }) =>
        element(
          'tr',
          { class: kind },
          element('th', { scope: 'row' }, label),
          element(
            'td',
            { class: 'track', 'aria-hidden': 'true' },
            element('i', { class: 'one', style: one }),
            interval === undefined
              ? undefined
              : element('i', {
                  class: 'whisker',
                  style: `left: ${place(interval[0])}; right: calc(100% - ${place(interval[1])})`,
                }),
            element('i', { class: 'dot', style: `left: ${place(value)}` }),
          ),
          element(
            'td',
            { class: 'value' },
            text,
            interval === undefined
              ? undefined
              : element('span', { class: 'interval' }, ` ${formatRange(interval)}`),
          ),
        ),
      ),
    ),
  )
}

const VERDICTS = {
  supported: ['✓', 'Supported by'],
  limited: ['◐', 'With reservations:'],
  unsupported: ['✕', 'Not supported by'],
} as const

function verdict({ level, reasons }: Answer['support'], pairs: number): HTMLElement {
  const [sign, words] = VERDICTS[level]
  const name = `${words} ${pairs === 0 ? 'these data' : counted(pairs, 'paired run')}`
  return element(
    'div',
    { class: 'verdict' },
    element('p', {}, element('span', { 'aria-hidden': 'true' }, `${sign} `), name),
    reasons.length === 0
      ? undefined
      : element('ul', {}, ...reasons.map((reason) => element('li', {}, reason))),
  )
}

function paybackText(comparisons: View['comparisons']) {
  const item = largestBreakEven(comparisons)
  if (item === undefined) {
    return [
      element('b', {}, 'Break-even: '),
      'the one-time cost of the embeddings was not measured.',
    ]
  }
  const made = `Making the embeddings of ${counted(item.images, 'image')} takes ${formatSeconds(item.embeddingSeconds)} once`
  const { trial } = item.comparison.embedKd
  const where = `(teacher ${teacherName(trial)}, batch ${trial.batch})`
  if (item.epochs === undefined) {
    return [element('b', {}, 'Break-even: '), `${made} and is never won back ${where}.`]
  }
  return [
    element('b', {}, 'Break-even: '),
    `${made} and is won back after `,
    element('b', {}, `${significant(item.epochs, 2)} epochs`),
    `, ${counted(Math.ceil(item.epochs * item.steps), 'step')} ${where}.`,
  ]
}
