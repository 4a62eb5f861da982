// The choice of an epoch's parameters: the most accurate ones on held-out images, or on the test images as the paper's code does.
// The result of a trial is that of the chosen epoch, for each test image.
import { EVALUATION_BATCH, type Trainer } from '@embed-kd/distill'
import type { Feed, Subset } from '@embed-kd/distill/node'
import { packResults, type BenchRecord } from '@embed-kd/records'

import type { TrialConfig, TrialSplits } from './config.js'
import type { TrialResult } from './protocol.js'

type EpochAccuracies = Pick<
  NonNullable<BenchRecord['curves']>['epochs'][number],
  'testAccuracy' | 'validationAccuracy'
>

interface Subjects {
  readonly config: TrialConfig
  readonly splits: TrialSplits
  readonly feed: Feed
  readonly trainer: Trainer
}

export class CheckpointChoice {
  readonly #subjects: Subjects
  /** Digest of the data set. */
  readonly #dataset: string
  #best = -1
  #result: Pick<TrialResult, 'accuracy' | 'checkpoint' | 'testResults'> = {}

  constructor(subjects: Subjects, dataset: string) {
    this.#subjects = subjects
    this.#dataset = dataset
  }

  /** The chosen epoch, and its result on the test images; a search has none. */
  get result(): Pick<TrialResult, 'accuracy' | 'checkpoint' | 'testResults'> {
    return this.#result
  }

  /** Evaluates the current parameters, and chooses them if none were better. @param epoch number of the epoch, from 1. */
  async evaluate(epoch: number): Promise<EpochAccuracies> {
    const { config, splits } = this.#subjects
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
