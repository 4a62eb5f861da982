// One plain sentence that answers the report's question from the matched setting, and says how sure it is.
import type { Answers, Verdict } from './finding.js'
import { lengthName, teacherName } from './corpus.js'
import { counted, formatPercent, formatPoints, formatPointsRange, formatRatio } from './format.js'
import { exhaustionSentence } from './outcomes.js'

export function verdictOf({ matched, answers, exhaustion }: Answers): string {
  const { difference } = answers.accuracy.found ?? {}
  if (matched === undefined || difference?.interval === undefined) {
    if (exhaustion !== undefined) return exhaustionSentence(exhaustion)
    return `These records cannot answer the question. ${answers.accuracy.support.reasons[0]}`
  }
  const { trial } = matched.embedKd
  return (
    `${openingOf(difference.n, answers.accuracy.support.verdict)}: from the stored embeddings of ${teacherName(trial)} a student reached an accuracy of ${formatPercent(difference.minuend)}, ` +
    `from the teacher run on every batch ${formatPercent(difference.subtrahend)} ` +
    `(difference ${formatPoints(difference.value)}, 95 % interval ${formatPointsRange(difference.interval)}; ${counted(difference.n, 'seed')}, ${lengthName(trial)})` +
    `${costOf(answers)}.`
  )
}

const OPENINGS: Readonly<Record<Verdict, string>> = {
  supported: 'Yes, as well as from the teacher itself',
  refuted: 'Less well than from the teacher itself',
  inconclusive: 'These records leave it open',
}

function openingOf(seeds: number, verdict: Verdict): string {
  if (seeds === 1) return 'One seed cannot decide it, but here is what it showed'
  return OPENINGS[verdict]
}

function costOf({ memory, time }: Answers['answers']): string {
  const parts = [
    sayCost(memory.found?.ratio.value, 'peak memory'),
    sayCost(time.found?.ratio.value, 'time per epoch'),
  ].flatMap((part) => part ?? [])
  return parts.length === 0 ? '' : `, with ${parts.join(' and ')}`
}

/** Ratios this close to 1 are told as no difference in a sentence; the card has the figure. */
const ALIKE = 0.02

function sayCost(ratio: number | undefined, noun: string): string | undefined {
  if (ratio === undefined) return undefined
  if (Math.abs(Math.log(ratio)) < ALIKE) return `about the same ${noun}`
  return `${formatRatio(ratio < 1 ? 1 / ratio : ratio)} ${ratio < 1 ? 'more' : 'less'} ${noun}`
}
