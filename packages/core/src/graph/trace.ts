// Tracing: run a function once on symbolic tensors and keep what it did as a graph.
// Nothing is computed here. Equal nodes are made once, and nodes no output needs are left out.
import type { HostTensor, Shape, TensorType } from '../tensor/tensor.js'
import { checkInteger, checkName } from '../check.js'
import { bytesPerElement, formatType, sameType } from '../tensor/tensor.js'
import {
  roles,
  type Graph,
  type GraphInput,
  type Node,
  type Part,
  type Place,
  type Role,
  type ValueId,
} from './graph.js'
import { inferTypes, type AttrsOf, type OpName } from './ops.js'
import { flattenTree, mapTree, type MapLeaves } from './tree.js'

/** A value of a graph under construction. Its ops are the functions of api.ts. */
export class Tensor {
  readonly tracer: Tracer
  readonly id: ValueId
  constructor(tracer: Tracer, id: ValueId) {
    this.tracer = tracer
    this.id = id
  }
  get type(): TensorType {
    return this.tracer.types[this.id]!
  }
  get shape(): Shape {
    return this.type.shape
  }
  get rank(): number {
    return this.type.shape.length
  }
}

/** The type and the part of a graph input. */
export interface InputSpec extends TensorType {
  readonly role: Role
  /** Default false; see GraphInput. */
  readonly donated?: boolean
}

const isSpec = (node: unknown): node is InputSpec =>
  typeof node === 'object' && node !== null && 'role' in node && 'dtype' in node
export const isTensor = (node: unknown): node is Tensor => node instanceof Tensor

/** Sees each node before it is made; returns tensors to use instead, or undefined to let it be made. */
export type Simplifier = (
  tracer: Tracer,
  op: OpName,
  inputs: readonly Tensor[],
  attrs: AttrsOf<OpName>,
) => Tensor[] | undefined

/** Collects the nodes of one graph. */
export class Tracer {
  readonly types: TensorType[] = []
  readonly nodes: Node[] = []
  readonly #inputs: GraphInput[] = []
  readonly #producers = new Map<ValueId, Node>()
  readonly #known = new Map<string, Tensor[]>()
  readonly #constants = new Map<HostTensor, number>()
  readonly #simplify: Simplifier | undefined
  #place: Place = { part: 'other', phase: 'forward' }

  constructor(simplify?: Simplifier) {
    this.#simplify = simplify
  }

  input(name: string, spec: InputSpec): Tensor {
    const { dtype, shape, role, donated = false } = spec
    checkName(`input ${name}: dtype`, dtype, Object.keys(bytesPerElement))
    checkName(`input ${name}: role`, role, roles)
    for (const size of shape) checkInteger(`input ${name}: each size of its shape`, size, 0)
    const tensor = this.#value({ dtype, shape })
    this.#inputs.push({ name, value: tensor.id, role, donated })
    return tensor
  }

  constant(value: HostTensor): Tensor {
    return this.emit('constant', [], { value })[0]!
  }

  iota(size: number): Tensor {
    return this.emit('iota', [], { size })[0]!
  }

  /**
   * Applies an op, or finds the equal node already there.
   * @throws ContractError when the inputs break the op's contract.
   */
  emit<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: AttrsOf<K>): Tensor[] {
    for (const input of inputs)
      if (input.tracer !== this) throw new Error(`${op}: an input belongs to another trace`)
    const simpler = this.#simplify?.(this, op, inputs, attrs)
    if (simpler) return simpler
    const key = `${op} ${inputs.map((x) => x.id).join(' ')} ${this.#keyOf(attrs)}`
    const known = this.#known.get(key)
    if (known) return known
    const types = inferTypes(
      op,
      inputs.map((x) => x.type),
      attrs,
    )
    const outputs = types.map((type) => this.#value(type))
    const node = {
      op,
      inputs: inputs.map((x) => x.id),
      outputs: outputs.map((x) => x.id),
      attrs,
      place: this.#place,
    } as unknown as Node
    this.nodes.push(node)
    for (const output of outputs) this.#producers.set(output.id, node)
    this.#known.set(key, outputs)
    return outputs
  }

  /** The node that made a value; undefined for inputs of the graph. */
  producer(tensor: Tensor): Node | undefined {
    return this.#producers.get(tensor.id)
  }

  tensor(id: ValueId): Tensor {
    return new Tensor(this, id)
  }

  /** Runs `body`, whose nodes belong to a part of the training step. */
  part<T>(part: Part, body: () => T): T {
    return this.at({ part, phase: this.#place.phase }, body)
  }

  /** Runs `body`, whose nodes belong to the transformer block of this index. */
  block<T>(index: number, body: () => T): T {
    const { part, phase } = this.#place
    return this.at({ part, block: index, phase }, body)
  }

  /** Runs `body`, whose nodes belong to a layer; layers nest as `outer/inner`. */
  layer<T>(name: string, body: () => T): T {
    const { layer } = this.#place
    return this.at({ ...this.#place, layer: layer === undefined ? name : `${layer}/${name}` }, body)
  }

  /** Runs `body`, whose nodes are made at `place`. */
  at<T>(place: Place, body: () => T): T {
    const outer = this.#place
    this.#place = place
    try {
      return body()
    } finally {
      this.#place = outer
    }
  }

  /** The graph of all nodes that `outputs` need; every input stays part of its interface. */
  finish(name: string, outputs: ReadonlyMap<string, Tensor>): Graph {
    const needed = new Set<ValueId>([...outputs.values()].map((x) => x.id))
    const nodes = this.nodes
      .toReversed()
      .filter((node) => {
        const live = node.outputs.some((id) => needed.has(id))
        if (live) for (const id of node.inputs) needed.add(id)
        return live
      })
      .toReversed()
    for (const { name: input, donated, value } of this.#inputs) {
      if (!donated) continue
      const successor = outputs.get(input)
      if (!successor || !sameType(successor.type, this.types[value]!))
        throw new Error(
          `graph ${name}: input ${input} is donated, so an output of that name and of type ` +
            `${formatType(this.types[value]!)} must replace it; there is ` +
            (successor ? formatType(successor.type) : 'none'),
        )
    }
    return renumber({
      name,
      types: this.types,
      inputs: this.#inputs,
      nodes,
      outputs: [...outputs].map(([output, { id }]) => ({ name: output, value: id })),
    })
  }

  #value(type: TensorType): Tensor {
    return new Tensor(this, this.types.push({ dtype: type.dtype, shape: [...type.shape] }) - 1)
  }

  #keyOf(attrs: object): string {
    if ('value' in attrs && typeof attrs.value === 'object') {
      const value = attrs.value as HostTensor
      if (value.data.length === 1) {
        const number = Object.is(value.data[0], -0) ? '-0' : String(value.data[0])
        return `${value.dtype} [${value.shape.join()}] ${number}`
      }
      if (!this.#constants.has(value)) this.#constants.set(value, this.#constants.size)
      return `constant ${this.#constants.get(value)}`
    }
    return JSON.stringify(attrs)
  }
}

/** Gives the values of a graph consecutive numbers: inputs first, then by node. */
function renumber(graph: Graph): Graph {
  const order = [
    ...graph.inputs.map((input) => input.value),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]
  const renamed = new Map(order.map((value, index) => [value, index]))
  const rename = (value: ValueId) => renamed.get(value)!
  return {
    name: graph.name,
    types: order.map((value) => graph.types[value]!),
    inputs: graph.inputs.map((input) => ({ ...input, value: rename(input.value) })),
    nodes: graph.nodes.map(
      (node) =>
        ({
          ...node,
          inputs: node.inputs.map(rename),
          outputs: node.outputs.map(rename),
        }) as Node,
    ),
    outputs: graph.outputs.map((output) => ({ ...output, value: rename(output.value) })),
  }
}

/**
 * Traces `body` once on symbolic inputs. Inputs and outputs are trees; their leaves' dotted names become the
 * names of the graph's inputs and outputs. A donated input must come back as the output of the same name.
 *
 * @example trace('axpy', { a: spec([]), x: spec([8]), y: spec([8]) }, ({ a, x, y }) => ({ z: add(mul(a, x), y) }))
 */
export function trace<S extends object>(
  name: string,
  inputs: S,
  body: (inputs: MapLeaves<S, InputSpec, Tensor>, tracer: Tracer) => object,
): Graph {
  const tracer = new Tracer()
  const symbols = mapTree(inputs, isSpec, (spec, path) => tracer.input(path, spec))
  return tracer.finish(name, flattenTree(body(symbols, tracer), isTensor))
}

/** A float32 batch input of `shape`; the rest of InputSpec can be overridden. */
export const spec = (shape: Shape, rest: Partial<InputSpec> = {}): InputSpec => ({
  dtype: 'float32',
  shape,
  role: 'batch',
  ...rest,
})
