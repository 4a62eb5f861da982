// The exponential moving average of a model's parameters, kept on the device beside them and updated after each step.
import {
  op,
  trace,
  type Backend,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
} from '@embed-kd/core'

import { disposeAll, upload } from './training.js'

type Buffers = Record<string, DeviceBuffer>

/** Traces average <- decay · average + (1 - decay) · value for each tensor: inputs `average.*`, donated, and `value.*`. */
function emaGraph(parameters: Readonly<Record<string, DeviceBuffer>>, decay: number): Graph {
  const like = (donated: boolean) =>
    Object.fromEntries(
      Object.entries(parameters).map(([name, { dtype, shape }]) => [
        name,
        { dtype, shape, role: 'parameter' as const, donated },
      ]),
    )
  return trace('ema', { average: like(true), value: like(false) }, ({ average, value }) => ({
    average: Object.fromEntries(
      Object.keys(parameters).map((name) => [
        name,
        op.add(op.mul(average[name]!, decay), op.mul(value[name]!, 1 - decay)),
      ]),
    ),
  }))
}

const prefixed = (prefix: string, buffers: Buffers): Buffers =>
  Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [`${prefix}.${name}`, buffer]))

/** The average of a model's parameters over the steps. */
export class Ema {
  readonly #backend: Backend
  readonly #executable: Executable
  #average: Buffers

  private constructor(backend: Backend, executable: Executable, average: Buffers) {
    this.#backend = backend
    this.#executable = executable
    this.#average = average
  }

  /**
   * Creates an average that begins as `first`.
   * @param parameters device buffers of the parameters that later updates take, by name.
   */
  static async create(
    backend: Backend,
    parameters: Readonly<Buffers>,
    decay: number,
    first: ReadonlyMap<string, HostTensor>,
  ): Promise<Ema> {
    const executable = await backend.compile(emaGraph(parameters, decay))
    return new Ema(backend, executable, await upload(backend, first))
  }

  /** Moves the average towards the current parameters. */
  async update(parameters: Readonly<Buffers>): Promise<void> {
    const inputs = { ...prefixed('average', this.#average), ...prefixed('value', parameters) }
    const outputs = await this.#executable.run(inputs)
    this.#average = Object.fromEntries(
      Object.entries(outputs).map(([name, buffer]) => [name.slice('average.'.length), buffer]),
    )
  }

  /** Goes on from averages that `read` returned. */
  async restore(average: Iterable<readonly [string, HostTensor]>): Promise<void> {
    disposeAll(this.#average)
    this.#average = await upload(this.#backend, average)
  }

  /** The averages, by the names of the parameters. They stay the property of this object. */
  get parameters(): Readonly<Buffers> {
    return this.#average
  }

  /** Reads the averages, by the names of the buffers that `update` takes. */
  async read(): Promise<Map<string, HostTensor>> {
    const tensors = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.#average))
      tensors.set(name, await this.#backend.read(buffer))
    return tensors
  }

  async dispose(): Promise<void> {
    disposeAll(this.#average)
    await this.#executable.dispose()
  }
}
