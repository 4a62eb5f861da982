// Where tf's kernels are known to part from our contracts, by device or by shape. Conformance covers every op; these
// are the traps that each emitter is written around, against the reference.
import { hostScalar, hostTensor, type HostTensor, type Tensor, type Tracer } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '@embed-kd/core'
import { tfjsBackend } from '../src/index.js'
import { differences, graphOf, op, usableDevices } from './devices.js'

/** Distinct values with signs mixed, the same at every run. */
const wave = (...shape: number[]): HostTensor =>
  hostTensor(
    'float32',
    shape,
    Float32Array.from({ length: shape.reduce((n, axis) => n * axis, 1) }, (_, i) =>
      Math.sin(1 + 7 * i),
    ),
  )
const ints = (shape: number[], values: number[]) => hostTensor('int32', shape, values)
const bools = (shape: number[], values: number[]) => hostTensor('bool', shape, values)
const floats = (shape: number[], values: number[]) => hostTensor('float32', shape, values)
const nan = Number.NaN

interface Case {
  readonly name: string
  readonly inputs: Readonly<Record<string, HostTensor>>
  readonly body: (inputs: Record<string, Tensor>, tracer: Tracer) => Record<string, Tensor>
}

const cases: Case[] = [
  {
    name: 'operands of which neither shape ends the result broadcast',
    inputs: {
      x: wave(3, 1),
      y: wave(1, 4),
      z: bools([3, 1], [1, 0, 1]),
      w: bools([4], [0, 1, 1, 0]),
    },
    body: ({ x, y, z, w }) => ({
      add: op.add(x!, y!),
      maximum: op.maximum(x!, y!),
      minimum: op.minimum(y!, x!),
      less: op.less(x!, y!),
      lessEqual: op.lessEqual(y!, x!),
      equal: op.equal(x!, y!),
      and: op.and(z!, w!),
      or: op.or(w!, z!),
      select: op.select(z!, x!, y!),
      scalar: op.select(z!, 0, 1),
    }),
  },
  {
    name: 'NaN spreads through maximum, minimum and max, and equals nothing',
    inputs: {
      x: floats([4], [nan, 1, 2, 3]),
      y: floats([4], [0, nan, 3, 2]),
      m: floats([2, 3], [1, nan, 5, -1, -2, -3]),
    },
    body: ({ x, y, m }) => ({
      maximum: op.maximum(x!, y!),
      minimum: op.minimum(x!, y!),
      max: op.max(m!, { axes: [1] }),
      first: op.max(m!, { axes: [0] }),
      equal: op.equal(x!, x!),
      less: op.less(x!, y!),
      select: op.select(op.less(x!, y!), x!, y!),
      truth: op.cast(x!, 'bool'),
    }),
  },
  {
    name: 'products: transposed, with batch axes of either operand, of both, and crossed',
    inputs: {
      a: wave(2, 1, 3, 5),
      b: wave(4, 5, 2),
      c: wave(5, 2),
      d: wave(4, 2, 5),
      e: wave(3, 5),
    },
    body: ({ a, b, c, d, e }) => ({
      crossed: op.matmul(a!, b!),
      shared: op.matmul(a!, c!),
      sharedTransposed: op.matmul(a!, op.transpose(c!, [1, 0]), { transposeB: true }),
      left: op.matmul(e!, b!),
      transposeB: op.matmul(a!, d!, { transposeB: true }),
      transposeA: op.matmul(d!, d!, { transposeA: true }),
      both: op.matmul(d!, op.transpose(e!, [0, 1]), { transposeA: false, transposeB: true }),
      leftTransposed: op.matmul(op.transpose(e!, [1, 0]), b!, { transposeA: true }),
    }),
  },
  {
    name: 'integers keep 32 bits and wrap around',
    inputs: { x: ints([3], [2 ** 31 - 1, 65537, -7]), y: ints([3], [2 ** 31 - 3, 65537, 3]) },
    body: ({ x, y }) => ({
      add: op.add(x!, y!),
      sub: op.sub(y!, x!),
      mul: op.mul(x!, y!),
      maximum: op.maximum(x!, y!),
      equal: op.equal(x!, op.add(x!, 1)),
      less: op.less(op.sub(x!, 1), x!),
      same: op.reshape(x!, [3, 1]),
      padded: op.pad(x!, [1], [1]),
      joined: op.concat([x!, y!], 0),
      chosen: op.select(op.less(x!, y!), x!, y!),
      spread: op.broadcastTo(x!, [2, 3]),
    }),
  },
  {
    name: 'casts truncate towards zero, and every number but zero is true',
    inputs: {
      x: floats([6], [-1.9, 1.9, 0, 0.1, 256, -0.5]),
      n: ints([2], [-3, 0]),
      c: bools([2], [1, 0]),
    },
    body: ({ x, n, c }) => ({
      truncated: op.cast(x!, 'int32'),
      truth: op.cast(x!, 'bool'),
      float: op.cast(n!, 'float32'),
      used: op.mul(op.cast(n!, 'float32'), 0.5),
      number: op.cast(c!, 'int32'),
      one: op.add(op.cast(c!, 'float32'), 0.5),
      whole: op.cast(n!, 'bool'),
    }),
  },
  {
    name: 'layout of every dtype and of rank 5 and 6',
    inputs: {
      x: wave(2, 3, 2, 2, 3),
      b: bools([2, 3], [1, 0, 1, 1, 0, 0]),
      n: ints([2, 3], [1, 2, 3, 4, 5, 6]),
      p: wave(2, 3, 1, 2, 1, 2),
    },
    body: ({ x, b, n, p }) => ({
      permuted: op.transpose(x!, [4, 0, 3, 1, 2]),
      patches: op.transpose(p!, [0, 2, 4, 1, 3, 5]),
      part: op.slice(x!, [0, 1, 0, 1, 0], [2, 2, 1, 1, 2]),
      padded: op.pad(x!, [0, 1, 0, 0, 2], [1, 0, 0, 1, 0]),
      joined: op.concat([x!, x!], 3),
      spread: op.broadcastTo(op.slice(x!, [0, 0, 0, 0, 0], [2, 1, 2, 1, 3]), [2, 3, 2, 2, 3]),
      sums: op.sum(x!, { axes: [1, 3] }),
      kept: op.sum(x!, { axes: [0, 4], keepDims: true }),
      most: op.max(x!, { axes: [0, 2] }),
      none: op.sum(x!, { axes: [] }),
      where: op.argmax(x!, 1),
      softmax: op.softmax(x!, 1),
      boolPart: op.slice(b!, [0, 1], [2, 2]),
      boolRows: op.concat([b!, b!], 1),
      boolTurned: op.transpose(b!, [1, 0]),
      boolSpread: op.broadcastTo(b!, [2, 2, 3]),
      intTurned: op.transpose(n!, [1, 0]),
      intPart: op.slice(n!, [1, 0], [1, 2]),
    }),
  },
  {
    name: 'tensors without elements',
    inputs: { rows: floats([0, 3], []), columns: floats([2, 0], []), x: wave(3) },
    body: ({ rows, columns, x }) => ({
      exp: op.exp(rows!),
      sum: op.sum(rows!, { axes: [0] }),
      added: op.add(rows!, x!),
      product: op.matmul(columns!, rows!),
      padded: op.pad(rows!, [1, 0], [1, 0]),
      joined: op.concat([rows!, op.reshape(x!, [1, 3])], 0),
      nothing: op.slice(x!, [1], [0]),
      softmax: op.softmax(rows!),
    }),
  },
  {
    name: 'scalars, and outputs that are inputs, constants, or one value twice',
    inputs: { x: floats([], [4]), n: ints([], [3]), v: wave(2) },
    body: ({ x, n, v }, tracer) => ({
      root: op.sqrt(x!),
      again: op.sqrt(x!),
      input: v!,
      constant: tracer.constant(hostScalar(7, 'int32')),
      iota: tracer.iota(3),
      sum: op.sum(x!),
      spread: op.broadcastTo(x!, [2, 2]),
      count: op.add(n!, 1),
      padded: op.pad(x!, [], []),
      turned: op.transpose(x!, []),
      matrix: op.reshape(x!, [1, 1]),
    }),
  },
  {
    name: 'functions of one number, at its edges too',
    inputs: {
      x: floats([7], [-20, -1.5, -1e-3, 0, 0.7, 3, 40]),
      p: floats([4], [1e-6, 0.5, 3, 1e6]),
    },
    body: ({ x, p }) => ({
      exp: op.exp(op.mul(x!, 0.5)),
      tanh: op.tanh(x!),
      sigmoid: op.sigmoid(x!),
      erf: op.erf(x!),
      sin: op.sin(x!),
      cos: op.cos(x!),
      neg: op.neg(x!),
      log: op.log(p!),
      sqrt: op.sqrt(p!),
      rsqrt: op.mul(op.rsqrt(p!), 1e-3),
      gelu: op.gelu(x!),
      quickGelu: op.quickGelu(x!),
      logSoftmax: op.logSoftmax(x!),
    }),
  },
]

const devices = await usableDevices()

describe.each(devices)('tfjs:%s', (device) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await tfjsBackend.create(device)
  })
  afterAll(() => backend.dispose())

  test.each(cases)('$name', async ({ inputs, body }) => {
    expect(await differences(backend, graphOf(inputs, body), inputs)).toEqual([])
    expect(backend.memory().buffers).toBe(0)
  })
})
