// Learning rate schedules: the rate as a function of the step, traced into the training graph.
import { checkInteger, checkName, checkNumber } from '../check.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { hostScalar } from '../tensor/tensor.js'

export type Schedule =
  /** The base rate throughout: what the paper's published code does, whose scheduler never steps. */
  | { readonly kind: 'constant' }
  /**
   * Linear from base/(warmupSteps + 1) over `warmupSteps`, then half a cosine down to zero at `totalSteps`
   * (Loshchilov & Hutter 2017; without warm-up torch.optim.lr_scheduler.CosineAnnealingLR).
   */
  | { readonly kind: 'cosine'; readonly warmupSteps: number; readonly totalSteps: number }

/** @throws UserError unless a schedule is a known one with whole numbers of steps. */
export function checkSchedule(schedule: Schedule): void {
  checkName('schedule: kind', schedule.kind, ['constant', 'cosine'])
  if (schedule.kind === 'constant') return
  checkInteger('schedule: warmupSteps', schedule.warmupSteps, 0)
  checkInteger('schedule: totalSteps', schedule.totalSteps, 0)
}

/**
 * Returns the learning rate, a float scalar, of the step with index `step` (int32 scalar, from 0).
 * @param base the highest rate. @throws UserError if the schedule or the rate makes no sense.
 */
export function learningRate(schedule: Schedule, base: number, step: Tensor): Tensor {
  checkSchedule(schedule)
  checkNumber('learning rate', base, { least: 0 })
  if (schedule.kind === 'constant') return step.tracer.constant(hostScalar(base))
  const { warmupSteps, totalSteps } = schedule
  // The optimizer counts the step too.
  const count = op.cast(op.add(step, 1), 'float32')
  const quarter = Math.PI / 2
  const span = Math.max(totalSteps - warmupSteps, 1)
  const angle = op.mul(op.maximum(op.sub(count, warmupSteps + 1), 0), quarter / span)
  // cos²(x/2) = (1 + cos x)/2, without its cancellation near the end.
  const half = op.cos(op.minimum(angle, quarter))
  const annealed = op.mul(op.mul(half, half), base)
  if (warmupSteps === 0) return annealed
  const warming = op.mul(count, base / (warmupSteps + 1))
  return op.minimum(warming, annealed)
}
