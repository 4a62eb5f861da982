// The repository's protobuf writer: ONNX models and TensorBoard's events are written with it. Fields are appended in order, and
// byte arrays by reference: a model's weights are copied once, by `finish`. (The wire module of @bufbuild/protobuf copies each
// nested message into its parent, so weights are copied once a level.) The numbers of fields are the callers' business.

const utf8 = new TextEncoder()

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

function encodeVarint(value: number): number[] {
  // A negative int64 takes ten bytes of two's complement.
  if (value < 0) {
    let rest = BigInt.asUintN(64, BigInt(value))
    const bytes: number[] = []
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    return [...bytes, Number(rest)]
  }
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

/** One message under construction. Methods append a field and return the message, so that fields read as a list. */
export class Message {
  readonly #chunks: Uint8Array[] = []
  #length = 0

  /** Appends an int32, int64, or enum. */
  int(field: number, value: number): this {
    return this.#append(Uint8Array.from([...this.#tag(field, wire.varint), ...encodeVarint(value)]))
  }

  /** Appends repeated int64, packed. */
  ints(field: number, values: readonly number[]): this {
    return this.bytes(field, Uint8Array.from(values.flatMap(encodeVarint)))
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(new Float32Array([value]).buffer)
    return this.#append(Uint8Array.from([...this.#tag(field, wire.fixed32), ...bytes]))
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(new Float64Array([value]).buffer)
    return this.#append(Uint8Array.from([...this.#tag(field, wire.fixed64), ...bytes]))
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value))
  }

  /** Appends bytes; `value` is not copied before `finish`. */
  bytes(field: number, value: Uint8Array): this {
    return this.#header(field, value.length).#append(value)
  }

  message(field: number, value: Message): this {
    this.#header(field, value.#length)
    for (const chunk of value.#chunks) this.#append(chunk)
    return this
  }

  /** Returns the encoded message. */
  finish(): Uint8Array {
    const out = new Uint8Array(this.#length)
    let offset = 0
    for (const chunk of this.#chunks) {
      out.set(chunk, offset)
      offset += chunk.length
    }
    return out
  }

  #tag(field: number, type: number): number[] {
    return encodeVarint(field * 8 + type)
  }

  #header(field: number, length: number): this {
    return this.#append(Uint8Array.from([...this.#tag(field, wire.bytes), ...encodeVarint(length)]))
  }

  #append(chunk: Uint8Array): this {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    return this
  }
}
