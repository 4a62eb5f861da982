// A model in training on a backend: its state stays on the device, batches go up, metrics come down when asked for.
// It does not know what is trained or why; feed.ts makes its batches.
import {
  initialState,
  trainGraph,
  hostScalar,
  type Backend,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
  type TrainConfig,
} from '@embed-kd/core'

import { UserError } from '../errors.js'

type Buffers = Record<string, DeviceBuffer>
type Tensors = ReadonlyMap<string, HostTensor>

export interface StepMetrics {
  readonly loss: number
  readonly classLoss: number
  /** Absent for supervised. */
  readonly kdLoss?: number
  /** Images of the batch that were classified right. */
  readonly correct: number
}

export const upload = async (backend: Backend, tensors: Iterable<[string, HostTensor]>) => {
  const buffers: Buffers = {}
  for (const [name, tensor] of tensors) buffers[name] = await backend.upload(tensor)
  return buffers
}

export const disposeAll = (buffers: Buffers): void => {
  for (const buffer of Object.values(buffers)) buffer.dispose()
}

export class Training {
  readonly executable: Executable
  readonly #backend: Backend
  readonly #held: Buffers
  #state: Buffers = {}
  #metrics: Buffers = {}
  #steps = 0

  private constructor(backend: Backend, executable: Executable, held: Buffers) {
    this.#backend = backend
    this.executable = executable
    this.#held = held
  }

  /**
   * Compiles the step and uploads what it keeps.
   * @param teacher inputs `teacher.*`; those the graph does not take are left out.
   */
  static async create(
    backend: Backend,
    config: TrainConfig,
    parameters: Tensors,
    teacher: Tensors,
    seed: number,
  ): Promise<Training> {
    const graph = trainGraph(config)
    const wanted = namesOf(graph)
    const constants = new Map(teacher)
    constants.set('seed', hostScalar(seed, 'int32'))
    const held = await upload(
      backend,
      [...constants].filter(([name]) => wanted.has(name)),
    )
    const training = new Training(backend, await backend.compile(graph), held)
    await training.reset(parameters)
    return training
  }

  /** Begins anew from these parameters. */
  reset(parameters: Tensors): Promise<void> {
    return this.restore(initialState(parameters))
  }

  /** Goes on from a state that `readState` gave. */
  async restore(state: Tensors): Promise<void> {
    disposeAll(this.#state)
    this.#state = await upload(this.#backend, state)
    this.#steps = state.get('state.step')!.data[0]!
  }

  /** All that training carries from step to step, by graph input: what a checkpoint must hold. */
  async readState(): Promise<Map<string, HostTensor>> {
    const state = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.#state))
      state.set(name, await this.#backend.read(buffer))
    return state
  }

  /** Steps since the start. */
  get steps(): number {
    return this.#steps
  }

  /** Runs one step. The device may still be busy when it returns. @param batch inputs `batch.*`. */
  async step(batch: Tensors): Promise<void> {
    const buffers = await upload(this.#backend, batch)
    const outputs = await this.executable.run({ ...this.#state, ...this.#held, ...buffers })
    disposeAll(buffers)
    disposeAll(this.#metrics)
    this.#state = {}
    this.#metrics = {}
    for (const [name, buffer] of Object.entries(outputs))
      (name.startsWith('state.') ? this.#state : this.#metrics)[name] = buffer
    this.#steps++
  }

  /**
   * What the last step reported; waits for the device.
   * @throws NonFiniteLossError
   */
  async metrics(): Promise<StepMetrics> {
    const read = async (name: string) => {
      const buffer = this.#metrics[`metrics.${name}`]
      return buffer && (await this.#backend.read(buffer)).data[0]!
    }
    const [loss, classLoss, kdLoss, correct] = [
      await read('loss'),
      await read('class_loss'),
      await read('kd_loss'),
      await read('correct'),
    ]
    if (!Number.isFinite(loss)) throw new NonFiniteLossError(loss!, this.#steps)
    return {
      loss: loss!,
      classLoss: classLoss!,
      correct: correct!,
      ...(kdLoss === undefined ? {} : { kdLoss }),
    }
  }

  /** The parameters as they are now: inputs `state.parameters.*` for evaluation, still owned here. */
  get parameters(): Readonly<Buffers> {
    return Object.fromEntries(
      Object.entries(this.#state).filter(([name]) => name.startsWith(PARAMETERS)),
    )
  }

  /** The parameters by their own names, on the host. */
  async readParameters(): Promise<Map<string, HostTensor>> {
    const parameters = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.parameters))
      parameters.set(name.slice(PARAMETERS.length), await this.#backend.read(buffer))
    return parameters
  }

  async dispose(): Promise<void> {
    for (const buffers of [this.#state, this.#metrics, this.#held]) disposeAll(buffers)
    await this.executable.dispose()
  }
}

const PARAMETERS = 'state.parameters.'

export const namesOf = (graph: Graph): ReadonlySet<string> =>
  new Set(graph.inputs.map(({ name }) => name))

/** The loss became NaN or infinite: no time or accuracy of such a run means anything. */
export class NonFiniteLossError extends UserError {
  constructor(loss: number, step: number) {
    super(`the loss is ${loss} at step ${step}`, 'lower the learning rate, or check the backend')
  }
}
