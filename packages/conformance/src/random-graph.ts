// Random graphs made from lists of whole numbers. Every list gives a valid graph; shorter lists and smaller numbers give simpler
// graphs. So a property test can generate and shrink lists, and needs no generator of graphs.
import { op } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import { spec, trace, type Tensor, type Tracer } from '@embed-kd/core'
import { Random } from '@embed-kd/core'
import {
  broadcastShapes,
  hostScalar,
  sameShape,
  sizeOf,
  type HostTensor,
  type Shape,
} from '@embed-kd/core'
import { bools, floats, ints } from './cases/define.js'

export interface RandomGraph {
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, HostTensor>>
}

/** Reads choices from a list, one after another. Behind the end of the list every choice is the first option. */
class Choices {
  readonly #numbers: readonly number[]
  #at = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  get left(): boolean {
    return this.#at < this.#numbers.length
  }

  below(n: number): number {
    return n === 0 ? 0 : (this.#numbers[this.#at++] ?? 0) % n
  }

  of<T>(options: readonly T[]): T {
    return options[this.below(options.length)]!
  }
}

const shapes: readonly Shape[] = [
  [],
  [3],
  [1],
  [2, 3],
  [3, 3],
  [3, 1],
  [4, 3, 2],
  [1, 3, 3],
  [2, 1, 3, 2],
  [0, 3],
]

/** Makes another tensor from existing ones. Returns undefined if no existing tensor fits. */
type Step = (pool: readonly Tensor[], choices: Choices) => Tensor | undefined

const typed = (pool: readonly Tensor[], dtype: string) =>
  pool.filter(({ type }) => type.dtype === dtype)

/** Returns a tensor of the pool that satisfies a condition, if there is one. */
const pick = (
  pool: readonly Tensor[],
  choices: Choices,
  fits: (x: Tensor) => boolean = () => true,
) => {
  const candidates = pool.filter(fits)
  return candidates.length === 0 ? undefined : choices.of(candidates)
}

const small = (shape: Shape | undefined): boolean => shape !== undefined && sizeOf(shape) <= 4096

const onFloat =
  (f: (x: Tensor, choices: Choices) => Tensor | undefined): Step =>
  (pool, choices) => {
    const x = pick(typed(pool, 'float32'), choices)
    return x && f(x, choices)
  }

const onPair =
  (dtype: 'float32' | 'int32' | 'bool', f: (a: Tensor, b: Tensor) => Tensor): Step =>
  (pool, choices) => {
    const all = typed(pool, dtype)
    const a = pick(all, choices)
    const b = a && pick(all, choices, (x) => small(broadcastShapes(a.shape, x.shape)))
    return b && f(a, b)
  }

/** Picks two tensors of one shape: an argument, and the gradient of a result that has this shape. */
const onAlike =
  (f: (x: Tensor, g: Tensor, choices: Choices) => Tensor | undefined): Step =>
  (pool, choices) => {
    const x = pick(typed(pool, 'float32'), choices)
    const g = x && pick(typed(pool, 'float32'), choices, ({ shape }) => sameShape(shape, x.shape))
    return g && f(x, g, choices)
  }

const axesOf = (x: Tensor, choices: Choices) =>
  x.shape.flatMap((_, axis) => (choices.below(2) ? [axis] : []))

/** The ops that random graphs are made of. Arguments of growing functions are squashed first, so that values stay finite. */
const steps: readonly Step[] = [
  onPair('float32', op.add),
  onPair('float32', op.sub),
  onPair('float32', (a, b) => op.mul(a, op.tanh(b))),
  onPair('float32', (a, b) => op.div(a, op.add(op.mul(b, b), 1))),
  onPair('float32', op.maximum),
  onPair('float32', op.minimum),
  onPair('int32', op.add),
  onPair('int32', op.mul),
  onPair('int32', op.less),
  onPair('float32', op.lessEqual),
  onPair('int32', op.equal),
  onPair('float32', (a, b) => a.tracer.emit('quickGeluGradient', [a, b], {})[0]!),
  onPair('bool', op.and),
  onPair('bool', op.or),
  onFloat(op.neg),
  onFloat((x) => op.exp(op.minimum(x, 3))),
  onFloat((x) => op.log(op.add(op.mul(x, x), 1))),
  onFloat((x) => op.sqrt(op.add(op.mul(x, x), 0.5))),
  onFloat((x) => op.rsqrt(op.add(op.mul(x, x), 0.5))),
  onFloat(op.tanh),
  onFloat(op.sigmoid),
  onFloat(op.erf),
  onFloat(op.sin),
  onFloat(op.cos),
  onFloat(op.quickGelu),
  onFloat((x, choices) => op.gelu(x, choices.of(['none', 'tanh'] as const))),
  onFloat((x, choices) => {
    const axis = pickAxis(x, choices)
    return axis === undefined ? undefined : op.softmax(x, axis)
  }),
  onAlike((x, g, choices) => {
    const axis = pickAxis(x, choices)
    return axis === undefined
      ? undefined
      : x.tracer.emit('softmaxGradient', [op.softmax(x, axis), g], { axis })[0]
  }),
  onFloat((x, choices) => {
    const axis = pickAxis(x, choices)
    return axis === undefined ? undefined : op.logSoftmax(x, axis)
  }),
  onFloat((x, choices) => {
    const axis = pickAxis(x, choices)
    return axis === undefined ? undefined : op.argmax(x, axis)
  }),
  onFloat((x, choices) =>
    op.sum(x, { axes: axesOf(x, choices), keepDims: choices.below(2) === 1 }),
  ),
  onFloat((x, choices) => {
    const axes = axesOf(x, choices).filter((axis) => x.shape[axis] !== 0)
    return op.max(x, { axes, keepDims: choices.below(2) === 1 })
  }),
  onFloat((x, choices) => {
    const axes = axesOf(x, choices).filter((axis) => x.shape[axis] !== 0)
    return op.mean(x, { axes, keepDims: choices.below(2) === 1 })
  }),
  (pool, choices) => {
    const x = pick(typed(pool, 'float32'), choices, ({ shape }) => (shape.at(-1) ?? 0) > 1)
    const width = x?.shape.at(-1) ?? 0
    const source = x && pick(typed(pool, 'float32'), choices, ({ shape }) => sizeOf(shape) >= width)
    if (!source) return undefined
    const vector = op.sliceAxis(op.reshape(source, [sizeOf(source.shape)]), 0, 0, width)
    return op.layerNorm(x, vector, vector, 0.1)
  },
  onAlike((x, g) => {
    const width = x.shape.at(-1) ?? 0
    if (width < 2) return undefined
    const vector = (value: number) => op.broadcastTo(x.tracer.constant(hostScalar(value)), [width])
    const norm = [x, vector(1), vector(0)]
    const [y, , invStd] = x.tracer.emit('layerNorm', norm, { epsilon: 0.1 })
    return x.tracer.emit('standardizeGradient', [y!, invStd!, g], {})[0]
  }),
  (pool, choices) => {
    const matrices = typed(pool, 'float32').filter(({ rank }) => rank >= 2)
    const a = pick(matrices, choices)
    const [transposeA, transposeB] = [choices.below(2) === 1, choices.below(2) === 1]
    const inner = a?.shape.at(transposeA ? -2 : -1)
    const b =
      a &&
      pick(
        matrices,
        choices,
        (x) =>
          x.shape.at(transposeB ? -1 : -2) === inner &&
          small(broadcastShapes(a.shape.slice(0, -2), x.shape.slice(0, -2))),
      )
    return b && op.matmul(a, b, { transposeA, transposeB })
  },
  (pool, choices) => {
    const weight = pick(typed(pool, 'float32'), choices, ({ rank }) => rank === 2)
    const inner = weight?.shape[1]
    const x = pick(typed(pool, 'float32'), choices, ({ shape }) => shape.at(-1) === inner)
    return weight && x && op.linear(x, weight)
  },
  (pool, choices) => {
    const x = pick(pool, choices)!
    return x.tracer.emit('transpose', [x], { permutation: shuffled(x.rank, choices) })[0]
  },
  (pool, choices) => {
    const x = pick(pool, choices)!
    return op.reshape(x, choices.of([[sizeOf(x.shape)], [1, ...x.shape], [...x.shape, 1]]))
  },
  (pool, choices) => {
    const x = pick(pool, choices)!
    const shape = choices.of([[2, ...x.shape], x.shape.map((n) => (n === 1 ? 3 : n))])
    return small(shape) ? op.broadcastTo(x, shape) : undefined
  },
  (pool, choices) => {
    const x = pick(pool, choices)!
    const starts = x.shape.map((n) => choices.below(n))
    return op.slice(
      x,
      starts,
      x.shape.map((n, axis) => Math.min(1 + choices.below(n), n - starts[axis]!)),
    )
  },
  (pool, choices) => {
    const x = pick(
      pool,
      choices,
      ({ type, shape }) => type.dtype !== 'bool' && sizeOf(shape) <= 512,
    )
    return (
      x &&
      op.pad(
        x,
        x.shape.map(() => choices.below(2)),
        x.shape.map(() => choices.below(3)),
      )
    )
  },
  (pool, choices) => {
    const a = pick(pool, choices, ({ rank, shape }) => rank > 0 && sizeOf(shape) <= 1024)
    const axis = a && choices.below(a.rank)
    const b =
      a &&
      pick(
        pool,
        choices,
        (x) =>
          x.type.dtype === a.type.dtype &&
          x.rank === a.rank &&
          x.shape.every((n, i) => i === axis || n === a.shape[i]),
      )
    return b && op.concat([a, b], axis!)
  },
  (pool, choices) => {
    const x = pick(pool, choices, ({ rank }) => rank > 0)
    if (!x) return undefined
    const axis = choices.below(x.rank)
    const first = choices.below(x.shape[axis]! + 1)
    const parts = op.split(x, axis, [first, x.shape[axis]! - first])
    return choices.of(parts)
  },
  (pool, choices) => {
    const condition = pick(typed(pool, 'bool'), choices)
    const a = pick(typed(pool, 'float32'), choices, (x) =>
      small(condition && broadcastShapes(condition.shape, x.shape)),
    )
    return condition && a && op.select(condition, a, op.neg(a))
  },
  (pool, choices) => {
    const x = pick(pool, choices)!
    return op.cast(x, choices.of(['float32', 'int32', 'bool'] as const))
  },
  (pool, choices) => op.not(pick(typed(pool, 'bool'), choices)!),
]

/** Returns an axis that is not empty, if there is one. */
const pickAxis = (x: Tensor, choices: Choices): number | undefined => {
  const axes = x.shape.flatMap((n, axis) => (n > 0 ? [axis] : []))
  return axes.length === 0 ? undefined : choices.of(axes)
}

function shuffled(n: number, choices: Choices): number[] {
  const left = Array.from({ length: n }, (_, i) => i)
  return Array.from({ length: n }, () => left.splice(choices.below(left.length), 1)[0]!)
}

/** Returns the graph of a list of whole numbers, and inputs for it. The graph's outputs are all values that no node reads. */
export function graphFromChoices(numbers: readonly number[]): RandomGraph {
  const choices = new Choices(numbers)
  const random = new Random(choices.below(2 ** 16))
  const shape = () => choices.of(shapes)
  const inputs: Record<string, HostTensor> = {
    a: floats(shape())(random),
    b: floats(shape())(random),
    i: ints(shape())(random),
    c: bools(shape())(random),
  }
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, spec(shape, { dtype })]),
  )
  const graph = trace('random', specs, (symbols, tracer: Tracer) => {
    const pool = Object.values(symbols)
    while (choices.left) {
      const made = choices.of(steps)(pool, choices)
      if (made && !pool.includes(made)) pool.push(made)
    }
    const read = new Set(tracer.nodes.flatMap((node) => node.inputs))
    const ends = pool.filter((x) => !read.has(x.id))
    return Object.fromEntries(ends.map((x, i) => [`y${i}`, x]))
  })
  return { graph, inputs }
}

/** Returns a fixed sample of random graphs, for suites without a property tester. */
export const sampleGraphs = (count: number): RandomGraph[] =>
  Array.from({ length: count }, (_, i) => {
    const random = new Random(i)
    return graphFromChoices(Array.from({ length: 60 }, () => random.int(2 ** 16)))
  })
