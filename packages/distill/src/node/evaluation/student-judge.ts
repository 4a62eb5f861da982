// Judges a student's embeddings while it trains: by the neighbours that images have among training images, and by a linear probe.
import type { Backend } from '@embed-kd/core'

import { fitLinearProbe } from '../../evaluation/linear-probe.js'
import { knnAccuracy } from '../../evaluation/neighbours.js'
import { shareRight, type LabelledRows } from '../../evaluation/rows.js'
import { EVALUATION_BATCH } from '../../training/evaluation.js'
import type { Trainer } from '../../training/trainer.js'
import type { Feed } from '../data/feed.js'
import { shareOfEachClass, type Subset } from '../data/subsets.js'

/** Most training images that neighbours and the probe come from, so that judging stays cheap beside an epoch. */
export const MOST_TRAINING_IMAGES = 10_000
/** Seed that chooses them: the same ones for every run. */
const CHOICE_SEED = 0

export interface StudentJudgeOptions {
  readonly backend: Backend
  readonly trainer: Pick<Trainer, 'embed'>
  readonly feed: Feed
  /** Training images, of which at most `MOST_TRAINING_IMAGES` are taken, of each class alike. */
  readonly training: Subset
  /** Number of neighbours; all training images if there are fewer. */
  readonly k: number
}

export class StudentJudge {
  readonly #options: StudentJudgeOptions
  readonly #images: Subset

  constructor(options: StudentJudgeOptions) {
    this.#options = options
    const { training } = options
    const share = MOST_TRAINING_IMAGES / training.indices.length
    this.#images = share < 1 ? shareOfEachClass(training, share, CHOICE_SEED) : training
  }

  /** Number of training images that neighbours and the probe come from. */
  get images(): number {
    return this.#images.indices.length
  }

  /** Number of neighbours. */
  get k(): number {
    return Math.min(this.#options.k, this.images)
  }

  /** Embeds the training images with the current parameters, and then judges other images by them. */
  async open(): Promise<EmbeddingJudge> {
    const { backend } = this.#options
    const rows = await this.#embed(this.#images)
    const queriesOf = new Map<Subset, Promise<LabelledRows>>()
    const embedOnce = (subset: Subset): Promise<LabelledRows> => {
      const known = queriesOf.get(subset)
      if (known) return known
      const made = this.#embed(subset)
      queriesOf.set(subset, made)
      return made
    }
    return {
      knnAccuracy: async (subset) =>
        knnAccuracy(await embedOnce(subset), rows, this.k, { backend }),
      async linearProbeAccuracy(subset) {
        const queries = await embedOnce(subset)
        const probe = await fitLinearProbe(rows, { backend })
        return shareRight(probe.classify(queries), queries.labels)
      },
    }
  }

  async #embed(subset: Subset): Promise<LabelledRows> {
    const { feed, trainer } = this.#options
    const parts: Float32Array[] = []
    const labels: number[] = []
    for await (const batch of feed.evaluationBatches(subset, EVALUATION_BATCH)) {
      parts.push(await trainer.embed(batch.images))
      labels.push(...Array.from(batch.labels!))
    }
    const width = parts[0]!.length / Math.min(EVALUATION_BATCH, labels.length)
    const vectors = new Float32Array(labels.length * width)
    let at = 0
    for (const part of parts) {
      vectors.set(part, at)
      at += part.length
    }
    return { vectors, width, labels }
  }
}

/** Judges images by training images that were embedded with the parameters of one moment. */
export interface EmbeddingJudge {
  knnAccuracy(subset: Subset): Promise<number>
  linearProbeAccuracy(subset: Subset): Promise<number>
}
