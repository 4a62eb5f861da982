// The choice of an epoch's parameters: the most accurate ones on held-out images, or on the test images as the paper's code does.
// The result of a trial is that of the chosen epoch, for each test image.
import { EVALUATION_BATCH, type Trainer } from '@embed-kd/distill'
import type { EmbeddingJudge, Feed, StudentJudge, Subset } from '@embed-kd/distill/node'
import { packResults, type BenchRecord } from '@embed-kd/records'

import { usesLabels, type TrialConfig, type TrialSplits } from './config.js'
import type { TrialResult } from './protocol.js'

type EpochAccuracies = Pick<
  NonNullable<BenchRecord['curves']>['epochs'][number],
  'testAccuracy' | 'validationAccuracy' | 'knnAccuracy'
>

interface Subjects {
  readonly config: TrialConfig
  readonly splits: TrialSplits
  readonly feed: Feed
  readonly trainer: Trainer
  /** Judges embeddings too; absent if the trial does not ask for it. */
  readonly judge?: StudentJudge | undefined
}

type ChoiceResult = Pick<
  TrialResult,
  'accuracy' | 'embeddingAccuracy' | 'checkpoint' | 'testResults'
>

export class CheckpointChoice {
  readonly #subjects: Subjects
  /** Digest of the data set. */
  readonly #dataset: string
  #best = -1
  #result: ChoiceResult = {}

  constructor(subjects: Subjects, dataset: string) {
    this.#subjects = subjects
    this.#dataset = dataset
  }

  /** The chosen epoch, and its result on the test images; a search has none. */
  get result(): ChoiceResult {
    return this.#result
  }

  /** Evaluates the current parameters, and chooses them if none were better. @param epoch number of the epoch, from 1. */
  async evaluate(epoch: number): Promise<EpochAccuracies> {
    const { config, splits, judge } = this.#subjects
    const embeddings = await judge?.open()
    if (!usesLabels(config)) {
      // Nothing chooses an epoch, so the result is that of the last one.
      this.#result = embeddings ? await this.#judgeEmbeddings(embeddings) : {}
      const { embeddingAccuracy } = this.#result
      return embeddingAccuracy ? { knnAccuracy: embeddingAccuracy.knn } : {}
    }
    const held = splits.validation && (await this.#classify(splits.validation))
    const test = config.purpose === 'search' ? undefined : await this.#classify(splits.test)
    const judged = (held ?? test)!
    const accuracy = shareOf(judged)
    if (accuracy > this.#best) {
      this.#best = accuracy
      this.#result = {
        checkpoint: {
          epoch,
          chosenOn: held ? 'held-out' : 'test',
          images: judged.length,
          accuracy,
        },
        ...(test
          ? {
              accuracy: shareOf(test),
              ...(embeddings ? await this.#judgeEmbeddings(embeddings) : {}),
              testResults: {
                dataset: this.#dataset,
                images: test.length,
                correct: packResults(test),
              },
            }
          : {}),
      }
    }
    return {
      ...(test ? { testAccuracy: shareOf(test) } : {}),
      ...(held ? { validationAccuracy: shareOf(held) } : {}),
      ...(embeddings
        ? { knnAccuracy: await embeddings.knnAccuracy(splits.validation ?? splits.test) }
        : {}),
    }
  }

  /** Judges the embeddings of the test images. */
  async #judgeEmbeddings(
    embeddings: EmbeddingJudge,
  ): Promise<Pick<ChoiceResult, 'embeddingAccuracy'>> {
    const { splits, judge } = this.#subjects
    const { images, k } = judge!
    return {
      embeddingAccuracy: {
        images,
        k,
        knn: await embeddings.knnAccuracy(splits.test),
        linearProbe: await embeddings.linearProbeAccuracy(splits.test),
      },
    }
  }

  /** Returns whether each image is classified correctly. */
  async #classify(subset: Subset): Promise<boolean[]> {
    const { feed, trainer } = this.#subjects
    const { labels, predictions } = await trainer.classify(
      feed.evaluationBatches(subset, EVALUATION_BATCH),
    )
    return labels.map((label, i) => label === predictions[i])
  }
}

const shareOf = (correct: readonly boolean[]): number =>
  correct.filter(Boolean).length / correct.length
