// The reference against values worked out by hand, and against PyTorch's operators.
import { describe, expect, it } from 'vitest'
import {
  evaluate,
  hostTensor,
  op,
  opNames,
  spec,
  trace,
  type HostTensor,
  type OpName,
  type Tensor,
  type Tracer,
} from '../src/index.js'
import { erf } from '../src/reference/erf.js'
import { kernels } from '../src/reference/kernels.js'
import { threefry, uniform } from '../src/reference/threefry.js'
import {
  goldenCases,
  goldenOperator,
  relativeError,
  type OperatorEntry,
} from '@embed-kd/conformance/golden'

const f32 = (shape: number[], data: number[]) => hostTensor('float32', shape, data)
const i32 = (shape: number[], data: number[]) => hostTensor('int32', shape, data)
const bool = (shape: number[], data: number[]) => hostTensor('bool', shape, data)
const vector = (...data: number[]) => f32([data.length], data)

/** What `body` gives for `inputs`, output by output. */
function run(
  inputs: readonly HostTensor[],
  body: (inputs: Tensor[], tracer: Tracer) => Tensor | readonly Tensor[],
) {
  const graph = trace(
    'test',
    inputs.map(({ dtype, shape }) => spec(shape, { dtype })),
    (symbols, tracer) => [body(symbols as Tensor[], tracer)].flat(),
  )
  const outputs = evaluate(graph, Object.fromEntries(inputs.map((x, i) => [`${i}`, x])))
  return Object.values(outputs).map(({ shape, data }) => ({ shape, data: Array.from(data) }))
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

/** Op, inputs, attributes, expected elements of each output. */
const table: readonly [OpName, HostTensor[], object, ...number[][]][] = [
  ['constant', [], { value: vector(1, 2) }, [1, 2]],
  ['iota', [], { size: 3 }, [0, 1, 2]],
  ['iota', [], { size: 0 }, []],
  ['neg', [vector(1, 0, -0, inf, nan)], {}, [-1, -0, 0, -inf, nan]],
  ['exp', [vector(0, 1, -inf, inf, 1000)], {}, [1, Math.E, 0, inf, inf]],
  ['log', [vector(1, 0, -1, inf)], {}, [0, -inf, nan, inf]],
  ['sqrt', [vector(4, -0, -1)], {}, [2, -0, nan]],
  ['rsqrt', [vector(4, 0)], {}, [0.5, inf]],
  ['tanh', [vector(0, -inf, inf)], {}, [0, -1, 1]],
  ['sigmoid', [vector(0, -inf, inf, -1000)], {}, [0.5, 0, 1, 0]],
  ['erf', [vector(0, -inf, inf, nan)], {}, [0, -1, 1, nan]],
  ['sin', [vector(0, inf)], {}, [0, nan]],
  ['cos', [vector(0, inf)], {}, [1, nan]],
  ['add', [vector(1, inf), vector(2, -inf)], {}, [3, nan]],
  ['add', [i32([2], [2 ** 31 - 1, 5]), i32([1], [1])], {}, [-(2 ** 31), 6]],
  ['sub', [f32([2, 1], [1, 2]), f32([3], [1, 2, 3])], {}, [0, -1, -2, 1, 0, -1]],
  ['sub', [i32([1], [-(2 ** 31)]), i32([1], [1])], {}, [2 ** 31 - 1]],
  ['mul', [vector(2, 0), vector(-3, inf)], {}, [-6, nan]],
  ['mul', [i32([1], [65537]), i32([1], [65537])], {}, [131073]],
  ['div', [vector(1, -1, 0), vector(4, 0, 0)], {}, [0.25, -inf, nan]],
  ['maximum', [vector(1, nan, 3), vector(2, 2, nan)], {}, [2, nan, nan]],
  ['minimum', [vector(1, nan, 3), vector(2, 2, nan)], {}, [1, nan, nan]],
  ['maximum', [i32([2], [-5, 7]), i32([], [0])], {}, [0, 7]],
  ['equal', [vector(1, nan, 0), vector(1, nan, -0)], {}, [1, 0, 1]],
  ['less', [vector(1, 2, nan), vector(2, 2, 1)], {}, [1, 0, 0]],
  ['lessEqual', [vector(1, 2, nan), vector(2, 2, 1)], {}, [1, 1, 0]],
  ['and', [bool([4], [0, 0, 1, 1]), bool([4], [0, 1, 0, 1])], {}, [0, 0, 0, 1]],
  ['or', [bool([4], [0, 0, 1, 1]), bool([4], [0, 1, 0, 1])], {}, [0, 1, 1, 1]],
  ['not', [bool([2], [0, 1])], {}, [1, 0]],
  ['select', [bool([2, 1], [1, 0]), vector(1, 2), vector(nan, 4)], {}, [1, 2, nan, 4]],
  ['cast', [vector(-1.7, 1.7, 0.2)], { dtype: 'int32' }, [-1, 1, 0]],
  ['cast', [vector(0, -0, 0.1, nan)], { dtype: 'bool' }, [0, 0, 1, 1]],
  ['cast', [i32([2], [-3, 4])], { dtype: 'float32' }, [-3, 4]],
  ['reshape', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { shape: [3, 2] }, [1, 2, 3, 4, 5, 6]],
  ['transpose', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { permutation: [1, 0] }, [1, 4, 2, 5, 3, 6]],
  ['broadcastTo', [f32([2, 1], [1, 2])], { shape: [2, 2, 2] }, [1, 1, 2, 2, 1, 1, 2, 2]],
  ['slice', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { starts: [1, 1], sizes: [1, 2] }, [5, 6]],
  ['pad', [f32([1, 2], [1, 2])], { low: [1, 0], high: [0, 1] }, [0, 0, 0, 1, 2, 0]],
  ['concat', [f32([2, 1], [1, 2]), f32([2, 2], [3, 4, 5, 6])], { axis: 1 }, [1, 3, 4, 2, 5, 6]],
  ['split', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { axis: 1, sizes: [1, 2] }, [1, 4], [2, 3, 5, 6]],
  ['sum', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { axes: [0], keepDims: false }, [5, 7, 9]],
  ['sum', [f32([2, 0], [])], { axes: [1], keepDims: false }, [0, 0]],
  ['mean', [f32([2, 3], [1, 2, 3, 4, 5, 6])], { axes: [1], keepDims: true }, [2, 5]],
  ['max', [f32([2, 2], [1, nan, -inf, -5])], { axes: [1], keepDims: true }, [nan, -5]],
  ['argmax', [f32([3, 3], [1, 3, 3, nan, inf, nan, -inf, -inf, -1])], { axis: 1 }, [1, 0, 2]],
  [
    'matmul',
    [f32([2, 2], [1, 2, 3, 4]), f32([2, 1], [5, 6])],
    { transposeA: false, transposeB: false },
    [17, 39],
  ],
  [
    'matmul',
    [f32([2, 3], [1, 2, 3, 4, 5, 6]), f32([2, 2], [1, 0, 0, 1])],
    { transposeA: true, transposeB: true },
    [1, 4, 2, 5, 3, 6],
  ],
  [
    'matmul',
    [f32([2, 1, 1, 2], [1, 2, 3, 4]), f32([2, 2, 1], [1, 1, 1, -1])],
    { transposeA: false, transposeB: false },
    [3, -1, 7, -1],
  ],
  ['softmax', [f32([2, 2], [0, 1000, 0, 1000])], { axis: 0 }, [0.5, 0.5, 0.5, 0.5]],
  ['softmaxGradient', [vector(0.25, 0.75), vector(2, 6)], { axis: 0 }, [-0.75, 0.75]],
  ['logSoftmax', [vector(0, 0)], { axis: 0 }, [-Math.LN2, -Math.LN2]],
  [
    'layerNorm',
    [f32([1, 2], [1, 3]), vector(2, 2), vector(0, 1)],
    { epsilon: 0 },
    [-2, 3],
    [2],
    [1],
  ],
  // mean(g) = 4, mean(y · g) = 6
  ['standardizeGradient', [vector(-2, 2), vector(0.5), vector(1, 7)], {}, [4.5, -4.5]],
  ['gelu', [vector(0, 1)], { approximate: 'none' }, [0, 0.8413447460685429]],
  ['gelu', [vector(0, 1)], { approximate: 'tanh' }, [0, 0.8411919906082768]],
  ['quickGelu', [vector(0, 1)], {}, [0, 1 / (1 + Math.exp(-1.702))]],
  ['quickGeluGradient', [vector(0), vector(3)], {}, [1.5]],
  ['linear', [f32([1, 2], [1, 2]), f32([2, 2], [1, 0, 1, 1]), vector(10, 20)], {}, [11, 23]],
  [
    'adamw',
    [vector(1), vector(2), vector(0), vector(0), ...[0.5, 0.5, 0.25].map((x) => f32([], [x]))],
    { beta1: 0.5, beta2: 0.75, epsilon: 0, weightDecay: 0.5 },
    // m = 1, v = 1; decayed 1 - 0.25, step 0.5 · (1 / 0.5) / √(1 / 0.25)
    [0.75 - 0.5],
    [1],
    [1],
  ],
]

describe('kernels', () => {
  it.each(table)('%s %j %j', (name, inputs, attrs, ...expected) => {
    const outputs = run(inputs, (symbols, tracer) => tracer.emit(name, symbols, attrs as never))
    expect(outputs).toHaveLength(expected.length)
    outputs.forEach(({ data }, i) => {
      expect(data).toHaveLength(expected[i]!.length)
      data.forEach((x, j) => {
        const y = expected[i]![j]!
        // toBe tells -0 from 0.
        if (Number.isFinite(y) && y !== 0) expect(x, `element ${j}`).toBeCloseTo(y, 14)
        else expect(x, `element ${j}`).toBe(y)
      })
    })
  })

  it('has a hand-computed value for every op', () => {
    const tested = new Set<string>([...table.map(([name]) => name), 'randomUniform', 'bernoulli'])
    expect(opNames.filter((name) => !tested.has(name))).toEqual([])
    expect(Object.keys(kernels).sort()).toEqual([...opNames].sort())
  })
})

it('erf is that of double precision', () => {
  // Values of erf to 16 digits: Abramowitz & Stegun table 7.1, continued with arbitrary precision.
  const known = [
    [1e-10, 1.1283791670955126e-10],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.9, 0.9927904292352575],
    [2.1, 0.997020533343667],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
  ] as const
  for (const [x, y] of known) {
    expect(Math.abs(erf(x) / y - 1), `erf ${x}`).toBeLessThan(5e-16)
    expect(erf(-x)).toBe(-erf(x))
  }
})

describe('randomUniform', () => {
  it('gives the known answers of Threefry-2x32-20', () => {
    // First words of the known-answer tests of the authors' Random123 library.
    expect(threefry(0, 0, 0, 0)).toBe(0x6b200159)
    expect(threefry(-1, -1, -1, -1)).toBe(0x1cb996fc)
    expect(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toBe(0xc4923a9c)
  })

  it('depends on seed, step, stream and index, and on nothing else', () => {
    const draw = (seed: number, step: number, stream: number, shape: number[]) =>
      run([i32([2], [seed, step])], ([key]) => op.randomUniform(key!, shape, stream))[0]!.data
    const first = draw(1, 2, 3, [2, 3])
    expect(draw(1, 2, 3, [6])).toEqual(first)
    expect(first[5]).toBe(uniform(1, 2, 3, 5))
    for (const other of [draw(2, 2, 3, [6]), draw(1, 3, 3, [6]), draw(1, 2, 4, [6])])
      expect(other.filter((x, i) => x === first[i])).toEqual([])
  })
})

describe('evaluate', () => {
  const graph = trace('double', { x: spec([2]) }, ({ x }) => ({ y: op.add(x, x) }))

  it('keeps float64 inputs as they are', () => {
    const x = { dtype: 'float32', shape: [2], data: Float64Array.of(1 + 2 ** -50, 0) } as const
    expect(evaluate(graph, { x }).y!.data[0]).toBe(2 + 2 ** -49)
  })

  it('says which input is wrong', () => {
    expect(() => evaluate(graph, {})).toThrow('input x is f32[2], and was not given')
    expect(() => evaluate(graph, { x: f32([1], [0]) })).toThrow('f32[1] was given')
  })
})

describe('golden operators', () => {
  for (const golden of goldenCases<OperatorEntry>('operator'))
    it(golden.entry.name, () => {
      const [out] = run(golden.list('in'), goldenOperator(golden.entry))
      // PyTorch computed these in float32.
      expect(relativeError(out!.data, golden.tensor('out').data)).toBeLessThan(2e-6)
      expect(out!.shape).toEqual(golden.tensor('out').shape)
    })
})
