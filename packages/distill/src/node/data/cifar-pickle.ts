// Reads the one shape of pickle that the Python version of CIFAR has: a dictionary of strings, lists of numbers or strings, and an array
// of bytes. Nothing in the file is executed: of the names it may call, only those of a NumPy array are known, and none is called.

/** Returns a pickle's dictionary; arrays of bytes are Uint8Arrays. @throws Error at whatever does not belong in such a file. */
export function readCifarPickle(bytes: Uint8Array): Map<string, unknown> {
  const root = new Machine(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).run()
  if (!(root instanceof Map)) throw new Error('it is a pickle, but not of a dictionary')
  return root as Map<string, unknown>
}

/** Names that an array of bytes needs: its module and name, in the spellings of NumPy 1 and 2. */
const knownNames = new Set([
  'numpy.core.multiarray _reconstruct',
  'numpy._core.multiarray _reconstruct',
  'numpy ndarray',
  'numpy dtype',
  '_codecs encode',
  'numpy._core.numeric _frombuffer',
  'numpy.core.numeric _frombuffer',
  'builtins bytearray',
])

class Name {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What a call in the pickle would make: a NumPy array or type, filled in later. */
class Made {
  readonly name: string
  readonly values: readonly unknown[]
  bytes: Uint8Array | undefined
  constructor(name: string, values: readonly unknown[]) {
    this.name = name
    this.values = values
  }
}

const MARK = Symbol('mark')

/** The stack machine that a pickle is a program of, as far as CIFAR's files use it. */
class Machine {
  readonly #bytes: Buffer
  #at = 0
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  run(): unknown {
    for (;;) {
      const code = String.fromCharCode(this.#take(1)[0]!)
      if (code === '.') return this.#pop()
      const operation = this.#operations[code]
      if (!operation)
        throw new Error(
          `it has an operation that CIFAR's pickles do not have (0x${code.charCodeAt(0).toString(16)})`,
        )
      operation()
    }
  }

  #take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new Error('it is truncated')
    return this.#bytes.subarray(this.#at, (this.#at += count))
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw new Error('it is truncated')
    const line = this.#take(end - this.#at).toString('latin1')
    this.#take(1)
    return line
  }

  #push = (value: unknown): void => void this.#stack.push(value)

  #pop(): unknown {
    if (this.#stack.length === 0) throw new Error('it is damaged')
    return this.#stack.pop()
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK)
    if (mark < 0) throw new Error('it is damaged')
    const values = this.#stack.splice(mark)
    return values.slice(1)
  }

  #popSome(count: number): unknown[] {
    if (this.#stack.length < count) throw new Error('it is damaged')
    return this.#stack.splice(this.#stack.length - count)
  }

  #text = (length: number) => this.#push(this.#take(length).toString('utf8'))
  #binary = (length: number) => this.#push(new Uint8Array(this.#take(length)))
  #get = (slot: number) => this.#push(this.#memo.get(slot))
  #put = (slot: number) => void this.#memo.set(slot, this.#stack.at(-1))

  #call(): void {
    const [callee, values] = this.#popSome(2)
    if (!(callee instanceof Name) || !Array.isArray(values)) throw new Error('it is damaged')
    if (callee.text === '_codecs encode') this.#push(Buffer.from(asText(values[0]), 'latin1'))
    else if (callee.text.endsWith(' _frombuffer')) {
      const made = new Made(callee.text, values)
      const [bytes, type, shape, order] = values
      checkArray(shape, type, order === 'F')
      made.bytes = bytes as Uint8Array
      this.#push(made)
    } else if (callee.text === 'builtins bytearray') this.#push(values[0])
    else this.#push(new Made(callee.text, values))
  }

  #build(): void {
    const [made, state] = this.#popSome(2)
    // The state of an array: version, shape, type, order, bytes. The state of a type does not matter.
    const content = Array.isArray(state) ? state[4] : undefined
    if (made instanceof Made && made.name.endsWith(' _reconstruct') && Array.isArray(state)) {
      checkArray(state[1], state[2], Boolean(state[3]))
      made.bytes =
        typeof content === 'string' ? Buffer.from(content, 'latin1') : (content as Uint8Array)
    }
    this.#push(made)
  }

  #setItems(items: readonly unknown[]): void {
    const target = this.#stack.at(-1)
    if (!(target instanceof Map)) throw new Error('it is damaged')
    for (let i = 0; i + 1 < items.length; i += 2) {
      const value = items[i + 1]
      target.set(asText(items[i]), value instanceof Made ? value.bytes : value)
    }
  }

  #append(items: readonly unknown[]): void {
    const target = this.#stack.at(-1)
    if (!Array.isArray(target)) throw new Error('it is damaged')
    for (const item of items) target.push(item)
  }

  #name(module: string, name: string): void {
    const text = `${module} ${name}`
    if (!knownNames.has(text))
      throw new Error(
        `it calls ${module}.${name}, which CIFAR's pickles do not; nothing was executed`,
      )
    this.#push(new Name(text))
  }

  readonly #operations: Readonly<Record<string, () => void>> = {
    '\x80': () => void this.#take(1),
    '\x95': () => void this.#take(8),
    '(': () => this.#push(MARK),
    '}': () => this.#push(new Map()),
    ']': () => this.#push([]),
    ')': () => this.#push([]),
    l: () => this.#push(this.#popToMark()),
    d: () => {
      const items = this.#popToMark()
      this.#push(new Map())
      this.#setItems(items)
    },
    t: () => this.#push(this.#popToMark()),
    '\x85': () => this.#push(this.#popSome(1)),
    '\x86': () => this.#push(this.#popSome(2)),
    '\x87': () => this.#push(this.#popSome(3)),
    N: () => this.#push(null),
    '\x88': () => this.#push(true),
    '\x89': () => this.#push(false),
    K: () => this.#push(this.#take(1)[0]),
    M: () => this.#push(this.#take(2).readUInt16LE()),
    J: () => this.#push(this.#take(4).readInt32LE()),
    I: () => this.#push(Number(this.#line())),
    U: () => this.#binary(this.#take(1)[0]!),
    T: () => this.#binary(this.#take(4).readUInt32LE()),
    C: () => this.#binary(this.#take(1)[0]!),
    B: () => this.#binary(this.#take(4).readUInt32LE()),
    '\x8e': () => this.#binary(Number(this.#take(8).readBigUInt64LE())),
    '\x96': () => this.#binary(Number(this.#take(8).readBigUInt64LE())),
    '\x8c': () => this.#text(this.#take(1)[0]!),
    X: () => this.#text(this.#take(4).readUInt32LE()),
    c: () => this.#name(this.#line(), this.#line()),
    '\x93': () => {
      const [module, name] = this.#popSome(2)
      this.#name(asText(module), asText(name))
    },
    '\x94': () => this.#put(this.#memo.size),
    q: () => this.#put(this.#take(1)[0]!),
    r: () => this.#put(this.#take(4).readUInt32LE()),
    h: () => this.#get(this.#take(1)[0]!),
    j: () => this.#get(this.#take(4).readUInt32LE()),
    a: () => this.#append(this.#popSome(1)),
    e: () => this.#append(this.#popToMark()),
    s: () => this.#setItems(this.#popSome(2)),
    u: () => this.#setItems(this.#popToMark()),
    R: () => this.#call(),
    b: () => this.#build(),
  }
}

/** Checks that an array holds images as CIFAR does: a row of bytes each, or planes. @throws Error */
function checkArray(shape: unknown, type: unknown, isFortran: boolean): void {
  const axes = Array.isArray(shape) ? shape : []
  const isRows = axes.length === 2 || (axes.length === 4 && axes[1] === 3)
  const isBytes = type instanceof Made && /^\|?u1$/.test(asText(type.values[0]))
  if (!isRows || !isBytes || isFortran)
    throw new Error(
      `its array of shape [${axes.join(', ')}]${isFortran ? ' in Fortran order' : ''} is not bytes of [images, 3072] or [images, 3, 32, 32]`,
    )
}

/** Strings of Python 2 are bytes. */
function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  throw new Error('it is damaged')
}

/** Returns a list of strings, or undefined if the value is none. */
export const asNames = (value: unknown): string[] | undefined =>
  Array.isArray(value) ? value.map(asText) : undefined
