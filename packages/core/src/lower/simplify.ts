// Local rewrites that never change a result's meaning: a node is replaced as it is made, by looking at its inputs.
// Common subexpressions and dead nodes need no rule: the tracer makes equal nodes once and drops unused ones.
import * as op from '../graph/api.js'
import type { ValueId } from '../graph/graph.js'
import type { AttrsOf, OpName } from '../graph/ops.js'
import type { Simplifier, Tensor, Tracer } from '../graph/trace.js'
import { opsWith } from '../graph/traits.js'
import { broadcastShapes, hostScalar, sameShape, type Shape } from '../tensor/tensor.js'
import { madeBy, sourceOf, uniform } from './producers.js'
import { sumOfRows } from './attended-sums.js'

type Rule<K extends OpName> = (
  inputs: readonly Tensor[],
  attrs: AttrsOf<K>,
  tracer: Tracer,
) => Tensor | undefined

const resultShape = (inputs: readonly Tensor[]): Shape | undefined =>
  inputs.reduce<Shape | undefined>(
    (shape, x) => shape && broadcastShapes(shape, x.shape),
    inputs[0]!.shape,
  )

/** Drops an explicit broadcast before an elementwise op if the op broadcasts its operands to the same shape by itself. */
const unbroadcast =
  <K extends OpName>(name: K): Rule<K> =>
  (inputs, attrs, tracer) => {
    const shape = resultShape(inputs)
    const direct = inputs.map((x, i) => {
      const node = madeBy(x, 'broadcastTo')
      if (!node) return x
      const source = sourceOf(x, node)
      const others = inputs.with(i, source)
      const without = resultShape(others)
      return without && shape && sameShape(without, shape) ? source : x
    })
    const joint = resultShape(direct)
    if (direct.every((x, i) => x === inputs[i]) || !joint || !shape || !sameShape(joint, shape))
      return undefined
    return tracer.emit(name, direct, attrs)[0]
  }

type Arithmetic = 'add' | 'sub' | 'mul' | 'div'
const compute: Record<Arithmetic, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
}

/** Computes with scalar constants, and drops the right operand `neutral`, which changes nothing (x + 0 would lose -0). */
const arithmetic =
  (name: Arithmetic, neutral: number, commutes: boolean): Rule<Arithmetic> =>
  (inputs, attrs, tracer) => {
    const [a, b] = inputs as [Tensor, Tensor]
    const [x, y] = [uniform(a), uniform(b)]
    if (x !== undefined && y !== undefined && a.type.dtype === 'float32') {
      const shape = broadcastShapes(a.shape, b.shape)!
      return op.broadcastTo(tracer.constant(hostScalar(compute[name](x, y))), shape)
    }
    const keeps = (kept: Tensor, other: Tensor) =>
      sameShape(broadcastShapes(kept.shape, other.shape) ?? [], kept.shape)
    if (Object.is(y, neutral) && keeps(a, b)) return a
    if (commutes && Object.is(x, neutral) && keeps(b, a)) return b
    return unbroadcast(name)(inputs, attrs, tracer)
  }

/** Finds the (x - mean) · invStd that a layer norm's gradient needs: the norm's own output if it neither scales nor shifts. */
function standardized([centred, invStd]: readonly Tensor[]): Tensor | undefined {
  const norm = madeBy(invStd!, 'layerNorm')
  const difference = madeBy(centred!, 'sub')
  if (!norm || !difference) return undefined
  const [, scale, bias] = norm.inputs.map((id) => invStd!.tracer.tensor(id))
  const [y, mean, right] = norm.outputs
  const isIts =
    right === invStd!.id && difference.inputs[0] === norm.inputs[0] && difference.inputs[1] === mean
  const isPlain = uniform(scale!) === 1 && uniform(bias!) === 0
  return isIts && isPlain ? invStd!.tracer.tensor(y!) : undefined
}

/** Returns the tensor that `x` is a part of along an axis, and the part's place; undefined if `x` is no such part. */
function partOf(x: Tensor, axis: number): { source: ValueId; start: number } | undefined {
  const parts = madeBy(x, 'split')
  if (parts)
    return parts.attrs.axis === axis
      ? {
          source: parts.inputs[0]!,
          start: parts.attrs.sizes
            .slice(0, parts.outputs.indexOf(x.id))
            .reduce((sum, size) => sum + size, 0),
        }
      : undefined
  const block = madeBy(x, 'slice')
  if (!block) return undefined
  const { shape } = sourceOf(x, block)
  const isPart = shape.every((n, i) => i === axis || n === x.shape[i])
  return isPart ? { source: block.inputs[0]!, start: block.attrs.starts[axis]! } : undefined
}

const isIdentity = (permutation: readonly number[]) => permutation.every((axis, i) => axis === i)

/** Whether a transpose only swaps the last two axes. */
const swapsLastTwo = (permutation: readonly number[]) => {
  const rank = permutation.length
  return (
    rank >= 2 &&
    isIdentity(permutation.slice(0, -2)) &&
    permutation[rank - 1] === rank - 2 &&
    permutation[rank - 2] === rank - 1
  )
}

/** A reduction over axes of size 1 is the tensor itself. */
const ofOne: Rule<'sum' | 'mean'> = ([x], { axes, keepDims }) =>
  axes.every((axis) => x!.shape[axis] === 1)
    ? op.reshape(x!, reducedShape(x!, axes, keepDims))
    : undefined

const reducedShape = ({ shape }: Tensor, axes: readonly number[], keepDims: boolean): Shape =>
  keepDims
    ? shape.map((n, axis) => (axes.includes(axis) ? 1 : n))
    : shape.filter((_, axis) => !axes.includes(axis))

const rules: { [K in OpName]?: Rule<K> } = {
  ...Object.fromEntries(opsWith('elementwise').map((name) => [name, unbroadcast(name)])),
  add: arithmetic('add', -0, true),
  sub: arithmetic('sub', 0, false),
  mul: (inputs, attrs, tracer) =>
    standardized(inputs) ?? arithmetic('mul', 1, true)(inputs, attrs, tracer),
  div: arithmetic('div', 1, false),
  neg: ([x]) => {
    const inner = madeBy(x!, 'neg')
    return inner && sourceOf(x!, inner)
  },
  reshape: ([x], { shape }, tracer) => {
    if (sameShape(x!.shape, shape)) return x!
    const value = madeBy(x!, 'constant')?.attrs.value
    if (value) return tracer.constant({ ...value, shape })
    const inner = madeBy(x!, 'reshape')
    return inner && op.reshape(sourceOf(x!, inner), shape)
  },
  transpose: ([x], { permutation }) => {
    if (isIdentity(permutation)) return x!
    const order = permutation.filter((axis) => x!.shape[axis] !== 1)
    if (order.every((axis, i) => i === 0 || axis > order[i - 1]!))
      return op.reshape(
        x!,
        permutation.map((axis) => x!.shape[axis]!),
      )
    const inner = madeBy(x!, 'transpose')
    return (
      inner &&
      op.transpose(
        sourceOf(x!, inner),
        permutation.map((axis) => inner.attrs.permutation[axis]!),
      )
    )
  },
  broadcastTo: ([x], { shape }) => {
    if (sameShape(x!.shape, shape)) return x!
    const inner = madeBy(x!, 'broadcastTo')
    return inner && op.broadcastTo(sourceOf(x!, inner), shape)
  },
  concat: (inputs, { axis }, tracer) => {
    if (inputs.length === 1) return inputs[0]
    // The parts of a tensor, one after another, are the tensor.
    const parts = inputs.map((x) => partOf(x, axis))
    let next = 0
    const { source } = parts[0] ?? {}
    for (const [i, part] of parts.entries()) {
      if (!part || part.source !== source || part.start !== next) return undefined
      next += inputs[i]!.shape[axis]!
    }
    const whole = tracer.tensor(source!)
    return next === whole.shape[axis] ? whole : undefined
  },
  sum: (inputs, attrs, tracer) => {
    const [x] = inputs as [Tensor]
    const { axes, keepDims } = attrs
    const sums = axes.length === 1 && axes[0] === x.rank - 1 ? sumOfRows(x) : undefined
    return sums ? op.reshape(sums, reducedShape(x, axes, keepDims)) : ofOne(inputs, attrs, tracer)
  },
  mean: ofOne,
  matmul: ([a, b], { transposeA, transposeB }) => {
    const untransposed = (x: Tensor) => {
      const node = madeBy(x, 'transpose')
      return node && swapsLastTwo(node.attrs.permutation) ? sourceOf(x, node) : undefined
    }
    const [x, y] = [untransposed(a!), untransposed(b!)]
    if (!x && !y) return undefined
    return op.matmul(x ?? a!, y ?? b!, {
      transposeA: x ? !transposeA : transposeA,
      transposeB: y ? !transposeB : transposeB,
    })
  },
}

export const simplify: Simplifier = (tracer, name, inputs, attrs) => {
  const rule = rules[name] as Rule<OpName> | undefined
  const simpler = rule?.(inputs, attrs, tracer)
  return simpler && [simpler]
}
