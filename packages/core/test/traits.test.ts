// Op traits are promises that passes rely on. Those that can be checked against contracts or the reference are checked here.
import { describe, expect, it } from 'vitest'
import {
  evaluate,
  hasTrait,
  hostTensor,
  inferTypes,
  isComposite,
  op,
  opNames,
  ops,
  opsWith,
  spec,
  trace,
  type DType,
  type OpName,
  type Shape,
  type Tensor,
} from '../src/index.js'

const elementwise = opsWith('elementwise')
const shape = [2, 3]

/** Operand types of an elementwise op, the first of them of `shape`. */
function operands(name: OpName, of: Shape = shape): { dtype: DType; shape: Shape }[] {
  const arity = ops[name].arity as number
  return Array.from({ length: arity }, (_, i) => {
    const dtype = name === 'select' && i > 0 ? 'float32' : acceptedBy(name)
    return { dtype, shape: i === 0 ? of : [] }
  })
}
const acceptedBy = (name: OpName): DType =>
  ['and', 'or', 'not', 'select'].includes(name) ? 'bool' : 'float32'
const attrsOf = (name: OpName) => (name === 'cast' ? { dtype: 'int32' } : {}) as never

describe.each(elementwise)('%s, elementwise', (name) => {
  it('has the shape of its broadcast operands', () => {
    const [type] = inferTypes(name, operands(name), attrsOf(name))
    expect(type!.shape).toEqual(shape)
  })

  it('gives each element what it gives for that element alone', () => {
    const types = operands(name)
    const values = types.map(({ dtype, shape: of }, i) =>
      hostTensor(
        dtype,
        of,
        Array.from({ length: of.length === 0 ? 1 : 6 }, (_, k) =>
          dtype === 'bool' ? (k + i) % 2 : 0.3 + k + i,
        ),
      ),
    )
    const run = (of: Shape, inputs: typeof values) => {
      const specs = Object.fromEntries(
        operands(name, of).map((type, i) => [`x${i}`, spec(type.shape, type)]),
      )
      const graph = trace(name, specs, (symbols) => {
        const tensors = Object.values<Tensor>(symbols)
        return { y: tensors[0]!.tracer.emit(name, tensors, attrsOf(name))[0]! }
      })
      return evaluate(graph, Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])))['y']!.data
    }
    const whole = run(shape, values)
    for (let k = 0; k < 6; k++) {
      const [first, ...rest] = values
      const one = hostTensor(first!.dtype, [], [first!.data[k]!])
      expect(run([], [one, ...rest])[0]).toBe(whole[k])
    }
  })
})

describe('traits', () => {
  it('are elementwise for primitives only, and views alias', () => {
    for (const name of elementwise) expect(isComposite(name)).toBe(false)
    for (const name of opsWith('view')) expect(hasTrait(name, 'aliasing')).toBe(true)
  })

  it('name as sources exactly the ops without tensor operands', () => {
    expect(opsWith('source')).toEqual(opNames.filter((name) => ops[name].arity === 0))
  })

  it('give matrix products to what multiplies and adds', () => {
    const product = trace('p', { a: spec([2, 3]), b: spec([3, 4]) }, ({ a, b }) => ({
      y: op.matmul(a, b),
    }))
    expect(product.nodes.every((node) => hasTrait(node.op, 'product'))).toBe(true)
    expect(opsWith('product')).toEqual(['matmul', 'linear'])
  })
})
