// Where ONNX and our contracts could part: scalars, empty tensors, NaN, integers and booleans, and outputs that no
// node makes. Expected values are stated here, not computed by another backend.
import { hostScalar, hostTensor, type HostTensor, type Tensor } from '@embed-kd/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Backend } from '@embed-kd/core'
import { ortBackend } from '../src/index.js'
import { op, runOn } from './run.js'

let backend: Backend
beforeAll(async () => {
  backend = await ortBackend.create('cpu')
})
afterAll(() => backend.dispose())

const f = (shape: number[], values: number[]) => hostTensor('float32', shape, values)
const i = (shape: number[], values: number[]) => hostTensor('int32', shape, values)
const b = (shape: number[], values: number[]) => hostTensor('bool', shape, values)
const nan = Number.NaN

interface Case {
  readonly name: string
  readonly inputs: readonly HostTensor[]
  readonly body: (...inputs: [Tensor, Tensor, Tensor]) => Record<string, Tensor>
  readonly expected: Record<string, readonly [shape: number[], values: number[]]>
}

const cases: Case[] = [
  {
    name: 'maximum, minimum and max give NaN where any operand is',
    inputs: [f([3], [nan, 1, 2]), f([3], [0, nan, 3]), f([2, 3], [1, nan, 5, -1, -2, -3])],
    body: (x, y, m) => ({
      max: op.maximum(x, y),
      min: op.minimum(x, y),
      rows: op.max(m, { axes: [1] }),
      all: op.max(m),
    }),
    expected: {
      max: [[3], [nan, nan, 3]],
      min: [[3], [nan, nan, 2]],
      rows: [[2], [nan, -1]],
      all: [[], [nan]],
    },
  },
  {
    name: 'integers: arithmetic, comparison, layout',
    inputs: [i([1, 3], [-5, 1, 2]), i([1, 3], [0, 1, -3])],
    body: (x, y) => ({
      max: op.maximum(x, y),
      mul: op.mul(x, y),
      less: op.less(x, y),
      equal: op.equal(x, y),
      pad: op.pad(x, [1, 0], [0, 2]),
      select: op.select(op.lessEqual(x, y), x, 7),
      rows: op.concat([x, y], 0),
    }),
    expected: {
      max: [
        [1, 3],
        [0, 1, 2],
      ],
      mul: [
        [1, 3],
        [0, 1, -6],
      ],
      less: [
        [1, 3],
        [1, 0, 0],
      ],
      equal: [
        [1, 3],
        [0, 1, 0],
      ],
      pad: [
        [2, 5],
        [0, 0, 0, 0, 0, -5, 1, 2, 0, 0],
      ],
      select: [
        [1, 3],
        [-5, 1, 7],
      ],
      rows: [
        [2, 3],
        [-5, 1, 2, 0, 1, -3],
      ],
    },
  },
  {
    name: 'booleans: logic, select, layout',
    inputs: [b([1, 2], [1, 0]), b([1, 2], [1, 1]), b([1, 2], [0, 0])],
    body: (x, yes, no) => ({
      select: op.select(x, no, yes),
      and: op.and(x, yes),
      or: op.or(x, no),
      not: op.not(x),
      transpose: op.transpose(x, [1, 0]),
      broadcast: op.broadcastTo(x, [2, 2]),
      slice: op.slice(x, [0, 1], [1, 1]),
    }),
    expected: {
      select: [
        [1, 2],
        [0, 1],
      ],
      and: [
        [1, 2],
        [1, 0],
      ],
      or: [
        [1, 2],
        [1, 0],
      ],
      not: [
        [1, 2],
        [0, 1],
      ],
      transpose: [
        [2, 1],
        [1, 0],
      ],
      broadcast: [
        [2, 2],
        [1, 0, 1, 0],
      ],
      slice: [[1, 1], [0]],
    },
  },
  {
    name: 'casts truncate, and every non-zero is true',
    inputs: [f([4], [-1.9, 1.9, 0, nan]), i([2], [-3, 0]), b([2], [1, 0])],
    body: (x, n, c) => ({
      truncated: op.cast(op.slice(x, [0], [3]), 'int32'),
      truth: op.cast(x, 'bool'),
      float: op.cast(n, 'float32'),
      number: op.cast(c, 'int32'),
    }),
    expected: {
      truncated: [[3], [-1, 1, 0]],
      truth: [[4], [1, 1, 0, 1]],
      float: [[2], [-3, 0]],
      number: [[2], [1, 0]],
    },
  },
  {
    name: 'scalars in every kind of op',
    inputs: [f([], [4]), i([], [3])],
    body: (x, n) => ({
      sqrt: op.sqrt(x),
      sum: op.sum(x),
      matrix: op.reshape(x, [1, 1]),
      transpose: op.transpose(x, []),
      pad: op.pad(x, [], []),
      broadcast: op.broadcastTo(x, [2]),
      integer: op.add(n, 1),
    }),
    expected: {
      sqrt: [[], [2]],
      sum: [[], [4]],
      matrix: [[1, 1], [4]],
      transpose: [[], [4]],
      pad: [[], [4]],
      broadcast: [[2], [4, 4]],
      integer: [[], [4]],
    },
  },
  {
    name: 'empty tensors: sums are 0, products over nothing too, biases stay',
    inputs: [f([0, 3], []), f([2, 0], []), f([4], [1, 2, 3, 4])],
    body: (rows, columns, bias) => ({
      exp: op.exp(rows),
      sum: op.sum(rows, { axes: [0] }),
      reshape: op.reshape(rows, [3, 0]),
      product: op.matmul(columns, rows),
      linear: op.linear(columns, op.reshape(columns, [2, 0]), op.slice(bias, [0], [2])),
      softmax: op.softmax(rows),
      padded: op.pad(rows, [1, 0], [0, 0]),
      joined: op.concat([rows, op.broadcastTo(op.slice(bias, [0], [3]), [1, 3])], 0),
    }),
    expected: {
      exp: [[0, 3], []],
      sum: [[3], [0, 0, 0]],
      reshape: [[3, 0], []],
      product: [
        [2, 3],
        [0, 0, 0, 0, 0, 0],
      ],
      linear: [
        [2, 2],
        [1, 2, 1, 2],
      ],
      softmax: [[0, 3], []],
      padded: [
        [1, 3],
        [0, 0, 0],
      ],
      joined: [
        [1, 3],
        [1, 2, 3],
      ],
    },
  },
  {
    name: 'outputs that are inputs, constants, or the same value twice',
    inputs: [f([2], [1, 4])],
    body: (x) => ({
      input: x,
      again: x,
      root: op.sqrt(x),
      same: op.sqrt(x),
      constant: x.tracer.constant(hostScalar(7, 'int32')),
      iota: x.tracer.iota(3),
    }),
    expected: {
      input: [[2], [1, 4]],
      again: [[2], [1, 4]],
      root: [[2], [1, 2]],
      same: [[2], [1, 2]],
      constant: [[], [7]],
      iota: [[3], [0, 1, 2]],
    },
  },
  {
    name: 'stacks of matrices broadcast, with either operand transposed',
    inputs: [f([2, 1, 1, 2], [1, 2, 3, 4]), f([3, 2], [1, 0, 0, 1, 1, 1])],
    body: (x, y) => ({
      right: op.matmul(x, y, { transposeB: true }),
      left: op.matmul(x, x, { transposeA: true }),
    }),
    expected: {
      right: [
        [2, 1, 1, 3],
        [1, 2, 3, 3, 4, 7],
      ],
      left: [
        [2, 1, 2, 2],
        [1, 2, 2, 4, 9, 12, 12, 16],
      ],
    },
  },
]

test.each(cases)('$name', async ({ inputs, body, expected }) => {
  const named = Object.fromEntries(inputs.map((input, index) => [`x${index}`, input]))
  const results = await runOn(backend, named, (symbols) =>
    body(...(Object.values(symbols) as [Tensor, Tensor, Tensor])),
  )
  for (const [name, [shape, values]] of Object.entries(expected)) {
    expect(results[name]!.shape, name).toEqual(shape)
    expect(results[name]!.values, name).toEqual(values)
  }
})
