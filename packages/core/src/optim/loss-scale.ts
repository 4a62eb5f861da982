// Dynamic loss scaling: gradients of float16 are kept in its range by a factor on the loss, and a step whose gradients are not
// finite is not taken. Rules and numbers of torch.amp.GradScaler.
import * as op from '../graph/api.js'
import type { InputSpec, Tensor } from '../graph/trace.js'
import { hostScalar, type HostTensor } from '../tensor/tensor.js'

export interface LossScale<T> {
  /** What the loss is multiplied by before it is differentiated, a float32 scalar. */
  readonly factor: T
  /** Steps taken since it was changed, an int32 scalar. */
  readonly steps: T
  /** Steps not taken since the start, an int32 scalar. */
  readonly skipped: T
}

const FIRST = 2 ** 16
/** Steps after which the factor is doubled; it is halved by each step that is not taken. */
const INTERVAL = 2000

const scalar = { shape: [], role: 'optimizer', donated: true } as const

/** Graph inputs of a loss scale, donated. */
export const lossScaleInputs: LossScale<InputSpec> = {
  factor: { ...scalar, dtype: 'float32' },
  steps: { ...scalar, dtype: 'int32' },
  skipped: { ...scalar, dtype: 'int32' },
}

/** The loss scale before the first step, by graph input name. */
export const initialLossScale = (): Map<string, HostTensor> =>
  new Map([
    ['state.loss_scale.factor', hostScalar(FIRST)],
    ['state.loss_scale.steps', hostScalar(0, 'int32')],
    ['state.loss_scale.skipped', hostScalar(0, 'int32')],
  ])

/** The gradients of the loss itself, and whether all of them are finite, a bool scalar. */
export function unscale<K>(
  gradients: ReadonlyMap<K, Tensor | undefined>,
  { factor }: Pick<LossScale<Tensor>, 'factor'>,
) {
  const inverse = op.div(1, factor)
  const unscaled = new Map(
    [...gradients].map(([name, gradient]) => [name, gradient && op.mul(gradient, inverse)]),
  )
  // Infinity and NaN do not vanish in a sum of squares.
  const squares = [...unscaled.values()].flatMap((gradient) =>
    gradient ? [op.sum(op.mul(gradient, gradient))] : [],
  )
  return { gradients: unscaled, finite: op.less(squares.reduce(op.add), Infinity) }
}

/** The loss scale of the next step. */
export function adapt(scale: LossScale<Tensor>, finite: Tensor): LossScale<Tensor> {
  const { factor, steps, skipped } = scale
  const taken = op.add(steps, 1)
  const grows = op.and(finite, op.equal(taken, INTERVAL))
  return {
    factor: op.select(finite, op.select(grows, op.mul(factor, 2), factor), op.mul(factor, 0.5)),
    steps: op.select(op.and(finite, op.not(grows)), taken, 0),
    skipped: op.select(finite, skipped, op.add(skipped, 1)),
  }
}
