// Sessions, in which procedure cases run: a session keeps track of buffers and executables, and frees them at the end.
import type { Backend, DeviceBuffer, Executable } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import { formatType, sameType, type HostTensor } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { backendContract, type BackendRule } from '../contract.js'

type Buffers = Record<string, DeviceBuffer>

/** Returns the error of a broken rule. `what` says how the rule was broken. */
const broken = (rule: BackendRule, what: string) =>
  new Error(`${rule} (${backendContract[rule]}): ${what}`)

export class Session {
  readonly backend: Backend
  readonly #rule: BackendRule
  readonly #buffers: DeviceBuffer[] = []
  readonly #executables: Executable[] = []

  constructor(backend: Backend, rule: BackendRule) {
    this.backend = backend
    this.#rule = rule
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    const buffer = await this.backend.upload(tensor)
    this.#buffers.push(buffer)
    return buffer
  }

  async compile(graph: Graph): Promise<Executable> {
    const executable = await this.backend.compile(graph)
    this.#executables.push(executable)
    return executable
  }

  async run(executable: Executable, inputs: Buffers): Promise<Buffers> {
    const outputs = await executable.run(inputs)
    this.#buffers.push(...Object.values(outputs))
    return outputs
  }

  /** @throws Error unless the condition holds. */
  check(condition: boolean, what: string): void {
    if (!condition) throw broken(this.#rule, what)
  }

  /** @throws Error unless the action throws. */
  async refuses(what: string, action: () => Promise<unknown>): Promise<void> {
    const accepted = await action().then(
      () => true,
      () => false,
    )
    this.check(!accepted, `${what} was accepted`)
  }

  /** @throws Error unless a buffer holds exactly these bits. Any NaN equals any other. */
  async holds(what: string, buffer: DeviceBuffer, expected: HostTensor): Promise<void> {
    const got = await this.backend.read(buffer)
    this.same(what, got, expected)
  }

  /** @throws Error unless two host tensors are equal to the bit. */
  same(what: string, got: HostTensor, expected: HostTensor): void {
    this.check(
      sameType(got, expected),
      `${what} is ${formatType(got)}, expected ${formatType(expected)}`,
    )
    const { data } = expected
    this.check(got.data.length === data.length, `${what} has ${got.data.length} elements`)
    data.forEach((value, i) =>
      this.check(
        Object.is(got.data[i], value),
        `${what}: element ${i} is ${got.data[i]}, expected ${value}`,
      ),
    )
  }

  async close(): Promise<void> {
    for (const buffer of this.#buffers) buffer.dispose()
    for (const executable of this.#executables) await executable.dispose()
  }
}

/** Returns a case that runs in a session of its own. */
export const procedure = (
  name: string,
  rule: BackendRule,
  body: (session: Session) => Promise<void>,
): ProcedureCase => ({
  kind: 'procedure',
  name,
  contract: rule,
  run: async (backend) => {
    const session = new Session(backend, rule)
    try {
      await body(session)
    } finally {
      await session.close()
    }
  },
})
