// Parameters as trees of specifications: shape, initial values, and whether weight decay applies.
// The tree's dotted names are the names in checkpoints and in graphs.
import { checkInteger, checkNumber } from '../check.js'
import type { InputSpec, Tensor } from '../graph/trace.js'
import { flattenTree, mapTree, type MapLeaves } from '../graph/tree.js'
import type { Random } from '../tensor/random.js'
import { hostTensor, sizeOf, type HostTensor, type Shape } from '../tensor/tensor.js'

/** Initial values: a number everywhere, uniform in ±bound, or normal with mean 0 and a standard deviation. */
type Initial = number | { readonly bound: number } | { readonly std: number }

export interface ParameterSpec {
  readonly shape: Shape
  readonly initial: Initial
  /** Weight decay applies in preset `corrected` (matrices); preset `paper` decays every parameter. */
  readonly decay: boolean
}

export const isParameterSpec = (node: unknown): node is ParameterSpec =>
  typeof node === 'object' && node !== null && 'initial' in node

/** The tree of symbolic tensors that belongs to a tree of specifications. */
export type Parameters<S> = MapLeaves<S, ParameterSpec, Tensor>

/** Specifies a parameter that weight decay applies to. @throws UserError if a size or the initial values make no sense. */
export const weight = (shape: Shape, initial: Initial): ParameterSpec =>
  checked({ shape, initial, decay: true })

/** Specifies a parameter that preset `corrected` does not decay, such as a bias. @throws UserError as `weight` does. */
export const undecayed = (shape: Shape, initial: Initial): ParameterSpec =>
  checked({ shape, initial, decay: false })

function checked(spec: ParameterSpec): ParameterSpec {
  const { shape, initial } = spec
  for (const size of shape) checkInteger('parameter: each size of its shape', size)
  if (typeof initial === 'number') checkNumber('parameter: its initial value', initial)
  else if ('bound' in initial)
    checkNumber('parameter: the bound of its initial values', initial.bound, { least: 0 })
  else checkNumber('parameter: the deviation of its initial values', initial.std, { least: 0 })
  return spec
}

/** Specifies weight [outputs, inputs] and bias [outputs] of torch.nn.Linear, with its initial values: uniform in ±1/√inputs. */
export const linearParameters = (inputs: number, outputs: number) => ({
  weight: weight([outputs, inputs], { bound: inputs ** -0.5 }),
  bias: undecayed([outputs], { bound: inputs ** -0.5 }),
})

/** Specifies weight and bias [width] of torch.nn.LayerNorm: ones and zeros. */
export const normParameters = (width: number) => ({
  weight: undecayed([width], 1),
  bias: undecayed([width], 0),
})

/** Returns graph inputs for a tree of parameters. */
export const parameterInputs = <S>(
  specs: S,
  rest: Pick<InputSpec, 'role' | 'donated'>,
): MapLeaves<S, ParameterSpec, InputSpec> =>
  mapTree(specs, isParameterSpec, ({ shape }) => ({ dtype: 'float32' as const, shape, ...rest }))

/** Returns initial values of all parameters by dotted name, drawn in order of definition. */
export const initialParameters = (specs: object, random: Random): Map<string, HostTensor> =>
  new Map(drawParameters(specs, random))

/** Draws initial values one parameter at a time, for models too large to be on the host as a whole. */
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

/** Returns the number of elements of all parameters of a tree. */
export const parameterCount = (specs: object): number =>
  [...flattenTree(specs, isParameterSpec).values()].reduce((n, { shape }) => n + sizeOf(shape), 0)
