// ONNX Runtime's plan of buffers, as its allocation planner makes it for operators that run one after another: which tensors
// share a buffer, and from which operator to which each buffer lives. Found by experiment with 1.30 and in its sources
// (core/framework/allocation_planner.cc).
import type { ReadModel } from '../onnx/read.js'

/** The type of a value as the runtime knows it in advance. */
export interface KnownType {
  /** Equal for types of equal shape and element size; undefined if the runtime does not know the shape. */
  readonly key: string | undefined
  readonly bytes: number
  readonly isScalar: boolean
}

/** Lifetime of a buffer in indices of nodes, both inclusive. */
export interface Buffer {
  readonly bytes: number
  readonly from: number
  to: number
  /** Name of the graph's output that the buffer holds, if it holds one. */
  readonly output?: string
}

/** Operators whose result is a view of their first operand. */
const VIEWS: ReadonlySet<string> = new Set([
  'Reshape',
  'Identity',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
])

/** Operators that write over their first operand at its last use. Arithmetic is not among them. */
const IN_PLACE: ReadonlySet<string> = new Set([
  'Cast',
  'LogSoftmax',
  'Relu',
  'Sigmoid',
  'Softmax',
  'Tanh',
])

interface Draft extends Buffer {
  /** Uses that are left, of all values in the buffer. */
  uses: number
  readonly key: string | undefined
}

/** Plans the buffers that the runtime allocates; the model's inputs and constants are not among them. */
export function planBuffers(
  { nodes, inputs, outputs, initializers }: ReadModel,
  typeOf: (name: string) => KnownType,
): readonly Buffer[] {
  const uses = new Map<string, number>()
  const use = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1)
  for (const names of [outputs, ...nodes.flatMap((node) => [node.inputs, node.outputs])])
    names.forEach(use)
  const isOutput = new Set(outputs)
  const held = new Set([...inputs, ...initializers.keys()])
  const buffers: Draft[] = []
  const bufferOf = new Map<string, Draft>()
  /** Buffers that nothing uses any more, the latest first. */
  const free: Draft[] = []

  const operandToReuse = (op: string, operand: string | undefined, key: string | undefined) => {
    const buffer = operand === undefined ? undefined : bufferOf.get(operand)
    if (VIEWS.has(op)) return buffer
    const isLastUse = IN_PLACE.has(op) && buffer?.uses === 1
    return isLastUse && key !== undefined && typeOf(operand!).key === key ? buffer : undefined
  }
  const takeFree = ({ key, isScalar }: KnownType) => {
    const found =
      isScalar || key === undefined ? -1 : free.findIndex((buffer) => buffer.key === key)
    return found < 0 ? undefined : free.splice(found, 1)[0]
  }

  nodes.forEach((node, index) => {
    node.outputs.forEach((name, i) => {
      if (name === '') return
      const type = typeOf(name)
      const isView = VIEWS.has(node.op) && held.has(node.inputs[0]!)
      if (isView && !isOutput.has(name)) {
        held.add(name)
        return
      }
      const reused = isOutput.has(name)
        ? undefined
        : ((i === 0 ? operandToReuse(node.op, node.inputs[0], type.key) : undefined) ??
          takeFree(type))
      if (reused) reused.uses += uses.get(name)!
      else
        buffers.push({
          bytes: type.bytes,
          from: index,
          to: index,
          uses: uses.get(name)!,
          key: type.key,
          ...(isOutput.has(name) ? { output: name } : {}),
        })
      bufferOf.set(name, reused ?? buffers.at(-1)!)
    })
    for (const name of [...node.inputs, ...node.outputs]) {
      const buffer = bufferOf.get(name)
      if (!buffer) continue
      buffer.to = index
      if (--buffer.uses === 0) free.unshift(buffer)
    }
  })
  return buffers
}
