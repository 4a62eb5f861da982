// A whole backend in one file: plain JavaScript in float32, on nothing but @embed-kd/core. docs/write-a-backend.md explains it
// part by part. It is an example to start from, not a fast one.
import {
  BufferLedger,
  checkHostTensor,
  lastUses,
  lower,
  sizeOf,
  stridesOf,
  verify,
} from '@embed-kd/core'

/** @import { Backend, BackendFactory, Executable, Graph, TensorType } from '@embed-kd/core' */
/** @typedef {TensorType & { data: Float32Array | Int32Array | Uint8Array }} Value */

// ---- the factory, which the command line finds ------------------------------------------------------------------------

/** @type {BackendFactory} */
export const backend = {
  name: 'float32',
  devices: ['js'],
  probe: async () => ({ available: true, detail: 'plain JavaScript' }),
  create: async () => new Float32Backend(),
}

// ---- the backend: buffers and capabilities --------------------------------------------------------------------

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

/** @implements {Backend} */
class Float32Backend {
  name = 'float32:js'
  versions = {}
  capabilities = /** @type {const} */ ({
    composites: ['softmax'],
    dtypes: ['float32', 'int32', 'bool'],
    // float32 rounds to 2^-24; the erf below is good to 2^-22.
    precision: { arithmetic: 2 ** -24, transcendental: 2 ** -22 },
    deterministic: true,
    reusesDonated: false,
    hostMemory: true,
    denormals: true,
    excuses: [],
  })
  /** Buffers that the caller holds. The memory of one is a `Value`; the garbage collector frees it. */
  ledger = /** @type {BufferLedger<Value>} */ (new BufferLedger(this.name, { free: () => {} }))

  /** @type {Backend['upload']} */
  async upload(tensor) {
    this.ledger.assertOpen('upload')
    checkHostTensor(tensor, this.capabilities)
    return this.ledger.add(tensor, /** @type {Value} */ ({ ...tensor, data: tensor.data.slice() }))
  }

  /** @type {Backend['read']} */
  read(buffer) {
    const { dtype, shape } = buffer
    return this.ledger.read(
      buffer,
      ({ data }) => /** @type {any} */ ({ dtype, shape, data: data.slice() }),
    )
  }

  /** @type {Backend['compile']} */
  async compile(graph) {
    this.ledger.assertOpen('compile')
    return new Interpreter(lower(verify(graph, this.capabilities), this.capabilities), this.ledger)
  }

  async synchronize() {}

  memory() {
    return this.ledger.use()
  }

  async dispose() {
    this.ledger.close()
  }
}

// ---- executables: a graph, walked node by node ---------------------------------------------------------------------

/** @implements {Executable} */
class Interpreter {
  disposed = false

  /**
   * @param {Graph} graph
   * @param {BufferLedger<Value>} ledger
   */
  constructor(graph, ledger) {
    this.graph = graph
    this.ledger = ledger
    this.last = lastUses(graph)
  }

  /** @type {Executable['run']} */
  async run(inputs) {
    const { graph, last } = this
    if (this.disposed) throw new Error(`graph ${graph.name}: the executable was disposed`)
    return this.ledger.run(graph, inputs, async (loans) => {
      /** @type {Map<number, Value>} */
      const values = new Map(graph.inputs.map(({ value }, i) => [value, loans[i].memory]))
      graph.nodes.forEach((node, index) => {
        const operands = node.inputs.map((value) => values.get(value))
        const [output] = node.outputs
        const type = graph.types[output]
        values.set(output, { ...type, data: kernels[node.op](operands, node.attrs, type) })
        for (const value of node.inputs) if (last[value] === index) values.delete(value)
      })
      return graph.outputs.map(({ value }) => values.get(value))
    })
  }

  async dispose() {
    this.disposed = true
  }
}

// ---- kernels: one for each primitive, and for the composites declared above ----------------------------------------
// A kernel gets its operands, the attributes of the node and the type of the result, and gives new data. Data is never
// written to once it is made, so values may share it.

const allocate = ({ dtype, shape }) => new arrays[dtype](sizeOf(shape))

/**
 * Returns the offsets of a block's elements, in row-major order.
 * @param {readonly number[]} shape
 * @param {readonly number[]} strides
 */
function offsets(shape, strides, start = 0) {
  let list = Int32Array.of(start)
  shape.forEach((size, axis) => {
    const next = new Int32Array(list.length * size)
    for (let i = 0; i < next.length; i++)
      next[i] = list[Math.floor(i / size)] + (i % size) * strides[axis]
    list = next
  })
  return list
}

/** The elements of `x`, broadcast to `shape`. */
function broadcast(x, shape) {
  const lead = shape.length - x.shape.length
  const strides = stridesOf(x.shape)
  const repeated = shape.map((_, axis) => (x.shape[axis - lead] > 1 ? strides[axis - lead] : 0))
  return take(x, offsets(shape, repeated))
}

/** The elements of `x` at some offsets. */
const take = (x, at) => {
  const y = new arrays[x.dtype](at.length)
  for (let i = 0; i < y.length; i++) y[i] = x.data[at[i]]
  return y
}

/** @param {(x: number) => number | boolean} f */
const unary = (f) => (operands, _, type) => {
  const [{ data }] = operands
  const y = allocate(type)
  for (let i = 0; i < y.length; i++) y[i] = f(data[i])
  return y
}

/** `f` is given numbers; storing its result rounds it to float32, or wraps it to int32. */
const elementwise = (f) => (operands, _, type) => {
  const [a, b, c] = operands.map((x) => broadcast(x, type.shape))
  const y = allocate(type)
  for (let i = 0; i < y.length; i++) y[i] = f(a[i], b[i], c?.[i])
  return y
}

/** Combines the elements of each row along `axes` with `f`, from `first`, in float64. */
const reduction = (f, first) => (operands, attrs, type) => {
  const [x] = operands
  const strides = stridesOf(x.shape)
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !attrs.axes.includes(axis))
  const pick = (list, axes) => axes.map((axis) => list[axis])
  const rows = offsets(pick(x.shape, kept), pick(strides, kept))
  const row = offsets(pick(x.shape, attrs.axes), pick(strides, attrs.axes))
  return allocate(type).map((_, i) => row.reduce((sum, at) => f(sum, x.data[rows[i] + at]), first))
}

/** Blocks of the operands put into zeros, the i-th from `starts[i]` on. */
const placed = (startsOf) => (operands, attrs, type) => {
  const strides = stridesOf(type.shape)
  const starts = startsOf(operands, attrs)
  const y = allocate(type)
  operands.forEach((x, i) => {
    const start = starts[i].reduce((sum, at, axis) => sum + at * strides[axis], 0)
    offsets(x.shape, strides, start).forEach((at, j) => (y[at] = x.data[j]))
  })
  return y
}

function matmul([a, b], { transposeA, transposeB }, type) {
  const [m, n] = type.shape.slice(-2)
  const batch = type.shape.slice(0, -2)
  const k = a.shape.at(transposeA ? -2 : -1)
  // Which matrix of an operand each matrix of the result is made from.
  const matrices = (x) => {
    const own = x.shape.slice(0, -2)
    const numbers = Int32Array.from({ length: sizeOf(own) }, (_, i) => i)
    return broadcast({ dtype: 'int32', shape: own, data: numbers }, batch)
  }
  const [ofA, ofB] = [matrices(a), matrices(b)]
  const [aRow, aColumn] = transposeA ? [1, m] : [k, 1]
  const [bRow, bColumn] = transposeB ? [1, k] : [n, 1]
  const y = allocate(type)
  for (let matrix = 0; matrix < ofA.length; matrix++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let p = 0; p < k; p++)
          sum +=
            a.data[ofA[matrix] * m * k + i * aRow + p * aColumn] *
            b.data[ofB[matrix] * k * n + p * bRow + j * bColumn]
        y[(matrix * m + i) * n + j] = sum
      }
  return y
}

/** Abramowitz & Stegun 7.1.26: within 1.5e-7. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x))
  const polynomial = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0]
  return Math.sign(x) * (1 - polynomial.reduce((sum, c) => sum * t + c) * Math.exp(-x * x))
}

/** A word in which every bit depends on all bits of the given one: the finaliser of MurmurHash3. */
function mix(word) {
  const a = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return b ^ (b >>> 16)
}

/** A pure function of key, stream and index, so that no run depends on another. */
function randomUniform([key], { stream }, type) {
  const [seed, step] = key.data
  const base = mix(mix(mix(seed ^ 0x9e3779b9) + step) + stream)
  return allocate(type).map((_, i) => (mix(base + mix(i ^ 0x7f4a7c15)) >>> 8) * 2 ** -24)
}

function argmax([x], { axis }, type) {
  const strides = stridesOf(x.shape)
  const others = (list) => list.filter((_, i) => i !== axis)
  const starts = offsets(others(x.shape), others(strides))
  return allocate(type).map((_, i) => {
    let best = 0
    const at = (index) => x.data[starts[i] + index * strides[axis]]
    for (let index = 1; index < x.shape[axis]; index++) if (at(index) > at(best)) best = index
    return best
  })
}

/** A composite that runs natively: no intermediate tensors. */
function softmax([x], { axis }, type) {
  const size = x.shape[axis]
  const strides = stridesOf(x.shape)
  const others = (list) => list.filter((_, i) => i !== axis)
  const y = allocate(type)
  for (const start of offsets(others(x.shape), others(strides))) {
    const row = offsets([size], [strides[axis]], start)
    const greatest = row.reduce((max, at) => Math.max(max, x.data[at]), -Infinity)
    const sum = row.reduce((total, at) => total + Math.exp(x.data[at] - greatest), 0)
    for (const at of row) y[at] = Math.exp(x.data[at] - greatest) / sum
  }
  return y
}

const kernels = {
  constant: (_, { value }) => value.data,
  iota: (_, { size }) => Int32Array.from({ length: size }, (_, i) => i),
  randomUniform,

  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  tanh: unary(Math.tanh),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  erf: unary(erf),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  not: unary((x) => 1 - x),
  cast: (operands, { dtype }, type) =>
    unary(dtype === 'bool' ? (x) => x !== 0 : (x) => x)(operands, {}, type),

  add: elementwise((a, b) => a + b),
  sub: elementwise((a, b) => a - b),
  mul: (operands, attrs, type) =>
    elementwise(type.dtype === 'int32' ? Math.imul : (a, b) => a * b)(operands, attrs, type),
  div: elementwise((a, b) => a / b),
  maximum: elementwise((a, b) => Math.max(a, b)),
  minimum: elementwise((a, b) => Math.min(a, b)),
  equal: elementwise((a, b) => a === b),
  less: elementwise((a, b) => a < b),
  lessEqual: elementwise((a, b) => a <= b),
  and: elementwise((a, b) => a & b),
  or: elementwise((a, b) => a | b),
  select: elementwise((condition, a, b) => (condition ? a : b)),

  reshape: ([x]) => x.data,
  broadcastTo: ([x], { shape }) => broadcast(x, shape),
  transpose: ([x], { permutation }, { shape }) => {
    const strides = stridesOf(x.shape)
    const permuted = permutation.map((axis) => strides[axis])
    return take(x, offsets(shape, permuted))
  },
  slice: ([x], { starts, sizes }) => {
    const strides = stridesOf(x.shape)
    const start = starts.reduce((sum, at, axis) => sum + at * strides[axis], 0)
    return take(x, offsets(sizes, strides, start))
  },
  pad: placed((_, { low }) => [low]),
  concat: placed((operands, { axis }) => {
    let end = 0
    return operands.map(({ shape }) => {
      const start = shape.map((_, i) => (i === axis ? end : 0))
      end += shape[axis]
      return start
    })
  }),

  sum: reduction((sum, x) => sum + x, 0),
  max: reduction((max, x) => Math.max(max, x), -Infinity),
  argmax,
  matmul,
  softmax,
}
