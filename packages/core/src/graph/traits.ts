// What passes and backends need to know of an op beside its contract, one entry for each op. Passes ask for traits and never
// list op names, so that a new op takes part in every pass once its traits are stated here.
import { opNames, type OpName } from './ops.js'

/**
 * - `source`: has no tensor operands; its value is known when the graph is made.
 * - `elementwise`: a primitive whose output element depends on one element of each (broadcast) operand, and which reads that
 *   element before it writes the output over it.
 * - `view`: the output is the operand's memory under another shape.
 * - `aliasing`: a runtime may keep the output as a view of its operand, so that the two may share memory.
 * - `copying`: only copies or converts elements; no arithmetic.
 * - `inPlace`: memory plans may let the output take the memory of an operand of its size that nothing reads later.
 * - `product`: a product of matrices.
 * - `cheap`: recomputing it takes one pass over memory, or draws its result again. Sums are not `cheap`, although they are
 *   elementwise: following them would recompute a residual stream from its start.
 * - `followsFloat16`: in mixed precision it stays in float16 if all its operands were made in float16.
 */
export type Trait =
  | 'source'
  | 'elementwise'
  | 'view'
  | 'aliasing'
  | 'copying'
  | 'inPlace'
  | 'product'
  | 'cheap'
  | 'followsFloat16'

const math = ['elementwise', 'inPlace'] as const
const cheapMath = [...math, 'cheap'] as const
const halfMath = [...cheapMath, 'followsFloat16'] as const
const layout = ['aliasing', 'copying', 'followsFloat16'] as const
const activation = ['inPlace', 'cheap', 'followsFloat16'] as const

const traits: Readonly<Record<OpName, readonly Trait[]>> = {
  constant: ['source', 'copying'],
  iota: ['source'],
  randomUniform: [],
  bernoulli: ['cheap'],
  neg: halfMath,
  exp: cheapMath,
  log: math,
  sqrt: cheapMath,
  rsqrt: cheapMath,
  tanh: cheapMath,
  sigmoid: halfMath,
  erf: cheapMath,
  sin: math,
  cos: math,
  add: [...math, 'followsFloat16'],
  sub: halfMath,
  mul: halfMath,
  div: halfMath,
  maximum: math,
  minimum: math,
  equal: ['elementwise'],
  less: ['elementwise'],
  lessEqual: ['elementwise'],
  and: math,
  or: math,
  not: math,
  select: [...cheapMath, 'copying'],
  cast: ['elementwise', 'cheap', 'aliasing', 'copying'],
  reshape: [...layout, 'view'],
  transpose: layout,
  broadcastTo: layout,
  slice: layout,
  pad: layout,
  concat: layout,
  split: layout,
  sum: [],
  max: [],
  argmax: [],
  matmul: ['product'],
  mean: [],
  softmax: ['inPlace'],
  softmaxGradient: ['inPlace'],
  logSoftmax: ['inPlace'],
  layerNorm: ['cheap'],
  standardizeGradient: ['inPlace'],
  gelu: activation,
  quickGelu: activation,
  quickGeluGradient: ['inPlace', 'followsFloat16'],
  linear: ['product'],
  adamw: ['inPlace'],
}

/** Returns whether an op has a trait. */
export const hasTrait = (op: OpName, trait: Trait): boolean => traits[op].includes(trait)

/** Returns the ops that have a trait, in the order of the op table. */
export const opsWith = (trait: Trait): readonly OpName[] =>
  opNames.filter((op) => hasTrait(op, trait))
