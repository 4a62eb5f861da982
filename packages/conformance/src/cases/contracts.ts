// Cases of graphs that must not compile: each breaks one numbered constraint of one op, or one rule of well-formedness.
import type { Graph, GraphInput } from '@embed-kd/core'
import type { AttrsOf, OpName } from '@embed-kd/core'
import { print } from '@embed-kd/core'
import { formatType, type Shape, type TensorType } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'

const f = (...shape: Shape): TensorType => ({ dtype: 'float32', shape })
const i = (...shape: Shape): TensorType => ({ dtype: 'int32', shape })
const b = (...shape: Shape): TensorType => ({ dtype: 'bool', shape })

/** A graph of one node, built by hand, since tracing would refuse it. */
function broken(op: OpName, inputs: readonly TensorType[], attrs: object): Graph {
  return {
    name: `broken ${op}`,
    types: [...inputs, inputs[0] ?? f()],
    inputs: inputs.map((_, value) => ({ name: `x${value}`, value, role: 'batch', donated: false })),
    nodes: [
      {
        op,
        inputs: inputs.map((_, value) => value),
        outputs: [inputs.length],
        attrs,
        place: { part: 'other', phase: 'forward' },
      },
    ] as unknown as Graph['nodes'],
    outputs: [{ name: 'y', value: inputs.length }],
  }
}

const refuses = (
  name: string,
  contract: string,
  graph: Graph,
  mentions: string,
): ProcedureCase => ({
  kind: 'procedure',
  name,
  contract,
  run: async (backend) => {
    const refusal = await backend.compile(graph).then(
      async (executable) => executable.dispose(),
      (error: Error) => error.message,
    )
    if (refusal === undefined)
      throw new Error(`B5: compile took a graph that breaks ${contract}\n${print(graph)}`)
    if (!refusal.includes(mentions))
      throw new Error(`B5: compile's error does not say ${mentions}, but: ${refusal}`)
  },
})

/** For each op, applications that break its constraint C0 (the number of inputs), C1, C2, … in this order. */
type Breaches = {
  readonly [K in OpName]: readonly (readonly [number, readonly TensorType[], AttrsOf<K>])[]
}

const unary = [
  [0, [], {}],
  [0, [f(2), f(2)], {}],
  [1, [i(2)], {}],
] as const

const binary = (wrong: (...shape: Shape) => TensorType, right: (...shape: Shape) => TensorType) =>
  [
    [0, [right(2)], {}],
    [1, [right(2), wrong(2)], {}],
    [2, [wrong(2), wrong(2)], {}],
    [3, [right(2), right(3)], {}],
    [3, [right(2, 3), right(2)], {}],
  ] as const

const reduction = [
  [0, [], { axes: [], keepDims: false }],
  [1, [i(2)], { axes: [0], keepDims: false }],
  [2, [f(2)], { axes: [1], keepDims: false }],
  [2, [f(2)], { axes: [-1], keepDims: false }],
  [2, [f(2, 3)], { axes: [0, 0], keepDims: false }],
] as const

const alongAxis = [
  [0, [], { axis: 0 }],
  [1, [i(2)], { axis: 0 }],
  [2, [f(2)], { axis: 1 }],
  [2, [f(2)], { axis: -1 }],
  [2, [f()], { axis: 0 }],
  [3, [f(2, 0)], { axis: 1 }],
] as const

const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 }
const plain = { transposeA: false, transposeB: false }
const scalars = [f(), f(), f()]

export const breaches: Breaches = {
  constant: [[0, [f(1)], { value: { dtype: 'float32', shape: [], data: new Float32Array(1) } }]],
  iota: [
    [0, [f(1)], { size: 1 }],
    [1, [], { size: -1 }],
    [1, [], { size: 1.5 }],
  ],
  randomUniform: [
    [0, [], { shape: [2], stream: 0 }],
    [1, [i(3)], { shape: [2], stream: 0 }],
    [1, [f(2)], { shape: [2], stream: 0 }],
    [2, [i(2)], { shape: [-1], stream: 0 }],
    [3, [i(2)], { shape: [2], stream: -1 }],
  ],
  bernoulli: [
    [0, [], { shape: [2], stream: 0, probability: 0.5 }],
    [1, [i(3)], { shape: [2], stream: 0, probability: 0.5 }],
    [1, [f(2)], { shape: [2], stream: 0, probability: 0.5 }],
    [2, [i(2)], { shape: [-1], stream: 0, probability: 0.5 }],
    [3, [i(2)], { shape: [2], stream: -1, probability: 0.5 }],
    [4, [i(2)], { shape: [2], stream: 0, probability: 0 }],
    [4, [i(2)], { shape: [2], stream: 0, probability: 1 }],
  ],
  neg: unary,
  exp: unary,
  log: unary,
  sqrt: unary,
  rsqrt: unary,
  tanh: unary,
  sigmoid: unary,
  erf: unary,
  sin: unary,
  cos: unary,
  add: binary(b, f),
  sub: binary(b, f),
  mul: binary(b, f),
  div: binary(i, f),
  maximum: binary(b, f),
  minimum: binary(b, f),
  equal: binary(b, f),
  less: binary(b, f),
  lessEqual: binary(b, f),
  and: binary(f, b),
  or: binary(i, b),
  not: [
    [0, [], {}],
    [1, [f(2)], {}],
  ],
  select: [
    [0, [b(2), f(2)], {}],
    [1, [f(2), f(2), f(2)], {}],
    [2, [b(2), f(2), i(2)], {}],
    [3, [b(3), f(2), f(2)], {}],
    [3, [b(2), f(2), f(3)], {}],
  ],
  cast: [
    [0, [], { dtype: 'int32' }],
    [1, [f(2)], { dtype: 'float64' as 'float32' }],
  ],
  reshape: [
    [0, [], { shape: [] }],
    [1, [f(2)], { shape: [-1, -2] }],
    [2, [f(2)], { shape: [3] }],
  ],
  transpose: [
    [0, [], { permutation: [] }],
    [1, [f(2, 3)], { permutation: [0] }],
    [1, [f(2, 3)], { permutation: [0, 0] }],
    [1, [f(2, 3)], { permutation: [-1, 0] }],
  ],
  broadcastTo: [
    [0, [], { shape: [] }],
    [1, [f(1)], { shape: [-1] }],
    [2, [f(2)], { shape: [3] }],
    [2, [f(2, 3)], { shape: [3] }],
    [2, [f(2)], { shape: [1] }],
  ],
  slice: [
    [0, [], { starts: [], sizes: [] }],
    [1, [f(4)], { starts: [0, 0], sizes: [1, 1] }],
    [1, [f(4)], { starts: [-1], sizes: [1] }],
    [2, [f(4)], { starts: [2], sizes: [3] }],
  ],
  pad: [
    [0, [], { low: [], high: [] }],
    [1, [b(2)], { low: [1], high: [1] }],
    [2, [f(2)], { low: [1, 0], high: [1, 0] }],
    [2, [f(2)], { low: [-1], high: [0] }],
  ],
  concat: [
    [0, [], { axis: 0 }],
    [1, [f(2), i(2)], { axis: 0 }],
    [1, [f(2), f(2, 1)], { axis: 0 }],
    [2, [f(2), f(2)], { axis: 1 }],
    [2, [f(2), f(2)], { axis: -1 }],
    [3, [f(2, 3), f(2, 4)], { axis: 0 }],
  ],
  split: [
    [0, [], { axis: 0, sizes: [1] }],
    [1, [f(2)], { axis: 1, sizes: [2] }],
    [1, [f(2)], { axis: -1, sizes: [2] }],
    [2, [f(0)], { axis: 0, sizes: [] }],
    [2, [f(2)], { axis: 0, sizes: [3, -1] }],
    [3, [f(3)], { axis: 0, sizes: [1, 1] }],
  ],
  sum: reduction,
  mean: [...reduction, [3, [f(2, 0)], { axes: [1], keepDims: false }]],
  max: [...reduction, [3, [f(2, 0)], { axes: [1], keepDims: false }]],
  argmax: alongAxis,
  matmul: [
    [0, [f(2, 2)], plain],
    [1, [f(2), f(2, 2)], plain],
    [1, [i(2, 2), i(2, 2)], plain],
    [2, [f(2, 3), f(4, 5)], plain],
    [2, [f(2, 3), f(3, 2)], { transposeA: false, transposeB: true }],
    [3, [f(2, 3, 4), f(3, 4, 5)], plain],
  ],
  softmax: alongAxis,
  softmaxGradient: [
    [0, [f(2)], { axis: 0 }],
    [1, [i(2), i(2)], { axis: 0 }],
    [1, [f(2), f(3)], { axis: 0 }],
    [2, [f(2), f(2)], { axis: 1 }],
    [2, [f(2), f(2)], { axis: -1 }],
    [3, [f(2, 0), f(2, 0)], { axis: 1 }],
  ],
  logSoftmax: alongAxis,
  layerNorm: [
    [0, [f(2, 3), f(3)], { epsilon: 1e-5 }],
    [1, [f(), f(1), f(1)], { epsilon: 1e-5 }],
    [2, [f(2, 0), f(0), f(0)], { epsilon: 1e-5 }],
    [3, [f(2, 3), f(2), f(3)], { epsilon: 1e-5 }],
    [3, [f(2, 3), f(3), f(1, 3)], { epsilon: 1e-5 }],
    [4, [f(2, 3), f(3), f(3)], { epsilon: -1 }],
  ],
  standardizeGradient: [
    [0, [f(2, 3), f(2, 1)], {}],
    [1, [f(), f(1), f()], {}],
    [1, [i(2, 3), f(2, 1), i(2, 3)], {}],
    [2, [f(2, 0), f(2, 1), f(2, 0)], {}],
    [3, [f(2, 3), f(2), f(2, 3)], {}],
    [3, [f(2, 3), f(1, 1), f(2, 3)], {}],
    [4, [f(2, 3), f(2, 1), f(3)], {}],
  ],
  gelu: [
    [0, [], { approximate: 'none' }],
    [1, [i(2)], { approximate: 'tanh' }],
    [2, [f(2)], { approximate: 'fast' as 'tanh' }],
  ],
  quickGelu: unary,
  quickGeluGradient: binary(i, f),
  linear: [
    [0, [f(2, 3)], {}],
    [1, [f(), f(1, 1)], {}],
    [2, [f(2, 3), f(3, 4)], {}],
    [2, [f(2, 3), f(3)], {}],
    [3, [f(2, 3), f(4, 3), f(3)], {}],
  ],
  adamw: [
    [0, [f(2), f(2)], adam],
    [1, [f(2), f(3), f(2), f(2), ...scalars], adam],
    [2, [f(2), f(2), f(2), f(2), f(1), f(), f()], adam],
    [3, [f(2), f(2), f(2), f(2), ...scalars], { ...adam, beta1: 1 }],
    [3, [f(2), f(2), f(2), f(2), ...scalars], { ...adam, epsilon: -1 }],
  ],
}

/** A good graph, y = -x, to spoil. */
const input: GraphInput = { name: 'x', value: 0, role: 'batch', donated: false }
const negation: Graph = {
  name: 'spoilt',
  types: [f(2), f(2)],
  inputs: [input],
  nodes: [
    {
      op: 'neg',
      inputs: [0],
      outputs: [1],
      attrs: {},
      place: { part: 'other', phase: 'forward' },
    },
  ],
  outputs: [{ name: 'y', value: 1 }],
}
const node = negation.nodes[0]!

const malformed: readonly (readonly [string, Partial<Graph>, string])[] = [
  ['a value made twice', { nodes: [node, node] }, 'made twice'],
  [
    'a value used before it is made',
    { types: [f(2), f(2), f(2)], nodes: [{ ...node, inputs: [2] }] as Graph['nodes'] },
    'used before it is made',
  ],
  ['a type that is not the shape rule’s', { types: [f(2), f(3)] }, 'the shape rule gives'],
  [
    'an op that does not exist',
    { nodes: [{ ...node, op: 'nonsense' }] as unknown as Graph['nodes'] },
    'nonsense',
  ],
  ['an output that nothing makes', { outputs: [{ name: 'y', value: 7 }] }, 'nothing makes'],
  ['two inputs of one name', { inputs: [input, { ...input, value: 1 }], nodes: [] }, 'two inputs'],
  [
    'two outputs of one name',
    {
      outputs: [
        { name: 'y', value: 1 },
        { name: 'y', value: 0 },
      ],
    },
    'two outputs',
  ],
  ['a donated input that nothing replaces', { inputs: [{ ...input, donated: true }] }, 'donated'],
]

export const contractCases = (): ProcedureCase[] => [
  ...Object.entries(breaches).flatMap(([op, list]) =>
    (list as Breaches[OpName]).map(([constraint, inputs, attrs], index) =>
      refuses(
        `contract/${op}/C${constraint} ${inputs.map(formatType).join(' ')} #${index}`,
        `${op} C${constraint}`,
        broken(op as OpName, inputs, attrs),
        `${op} C${constraint}`,
      ),
    ),
  ),
  ...malformed.map(([variant, spoilt, mentions]) =>
    refuses(`contract/graph/${variant}`, 'B5', { ...negation, ...spoilt }, mentions),
  ),
]
