// The k-NN curve of a run: after each epoch, the student's embeddings are judged by the neighbours that images have.
import type { Dataset } from '../data/dataset.js'
import { requireLabels } from '../data/labels.js'
import { wholeSplit } from '../data/subsets.js'
import { StudentJudge, type StudentJudgeOptions } from '../evaluation/student-judge.js'
import type { RunSplits } from './splits.js'

/**
 * Returns a function that judges the student's embeddings by k nearest neighbours, on the held-out images or, if there are none, on
 * the test images, which choose nothing; undefined if the run does not ask for it.
 * @throws UserError if the data set has no labels.
 */
export function judgeOf(
  { dataset, knn }: { readonly dataset: Dataset; readonly knn?: number | undefined },
  {
    splits,
    tell,
    ...subject
  }: Pick<StudentJudgeOptions, 'backend' | 'trainer' | 'feed'> & {
    readonly splits: RunSplits
    readonly tell: (message: string) => void
  },
): (() => Promise<number>) | undefined {
  if (knn === undefined) return undefined
  requireLabels(dataset, '--knn', 'leave out --knn')
  const judge = new StudentJudge({ ...subject, training: splits.training, k: knn })
  const judged = splits.heldOut ?? wholeSplit(dataset, 'test')
  tell(
    `k-NN accuracy: ${judged.indices.length} ${splits.heldOut ? 'held-out' : 'test'} images by their ${judge.k} nearest of ${judge.images} training images`,
  )
  return async () => (await judge.open()).knnAccuracy(judged)
}
