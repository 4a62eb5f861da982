// The micro-batch that a user asks for, checked against the batch.
import { UserError } from '@embed-kd/core'

/**
 * The micro-batch of a batch; undefined where one micro-batch is all of it.
 * @throws UserError where micro-batches do not make up the batch.
 */
export function microBatchOf(batch: number, microBatch: number | undefined): number | undefined {
  if (microBatch === undefined || microBatch >= batch) return undefined
  if (batch % microBatch === 0) return microBatch
  throw new UserError(
    `micro-batches of ${microBatch} images do not make up a batch of ${batch}`,
    'choose a --micro-batch that divides --batch',
  )
}
