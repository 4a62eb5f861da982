// Builds one ONNX ModelProto: nodes, initializers, typed inputs and outputs. It knows ONNX's schema
// (onnx/onnx.proto: field numbers, element types) and nothing of our graph; emitters.ts speaks both languages.
import { sizeOf, toFloat16, type DType, type Shape } from '@embed-kd/core'
import { Message } from './protobuf.js'

/** Element types of initializers; models may use more than graphs do, for indices and random bits. */
export type ElementType = DType | 'int64' | 'uint32'

const elementTypes: Record<ElementType, number> = {
  float32: 1,
  float16: 10,
  int32: 6,
  int64: 7,
  bool: 9,
  uint32: 12,
}

/** Type of an input or output. An axis with a name may have any size; without a shape, any rank is allowed. */
export interface ValueType {
  readonly dtype: ElementType
  readonly shape?: readonly (number | string)[]
}

/** Attributes of a node: integers, lists of integers, strings, and floats marked as such. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string | OnnxFloat>>

/** A float attribute; a bare number is an integer one. */
export class OnnxFloat {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 }

function attribute(name: string, value: Attributes[string]): Message {
  const message = new Message().string(1, name)
  if (value instanceof OnnxFloat) return message.float(2, value.value).int(20, attributeTypes.float)
  if (typeof value === 'number') return message.int(3, value).int(20, attributeTypes.int)
  if (typeof value === 'string') return message.string(4, value).int(20, attributeTypes.string)
  // onnx.proto declares repeated integers of attributes without [packed]; parsers take both forms.
  return message.ints(8, value).int(20, attributeTypes.ints)
}

/** ai.onnx opset 20 is the first with Gelu; IR version 9 goes with it. */
const opset = 20
const irVersion = 9
const microsoft = 'com.microsoft'

export class ModelBuilder {
  readonly #graph = new Message()
  readonly #made = new Map<string, string>()
  readonly #hidesShapes: boolean
  #fresh = 0
  #scope = ''

  /** @param hidesShapes whether `shape` hides the shapes of large results. */
  constructor(name: string, hidesShapes = false) {
    this.#graph.string(2, name)
    this.#hidesShapes = hidesShapes
  }

  /** Nodes added from here on are named after `scope`, as profiles and error messages show them. */
  set scope(scope: string) {
    this.#scope = scope
  }

  input(name: string, type: ValueType): void {
    this.#graph.message(11, valueInfo(name, type))
  }

  output(name: string, type: ValueType): void {
    this.#graph.message(12, valueInfo(name, type))
  }

  /**
   * Adds a node and returns the name of its first output. `op` is an ai.onnx operator, or one of ONNX Runtime's
   * own if it begins with `com.microsoft.`. An empty name leaves out an output (or input).
   */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    outputs: readonly string[] = [this.fresh()],
  ): string {
    const node = new Message()
    for (const input of inputs) node.string(1, input)
    for (const output of outputs) node.string(2, output)
    const own = op.startsWith(`${microsoft}.`)
    const type = own ? op.slice(microsoft.length + 1) : op
    node.string(3, `${this.#scope}/${type}/${this.#fresh++}`).string(4, type)
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value))
    if (own) node.string(7, microsoft)
    this.#graph.message(1, node)
    return outputs[0]!
  }

  /** Adds the operator Cast. */
  cast(input: string, to: ElementType, outputs?: readonly string[]): string {
    return this.add('Cast', [input], { to: elementTypes[to] }, outputs)
  }

  /** Returns the name that `make` returned for the same key; calls it only the first time. */
  once(key: string, make: () => string): string {
    const known = this.#made.get(key)
    if (known) return known
    const name = make()
    this.#made.set(key, name)
    return name
  }

  /** Returns a name that no value has. */
  fresh(): string {
    return `t${this.#fresh++}`
  }

  /** Adds a constant tensor and returns its name; `data` is not copied before `encode`. */
  tensor(type: ElementType, shape: Shape, data: ArrayBufferView): string {
    const name = this.fresh()
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const message = new Message().ints(1, shape).int(2, elementTypes[type]).string(8, name)
    this.#graph.message(5, message.bytes(9, raw))
    return name
  }

  /** Adds a small constant, once for equal contents, and returns its name. */
  small(type: ElementType, shape: Shape, values: readonly number[]): string {
    const key = `${type} ${shape.join()} ${values.map((x) => (Object.is(x, -0) ? '-0' : x)).join()}`
    return this.once(key, () => this.tensor(type, shape, arrayOf[type](values)))
  }

  scalar(type: ElementType, value: number): string {
    return this.small(type, [], [value])
  }

  /** Adds an int64 vector, as axes and starts are given. */
  indices(values: readonly number[]): string {
    return this.small('int64', [values.length], values)
  }

  /**
   * Adds the shape of a result. The shape of a large result may be hidden: ONNX Runtime keeps each tensor of known shape after its
   * last use, for a later tensor of the same shape, and the kept tensors add up to half of a training step's peak. A hidden shape is
   * the default value of an input, which the runtime cannot rely on in advance, so that it frees the tensor instead.
   */
  shape(values: Shape): string {
    if (!this.#hidesShapes || sizeOf(values) < LARGE) return this.indices(values)
    return this.once(`shape ${values.join()}`, () => {
      const name = this.tensor('int64', [values.length], arrayOf.int64(values))
      this.#graph.message(11, valueInfo(name, { dtype: 'int64', shape: [values.length] }))
      return name
    })
  }

  encode(): Uint8Array {
    const opsets = [
      ['', opset],
      [microsoft, 1],
    ] as const
    const model = new Message().int(1, irVersion).string(2, 'embed-kd').message(7, this.#graph)
    for (const [domain, version] of opsets)
      model.message(8, new Message().string(1, domain).int(2, version))
    return model.finish()
  }
}

/** Number of elements of a large result. */
const LARGE = 2 ** 14

const arrayOf: Record<ElementType, (values: readonly number[]) => ArrayBufferView> = {
  float32: (values) => Float32Array.from(values),
  float16: (values) => Uint16Array.from(values, toFloat16),
  int32: (values) => Int32Array.from(values),
  uint32: (values) => Uint32Array.from(values),
  int64: (values) => BigInt64Array.from(values, BigInt),
  bool: (values) => Uint8Array.from(values),
}

function valueInfo(name: string, { dtype, shape }: ValueType): Message {
  const tensor = new Message().int(1, elementTypes[dtype])
  if (shape) {
    const dims = new Message()
    for (const size of shape)
      dims.message(
        1,
        typeof size === 'string' ? new Message().string(2, size) : new Message().int(1, size),
      )
    tensor.message(2, dims)
  }
  return new Message().string(1, name).message(2, new Message().message(1, tensor))
}
