// The form of an answer: what was compared in which setting, with what result. answers.ts finds it, support.ts judges it.
import type { Comparison, Configuration } from './corpus.js'
import type { Measure } from './measures.js'
import type { Exhaustion } from './outcomes.js'
import type { Difference, Ratio } from './statistics.js'

export type Question = 'memory' | 'time' | 'accuracy'

export interface Answers {
  /** The setting of all three answers; absent if both methods finished none. */
  readonly matched?: Comparison
  readonly answers: Readonly<Record<Question, Answer>>
  /** A larger teacher of which only the cost was measured. */
  readonly cost?: {
    readonly comparison: Comparison
    readonly memory: Answer
    readonly time: Answer
  }
  /** Settings in which Teacher-KD had no memory for it and Embed-KD finished. */
  readonly exhaustion?: Exhaustion
}

export interface Answer {
  readonly question: Question
  /** Absent if the setting does not answer the question. */
  readonly found?: Finding
  readonly support: Support
}

export interface Finding {
  readonly comparison: Comparison
  readonly measure: Measure
  /** Memory and time: Teacher-KD over Embed-KD. Accuracy: Embed-KD over Teacher-KD. */
  readonly ratio: Ratio
  /** Accuracy only: Embed-KD less Teacher-KD. */
  readonly difference?: Difference
  /** Accuracy only: Embed-KD less training without a teacher, if that was run in the setting. */
  readonly withoutTeacher?: {
    readonly configuration: Configuration
    readonly difference: Difference
    readonly support: Support
  }
  /** Geometric means over the paired runs (memory, time), or means (accuracy). */
  readonly teacherKd: number
  readonly embedKd: number
  /** The ratio in related measures of the same setting. */
  readonly beside: readonly Related[]
  readonly paperRatio: number
  /** Smallest and largest ratio over all settings that answer the question. */
  readonly range: readonly [number, number]
  /** The same for the difference in accuracy. */
  readonly differences?: readonly [number, number]
  readonly settings: number
}

export interface Related {
  readonly measure: Measure
  readonly ratio: Ratio
}

export interface Compared {
  readonly measure: Measure
  readonly ratio: Ratio
  readonly difference?: Difference
  readonly beside: readonly Related[]
}

export type Verdict = 'supported' | 'refuted' | 'inconclusive'

export interface Support {
  /** The claim, as the end of a sentence. */
  readonly claim: string
  readonly verdict: Verdict
  /** Why the claim is undecided, or what to keep in mind about the verdict. */
  readonly reasons: readonly string[]
}
