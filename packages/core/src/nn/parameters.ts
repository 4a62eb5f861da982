// Parameters as trees of specifications: shape, first values, and whether weight decay applies.
// The tree's dotted names are the names in checkpoints and in graphs.
import type { InputSpec, Tensor } from '../graph/trace.js'
import { flattenTree, mapTree, type MapLeaves } from '../graph/tree.js'
import type { Random } from '../tensor/random.js'
import { hostTensor, sizeOf, type HostTensor, type Shape } from '../tensor/tensor.js'

/** First values: a number everywhere, uniform in ±bound, or normal with a standard deviation. */
type Initial = number | { readonly bound: number } | { readonly std: number }

export interface ParameterSpec {
  readonly shape: Shape
  readonly initial: Initial
  /** Weight decay applies in preset `corrected` (matrices); preset `paper` decays every parameter. */
  readonly decay: boolean
}

export const isParameterSpec = (node: unknown): node is ParameterSpec =>
  typeof node === 'object' && node !== null && 'initial' in node

/** The tree of tensors that goes with a tree of specifications. */
export type Parameters<S> = MapLeaves<S, ParameterSpec, Tensor>

export const weight = (shape: Shape, initial: Initial): ParameterSpec => ({
  shape,
  initial,
  decay: true,
})
export const undecayed = (shape: Shape, initial: Initial): ParameterSpec => ({
  shape,
  initial,
  decay: false,
})

/** torch.nn.Linear's parameters and first values: both uniform in ±1/√inputs. */
export const linearParameters = (inputs: number, outputs: number) => ({
  weight: weight([outputs, inputs], { bound: inputs ** -0.5 }),
  bias: undecayed([outputs], { bound: inputs ** -0.5 }),
})

export const normParameters = (width: number) => ({
  weight: undecayed([width], 1),
  bias: undecayed([width], 0),
})

/** Graph inputs for a tree of parameters. */
export const parameterInputs = <S>(
  specs: S,
  rest: Pick<InputSpec, 'role' | 'donated'>,
): MapLeaves<S, ParameterSpec, InputSpec> =>
  mapTree(specs, isParameterSpec, ({ shape }) => ({ dtype: 'float32' as const, shape, ...rest }))

/** First values of all parameters by dotted name, drawn in order of definition. */
export const initialParameters = (specs: object, random: Random): Map<string, HostTensor> =>
  new Map(drawParameters(specs, random))

/** The same one by one, for models of which the host need not hold a copy. */
export function* drawParameters(
  specs: object,
  random: Random,
): Generator<readonly [string, HostTensor]> {
  for (const [name, { shape, initial }] of flattenTree(specs, isParameterSpec)) {
    const data = new Float32Array(sizeOf(shape))
    if (typeof initial === 'number') data.fill(initial)
    else if ('bound' in initial)
      for (let i = 0; i < data.length; i++) data[i] = (2 * random.uniform() - 1) * initial.bound
    else for (let i = 0; i < data.length; i++) data[i] = random.normal() * initial.std
    yield [name, hostTensor('float32', shape, data)]
  }
}

export const parameterCount = (specs: object): number =>
  [...flattenTree(specs, isParameterSpec).values()].reduce((n, { shape }) => n + sizeOf(shape), 0)
