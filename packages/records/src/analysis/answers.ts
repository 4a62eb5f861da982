// The three answers of the first screen: memory, time and accuracy of Embed-KD against Teacher-KD in one matched
// setting. Each has its ratio or difference with an interval, related quantities, and whether the data support it.
import type { Answer, Answers, Compared, Finding, Question, Support } from './finding.js'
import { accuracyDifference, epochMeasure, ratioOf } from './compare.js'
import { type Comparison, comparisonsOf, type Configuration, teacherName } from './corpus.js'
import { listed } from './format.js'
import * as measures from './measures.js'
import type { Measure } from './measures.js'
import { withoutTeacher } from './method-table.js'
import { exhaustionOf, missingComparison, type Scene } from './outcomes.js'
import { PAPER } from './paper.js'
import { costSetting, matchedSetting } from './setting.js'
import type { Ratio } from './statistics.js'
import {
  CLAIMS,
  supportOfEquality,
  supportOfGain,
  supportOfRatio,
  teacherDoubt,
} from './support.js'

const PAPER_RATIOS: Readonly<Record<Question, number>> = {
  memory: PAPER.memoryRatio,
  time: PAPER.timeRatio,
  accuracy: PAPER.accuracyRatio,
}

/** Answers all three questions from what passes the filters. */
export function answersOf(scene: Scene): Answers {
  const comparisons = comparisonsOf(scene.configurations)
  const matched = matchedSetting(comparisons)
  const cost = costSetting(comparisons, matched)
  const exhaustion = exhaustionOf(comparisons)
  const about = (question: Question) => answer(question, matched, comparisons, scene)
  const ofCost = (question: Question) => answer(question, cost, [], scene)
  return {
    answers: { memory: about('memory'), time: about('time'), accuracy: about('accuracy') },
    ...(matched && { matched }),
    ...(cost && {
      cost: { comparison: cost, memory: ofCost('memory'), time: ofCost('time') },
    }),
    ...(exhaustion && { exhaustion }),
  }
}

function answer(
  question: Question,
  comparison: Comparison | undefined,
  comparisons: readonly Comparison[],
  scene: Scene,
): Answer {
  const compared = comparison && compare(question, comparison)
  if (comparison === undefined || compared === undefined) {
    const reasons = [whyNone(question, comparison, comparisons, scene)]
    return { question, support: { claim: CLAIMS[question], verdict: 'inconclusive', reasons } }
  }
  const all = comparisons.flatMap((other) => compare(question, other) ?? [])
  const ratios = [compared, ...all].map(({ ratio }) => ratio.value)
  const differences = [compared, ...all].flatMap(({ difference }) => difference?.value ?? [])
  const { ratio, difference } = compared
  const without =
    question === 'accuracy' ? compareWithout(comparison, scene.configurations) : undefined
  const found: Finding = {
    ...compared,
    comparison,
    ...(without && { withoutTeacher: without }),
    ...(difference === undefined
      ? { teacherKd: ratio.numerator, embedKd: ratio.denominator }
      : { teacherKd: difference.subtrahend, embedKd: difference.minuend }),
    paperRatio: PAPER_RATIOS[question],
    range: [Math.min(...ratios), Math.max(...ratios)],
    ...(difference && { differences: [Math.min(...differences), Math.max(...differences)] }),
    settings: Math.max(1, all.length),
  }
  return { question, found, support: supportOf(question, found) }
}

/** Compares both methods in one setting; undefined if one of them has no value. */
export function compare(question: Question, comparison: Comparison): Compared | undefined {
  const { teacherKd, embedKd } = comparison
  for (const [measure, related] of evidenceFor(question, comparison)) {
    const ratio = orientedRatio(comparison, measure)
    if (ratio === undefined) continue
    const difference = question === 'accuracy' ? accuracyDifference(embedKd, teacherKd) : undefined
    const beside = related.flatMap((measure) => {
      const ratio = orientedRatio(comparison, measure)
      return ratio === undefined ? [] : [{ measure, ratio }]
    })
    return { measure, ratio, beside, ...(difference && { difference }) }
  }
  return undefined
}

/** More is better for Embed-KD. */
function orientedRatio({ teacherKd, embedKd }: Comparison, measure: Measure): Ratio | undefined {
  return measure.better === 'lower'
    ? ratioOf(teacherKd, embedKd, measure)
    : ratioOf(embedKd, teacherKd, measure)
}

/** Lists measures that can answer, each with its related ones; device memory goes before host memory. */
function evidenceFor(
  question: Question,
  { teacherKd, embedKd }: Comparison,
): readonly (readonly [Measure, readonly Measure[]])[] {
  const { plannedPeakBytes, plannedResidentBytes, stepFlops, stepSeconds } = measures
  switch (question) {
    case 'memory':
      return [
        [
          measures.devicePeakBytes,
          [plannedPeakBytes, measures.deviceResidentBytes, plannedResidentBytes],
        ],
        [
          measures.hostPeakBytes,
          [plannedPeakBytes, measures.hostResidentBytes, plannedResidentBytes],
        ],
      ]
    case 'time':
      return [[epochMeasure(teacherKd, embedKd), [stepSeconds, stepFlops]]]
    case 'accuracy':
      return [[measures.accuracy, []]]
  }
}

function supportOf(question: Question, finding: Finding): Support {
  const { difference } = finding
  if (question !== 'accuracy') return supportOfRatio(question, finding)
  const { claim, verdict, reasons } = supportOfEquality(difference!)
  return { claim, verdict, reasons: [...reasons, ...teacherDoubt(finding)] }
}

/** Compares with training without a teacher in the same setting; undefined if it was not run there. */
function compareWithout(
  { embedKd }: Comparison,
  configurations: readonly Configuration[],
): Finding['withoutTeacher'] {
  const configuration = withoutTeacher(embedKd, configurations)
  if (configuration === undefined) return undefined
  const difference = accuracyDifference(embedKd, configuration)
  if (difference === undefined) return undefined
  return { configuration, difference, support: supportOfGain(difference) }
}

const QUANTITIES: Readonly<Record<Question, string>> = {
  memory: 'a measured peak of memory',
  time: 'measured steps',
  accuracy: 'a test accuracy',
}

function whyNone(
  question: Question,
  matched: Comparison | undefined,
  comparisons: readonly Comparison[],
  scene: Scene,
): string {
  if (matched === undefined) return missingComparison(scene, comparisons)
  if (question === 'accuracy' && comparisons.every(isCostOnly)) {
    const teachers = [...new Set(comparisons.map(({ embedKd }) => teacherName(embedKd.trial)))]
    return `Cost only: runs with ${listed(teachers.sort().slice(0, 4))} used random weights or few steps, so that their accuracy means nothing.`
  }
  return `In this setting, no seed has ${QUANTITIES[question]} under both methods.`
}

function isCostOnly({ teacherKd, embedKd }: Comparison): boolean {
  return [teacherKd, embedKd].some(({ runs }) => runs.every(({ costOnly }) => costOnly))
}
