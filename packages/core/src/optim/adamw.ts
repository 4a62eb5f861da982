// AdamW as part of the traced step: state in, state out.
import * as op from '../graph/api.js'
import { isTensor, type InputSpec, type Tensor } from '../graph/trace.js'
import { flattenTree, mapTree, type MapLeaves } from '../graph/tree.js'
import { isParameterSpec, type ParameterSpec } from '../nn/parameters.js'
import { cut, join, type ParameterGroup } from './groups.js'
import { adapt, initialLossScale, lossScaleInputs, unscale, type LossScale } from './loss-scale.js'
import { hostScalar, hostTensor, type HostTensor } from '../tensor/tensor.js'

export interface AdamWOptions {
  readonly learningRate: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
}

/** torch.optim.AdamW's defaults, with the paper's learning rate and weight decay. */
export const paperAdamW: AdamWOptions = {
  learningRate: 1e-4,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
}

/**
 * Everything that training carries from step to step, for the parameters `S`. `correction1` and `correction2` are the
 * bias corrections 1 - βᵗ; they are carried because, as averages of the constant 1, they follow the same recurrence
 * as the moments, without the cancellation of computing 1 - βᵗ in float32.
 */
export interface TrainingState<S, T> {
  readonly parameters: MapLeaves<S, ParameterSpec, T>
  readonly m: MapLeaves<S, ParameterSpec, T>
  readonly v: MapLeaves<S, ParameterSpec, T>
  /** Steps taken, int32. */
  readonly step: T
  readonly correction1: T
  readonly correction2: T
  /** With mixed precision. */
  readonly loss_scale: LossScale<T> | undefined
}

/** Graph inputs of a training state, all donated. */
export function stateInputs<S>(specs: S, scalesLoss: boolean): TrainingState<S, InputSpec> {
  const like = (role: InputSpec['role']) =>
    mapTree(specs, isParameterSpec, ({ shape }) => ({
      dtype: 'float32' as const,
      shape,
      role,
      donated: true,
    }))
  const scalar = { dtype: 'float32', shape: [], role: 'optimizer', donated: true } as const
  return {
    parameters: like('parameter'),
    m: like('optimizer'),
    v: like('optimizer'),
    step: { ...scalar, dtype: 'int32' },
    correction1: scalar,
    correction2: scalar,
    loss_scale: scalesLoss ? lossScaleInputs : undefined,
  }
}

/** The state before the first step, by graph input name (`state.parameters.…`, `state.m.…`, …). */
export function initialState(
  parameters: ReadonlyMap<string, HostTensor>,
  scalesLoss = false,
): Map<string, HostTensor> {
  const state = scalesLoss ? initialLossScale() : new Map<string, HostTensor>()
  for (const [name, value] of parameters) state.set(`state.parameters.${name}`, value)
  for (const moment of ['m', 'v'])
    for (const [name, { shape }] of parameters)
      state.set(`state.${moment}.${name}`, hostTensor('float32', shape))
  state.set('state.step', hostScalar(0, 'int32'))
  state.set('state.correction1', hostScalar(0))
  state.set('state.correction2', hostScalar(0))
  return state
}

/**
 * One step. Parameters without a gradient stay as they are, moments included, as in PyTorch. With a loss scale, a step whose
 * gradients are not finite changes only the scale and the number of steps.
 * @param groups the parameters; @param gradients by the name of their group, multiplied by the factor of the loss scale.
 * @param rate the learning rate of this step, a float scalar.
 */
export function adamw<S>(
  state: TrainingState<S, Tensor>,
  specs: S,
  groups: readonly ParameterGroup[],
  gradients: ReadonlyMap<string, Tensor>,
  rate: Tensor,
  { beta1, beta2, epsilon, weightDecay }: AdamWOptions,
): { readonly state: TrainingState<S, Tensor>; readonly finite: Tensor | undefined } {
  const { loss_scale } = state
  const { gradients: unscaled, finite } = loss_scale
    ? unscale(gradients, loss_scale)
    : { gradients, finite: undefined }
  const kept = (next: Tensor, current: Tensor) => (finite ? op.select(finite, next, current) : next)
  const correction1 = op.add(op.mul(state.correction1, beta1), 1 - beta1)
  const correction2 = op.add(op.mul(state.correction2, beta2), 1 - beta2)

  const parts = [state.parameters, state.m, state.v].map((tree) => flattenTree(tree, isTensor))
  const next = parts.map((current) => new Map(current))
  for (const group of groups) {
    const gradient = unscaled.get(group.name)
    if (!gradient) continue
    const [parameter, m, v] = parts.map((part) => join(group, (name) => part.get(name)!)) as [
      Tensor,
      Tensor,
      Tensor,
    ]
    const made = gradient.tracer.emit(
      'adamw',
      [parameter, gradient, m, v, rate, correction1, correction2],
      { beta1, beta2, epsilon, weightDecay: group.decays ? weightDecay : 0 },
    )
    for (const [i, current] of [parameter, m, v].entries())
      for (const [name, tensor] of cut(group, kept(made[i]!, current))) next[i]!.set(name, tensor)
  }
  const [parameters, m, v] = next.map((part) =>
    mapTree(specs, isParameterSpec, (_, name) => part.get(name)!),
  ) as [Moments<S>, Moments<S>, Moments<S>]
  return {
    state: {
      parameters,
      m,
      v,
      step: op.add(state.step, 1),
      correction1: kept(correction1, state.correction1),
      correction2: kept(correction2, state.correction2),
      loss_scale: loss_scale && finite && adapt(loss_scale, finite),
    },
    finite,
  }
}

type Moments<S> = MapLeaves<S, ParameterSpec, Tensor>
