// One answer as a card: the figure, the two values it compares, its evidence, and whether the data support it.
import {
  type Answer,
  counted,
  devicePeakBytes,
  extrapolatedEpochSeconds,
  type Finding,
  formatPointsRange,
  formatRange,
  formatRatio,
  PAPER,
  type Question,
  type Support,
  type Verdict,
} from '@embed-kd/records'
import { element } from './dom.js'
import { differenceEvidence, ratioEvidence } from './evidence.js'

export function card(name: string, { question, found, support }: Answer): HTMLElement {
  return element(
    'article',
    {
      class: `card ${support.verdict}${found === undefined ? ' bare' : ''}`,
      'aria-label': name,
    },
    element('h3', {}, name),
    ...(found === undefined
      ? [element('p', { class: 'headline' }, element('span', { class: 'number' }, '–'))]
      : figure(question, found)),
    element(
      'div',
      { class: 'verdicts' },
      verdictOf(support, found?.ratio.n ?? 0),
      found?.withoutTeacher &&
        verdictOf(found.withoutTeacher.support, found.withoutTeacher.difference.n),
    ),
  )
}

function figure(question: Question, found: Finding) {
  const { difference } = found
  return [
    headline(question, found),
    sentence(question, found),
    difference === undefined
      ? ratioEvidence(found)
      : differenceEvidence(found, PAPER.embedKd.accuracy - PAPER.teacherKd.accuracy),
    element('p', { class: 'setting' }, across(found)),
  ]
}

const PHRASES: Readonly<Record<Question, string>> = {
  memory: 'peak memory',
  time: 'time per epoch',
  accuracy: 'points of accuracy',
}

/** Ratios this close to 1 are neither more nor less. */
const SAME = 0.005

function headline(question: Question, { ratio, difference }: Finding): HTMLElement {
  const [number, phrase] =
    difference === undefined
      ? [
          Math.abs(Math.log(ratio.value)) < SAME
            ? '1.00×'
            : formatRatio(ratio.value < 1 ? 1 / ratio.value : ratio.value),
          Math.abs(Math.log(ratio.value)) < SAME
            ? `the same ${PHRASES[question]}`
            : `${ratio.value < 1 ? 'more' : 'less'} ${PHRASES[question]}`,
        ]
      : [points(difference.value), PHRASES.accuracy]
  return element(
    'p',
    { class: 'headline' },
    element('span', { class: 'number' }, number),
    ' ',
    element('span', { class: 'phrase' }, phrase),
  )
}

function points(share: number): string {
  const digits = (Math.abs(share) * 100).toFixed(2)
  if (Number(digits) === 0) return '0.00'
  return `${share < 0 ? '−' : '+'}${digits}`
}

function sentence(question: Question, { measure, embedKd, teacherKd }: Finding): HTMLElement {
  const memory = measure === devicePeakBytes ? 'on the device' : 'over the baseline of the process'
  const epoch =
    measure === extrapolatedEpochSeconds ? 'an epoch, extrapolated from the steps' : 'an epoch'
  const [verb, ending] = {
    memory: ['peaks at', memory],
    time: ['takes', epoch],
    accuracy: ['reaches', 'on the test split'],
  }[question] as [string, string]
  const say = (value: number) =>
    question === 'accuracy' ? `${(value * 100).toFixed(2)} %` : measure.format(value)
  return element(
    'p',
    { class: 'sentence' },
    `Embed-KD ${verb} `,
    element('b', {}, say(embedKd)),
    ', Teacher-KD ',
    element('b', {}, say(teacherKd)),
    ` ${ending}.`,
  )
}

function across({ settings, range, differences }: Finding): string {
  if (settings < 2) return 'The only setting with both methods.'
  const spread = differences === undefined ? sayRange(range) : formatPointsRange(differences)
  return `Range over ${counted(settings, 'setting')}: ${spread}.`
}

function sayRange([low, high]: readonly [number, number]): string {
  if (low >= 1) return `${formatRange([low, high])} less`
  if (high <= 1) return `${formatRange([1 / high, 1 / low])} more`
  return `from ${formatRatio(1 / low)} more to ${formatRatio(high)} less`
}

const VERDICTS: Readonly<Record<Verdict, readonly [sign: string, word: string]>> = {
  supported: ['✓', 'Supported'],
  refuted: ['✕', 'Refuted'],
  inconclusive: ['◐', 'Inconclusive'],
}

/** Says what the records say about a claim, and why. */
export function verdictOf({ claim, verdict, reasons }: Support, pairs: number): HTMLElement {
  const [sign, word] = VERDICTS[verdict]
  const over = pairs === 0 ? '' : ` (${counted(pairs, 'paired run')})`
  return element(
    'div',
    { class: `verdict ${verdict}` },
    element(
      'p',
      {},
      element('span', { 'aria-hidden': 'true' }, `${sign} `),
      `${word}: ${claim}${over}`,
    ),
    reasons.length === 0
      ? undefined
      : element('ul', {}, ...reasons.map((reason) => element('li', {}, reason))),
  )
}
