// Dynamic loss scaling for mixed precision: a factor on the loss keeps float16 gradients in range, and a step is skipped if a
// gradient is not finite. Rules and numbers are those of torch.amp.GradScaler.
import * as op from '../graph/api.js'
import type { InputSpec, Tensor } from '../graph/trace.js'
import { hostScalar, type HostTensor } from '../tensor/tensor.js'

export interface LossScale<T> {
  /** Factor on the loss before it is differentiated, a float32 scalar. */
  readonly factor: T
  /** Number of steps taken since the factor last changed, an int32 scalar. */
  readonly steps: T
  /** Number of steps skipped since the start, an int32 scalar. */
  readonly skipped: T
}

const FIRST = 2 ** 16
/** Number of steps after which the factor doubles. Each skipped step halves the factor. */
const INTERVAL = 2000

const scalar = { shape: [], role: 'optimizer', donated: true } as const

/** Specifies the graph inputs of a loss scale, all donated. */
export const lossScaleInputs: LossScale<InputSpec> = {
  factor: { ...scalar, dtype: 'float32' },
  steps: { ...scalar, dtype: 'int32' },
  skipped: { ...scalar, dtype: 'int32' },
}

/** Returns the loss scale before the first step, by graph input name. */
export const initialLossScale = (): Map<string, HostTensor> =>
  new Map([
    ['state.loss_scale.factor', hostScalar(FIRST)],
    ['state.loss_scale.steps', hostScalar(0, 'int32')],
    ['state.loss_scale.skipped', hostScalar(0, 'int32')],
  ])

/** Divides gradients by the factor of the loss scale, and tells whether all of them are finite (a bool scalar). */
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

/** Returns the loss scale of the next step. */
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
