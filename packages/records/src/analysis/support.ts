// Judges a claim by the records: supported, refuted or inconclusive, with the reasons. Each question of the first
// screen has one claim; accuracy has a second one, against training without a teacher.
import type { BenchRecord } from '../schema.js'
import type { Finding, Support } from './finding.js'
import { finished, summaryOf } from './compare.js'
import { counted, formatPercent, formatRatio, methodName } from './format.js'
import * as measures from './measures.js'
import { PAPER_METHODS } from './paper.js'
import { timedSteps } from './setting.js'
import { type Difference, excludesOne, excludesZero } from './statistics.js'

/** Students whose accuracies lie within this share of each other count as equally good. */
export const MARGIN = 0.01
const MARGIN_WORDS = `${MARGIN * 100} point`

export const CLAIMS = {
  memory: 'less peak memory',
  time: 'less time per epoch',
  accuracy: `at least as accurate as ${methodName(PAPER_METHODS.replaced)}, within ${MARGIN_WORDS}`,
} as const
export const GAIN_CLAIM = `more accurate than ${methodName(PAPER_METHODS.without)}`

/** Fewer timed steps than this give a median that one slow step can move. */
const FEW_STEPS = 10

/** Judges a ratio in memory or time. A ratio above 1 is less for Embed-KD. */
export function supportOfRatio(question: 'memory' | 'time', finding: Finding): Support {
  const { ratio } = finding
  const claim = CLAIMS[question]
  const single =
    ratio.n > 1
      ? []
      : ratio.over === 'steps'
        ? [
            'One run of each: the interval covers the steps inside it, not how the next run may differ.',
          ]
        : ['One run of each: no interval.']
  if (ratio.interval !== undefined && !excludesOne(ratio)) {
    const reasons = [...single, 'The interval includes 1: no difference is shown.']
    return { claim, verdict: 'inconclusive', reasons }
  }
  const doubts = question === 'time' ? timeReasons(finding) : memoryReasons(finding)
  const verdict = ratio.value > 1 ? 'supported' : 'refuted'
  return { claim, verdict, reasons: [...single, ...doubts] }
}

/** Judges the claim that the student is no less accurate than with the live teacher, by non-inferiority. */
export function supportOfEquality(difference: Difference): Support {
  const claim = CLAIMS.accuracy
  const [low, high] = difference.interval ?? [-Infinity, Infinity]
  if (difference.n === 1) return { claim, verdict: 'inconclusive', reasons: [oneSeed(difference)] }
  if (low > -MARGIN) {
    const reasons =
      low > 0
        ? ['More accurate: the whole interval lies above 0.']
        : high < 0
          ? [`A little less accurate, but the loss is smaller than ${MARGIN_WORDS}.`]
          : []
    return { claim, verdict: 'supported', reasons }
  }
  if (high < -MARGIN) {
    const reasons = [`The whole interval lies below −${MARGIN_WORDS}.`]
    return { claim, verdict: 'refuted', reasons }
  }
  const reason =
    high < 0
      ? `Less accurate, but the loss may be smaller than ${MARGIN_WORDS}.`
      : `The interval reaches below −${MARGIN_WORDS}: more seeds or test images could decide.`
  return { claim, verdict: 'inconclusive', reasons: [reason] }
}

/** Judges the claim that the teacher's embeddings make the student more accurate than labels alone. */
export function supportOfGain(difference: Difference): Support {
  const claim = GAIN_CLAIM
  const [low, high] = difference.interval ?? [-Infinity, Infinity]
  if (difference.n === 1) return { claim, verdict: 'inconclusive', reasons: [oneSeed(difference)] }
  if (excludesZero(difference))
    return { claim, verdict: low > 0 ? 'supported' : 'refuted', reasons: [] }
  const small = high < MARGIN ? ` A gain of ${MARGIN_WORDS} is excluded.` : ''
  const reasons = [`The interval includes 0: no difference is shown.${small}`]
  return { claim, verdict: 'inconclusive', reasons }
}

function oneSeed({ interval }: Difference): string {
  const covered = interval === undefined ? '' : ' The interval covers the test images only.'
  return `One seed: chance alone can make this difference.${covered}`
}

/** Says if the teacher is no more accurate than a student without it, and so has little to teach. */
export function teacherDoubt({ comparison, withoutTeacher }: Finding): string[] {
  const teacher = comparison.embedKd.trial.teacher
  const plain = withoutTeacher && summaryOf(withoutTeacher.configuration, measures.accuracy)
  if (teacher?.accuracy === undefined || plain === undefined) return []
  if (teacher.accuracy > plain.mean) return []
  return [
    `The teacher (${formatPercent(teacher.accuracy)}) is no more accurate than the student without it (${formatPercent(plain.mean)}): it has little to teach.`,
  ]
}

function timeReasons({ comparison }: Finding): string[] {
  const records = recordsOf(comparison)
  const [embed, teacher] = timedSteps(comparison)
  const noisy = records.filter(({ roofline }) => roofline?.noisy === true).length
  const warned = records.filter(({ warnings = [] }) => warnings.length > 0)
  // Warnings of one kind differ in their figures: one is quoted, the others stand on the pages of their trials.
  const [example] = warned.flatMap(({ warnings }) => warnings!).sort()
  return [
    ...(Math.min(embed, teacher) < FEW_STEPS
      ? [`Few timed steps: ${embed} of Embed-KD and ${teacher} of Teacher-KD in a run.`]
      : []),
    ...(example === undefined
      ? []
      : [
          `The benchmark warned in ${counted(warned.length, 'run')} of ${records.length}, for example: ${example}.`,
        ]),
    ...(noisy > 0
      ? [
          `Noisy machine: its speed drifted by over 10 % in ${counted(noisy, 'run')} of ${records.length}.`,
        ]
      : []),
  ]
}

const SIDES = [
  [1, 'above'],
  [-1, 'below'],
] as const

function memoryReasons({ comparison, measure, ratio, beside }: Finding): string[] {
  const records = recordsOf(comparison)
  const reasons: string[] = []
  for (const [sign, side] of SIDES) {
    const marked = records.filter(({ memory }) => Math.sign(memory?.unexplainedBytes ?? 0) === sign)
    if (marked.length > 0) {
      reasons.push(
        `Far ${side} the plan for the runtime, which does not explain it: the peak of ${counted(marked.length, 'run')} of ${records.length}.`,
      )
    }
  }
  const lost = records.filter(
    (record) => record.memory !== undefined && measure.of(record) === undefined,
  ).length
  if (lost > 0) {
    reasons.push(
      `Left out: ${counted(lost, 'run')} of ${records.length}, too small to grow over the baseline of the process.`,
    )
  }
  const planned = beside.find((other) => other.measure === measures.plannedPeakBytes)
  if (planned !== undefined && Math.abs(Math.log(planned.ratio.value / ratio.value)) > 0.25) {
    reasons.push(
      `The graph's plan has ${formatRatio(planned.ratio.value)}: the runtime uses memory that the plan does not count.`,
    )
  }
  return reasons
}

function recordsOf({ teacherKd, embedKd }: Finding['comparison']): BenchRecord[] {
  return [...finished(teacherKd), ...finished(embedKd)]
}
