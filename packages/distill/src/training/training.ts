// A model in training on a backend: its state stays on the device, batches go up, metrics come down when asked for.
// It does not know what is trained or why; feed.ts makes its batches.
import {
  batchInputs,
  initialState,
  stepGraphs,
  UserError,
  hostScalar,
  hostTensor,
  inDtype,
  type Backend,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
  type StepPart,
  type TrainConfig,
} from '@embed-kd/core'

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

/** Effect of mixed precision on a training so far. */
export interface LossScale {
  /** Factor that the loss is multiplied by, after the last step. */
  readonly last: number
  /** Number of steps that changed nothing, because a gradient was not finite. */
  readonly skippedSteps: number
}

export const upload = async (
  backend: Backend,
  tensors: Iterable<readonly [string, HostTensor]>,
) => {
  const buffers: Buffers = {}
  for (const [name, tensor] of tensors) buffers[name] = await backend.upload(tensor)
  return buffers
}

export const disposeAll = (buffers: Buffers): void => {
  for (const buffer of Object.values(buffers)) buffer.dispose()
}

interface CompiledPart extends StepPart {
  readonly executable: Executable
}

export class Training {
  /** What a step runs. */
  readonly parts: readonly CompiledPart[]
  readonly #backend: Backend
  readonly #held: Buffers
  readonly #scalesLoss: boolean
  /** `state.*`, and the `sum.*` of micro-batches, which are zeros between steps. */
  #carried: Buffers = {}
  #metrics: Buffers = {}
  #steps = 0

  private constructor(
    backend: Backend,
    parts: readonly CompiledPart[],
    held: Buffers,
    scalesLoss: boolean,
  ) {
    this.#backend = backend
    this.parts = parts
    this.#held = held
    this.#scalesLoss = scalesLoss
  }

  /**
   * Compiles the step and uploads what it keeps.
   * @param teacher inputs `teacher.*`, taken one by one; those the graph does not take are left out.
   */
  static async create(
    backend: Backend,
    config: TrainConfig,
    parameters: Tensors,
    teacher: Iterable<readonly [string, HostTensor]>,
    seed: number,
  ): Promise<Training> {
    const parts: CompiledPart[] = []
    for (const { graph, times } of stepGraphs(config))
      parts.push({ graph, times, executable: await backend.compile(graph) })
    const wanted = new Map(
      parts.flatMap(({ graph }) =>
        graph.inputs.map(({ name, value }) => [name, graph.types[value]!.dtype]),
      ),
    )
    const held: Buffers = {}
    for (const [name, tensor] of teacher) {
      const dtype = wanted.get(name)
      if (dtype) held[name] = await backend.upload(inDtype(tensor, dtype))
    }
    if (wanted.has('seed')) held['seed'] = await backend.upload(hostScalar(seed, 'int32'))
    const training = new Training(backend, parts, held, wanted.has(LOSS_SCALE))
    await training.reset(parameters)
    return training
  }

  /** Begins anew from these parameters. */
  reset(parameters: Tensors): Promise<void> {
    return this.restore(initialState(parameters, this.#scalesLoss))
  }

  /** Goes on from a state that `readState` gave. */
  async restore(state: Tensors): Promise<void> {
    disposeAll(this.#carried)
    const tensors = new Map(state)
    for (const { graph } of this.parts)
      for (const { name, value } of graph.inputs)
        if (name.startsWith('sum.'))
          tensors.set(name, hostTensor('float32', graph.types[value]!.shape))
    this.#carried = await upload(this.#backend, tensors)
    this.#steps = state.get('state.step')!.data[0]!
  }

  /** All that training carries from step to step, by graph input: what a checkpoint must hold. */
  async readState(): Promise<Map<string, HostTensor>> {
    const state = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.#carried))
      if (name.startsWith('state.')) state.set(name, await this.#backend.read(buffer))
    return state
  }

  /** Steps since the start. */
  get steps(): number {
    return this.#steps
  }

  /** Runs one step. The device may still be busy when it returns. @param batch inputs `batch.*`. */
  async step(batch: Tensors): Promise<void> {
    disposeAll(this.#metrics)
    this.#metrics = {}
    for (const { graph, times, executable } of this.parts)
      for (let index = 0; index < times; index++) {
        const rows = await upload(this.#backend, batchInputs(graph, batch, index))
        const all = { ...this.#carried, ...this.#held, ...rows }
        const inputs = graph.inputs.map(({ name }) => [name, all[name]!])
        const outputs = await executable.run(Object.fromEntries(inputs))
        disposeAll(rows)
        for (const [name, buffer] of Object.entries(outputs))
          (name in this.#carried ? this.#carried : this.#metrics)[name] = buffer
      }
    this.#steps++
  }

  /**
   * What the last step reported; waits for the device. The loss of a step that mixed precision did not take may not be finite.
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
    const scale = await read('loss_scale')
    const skipped = (await read('skipped')) === 1
    if (!Number.isFinite(loss) && !skipped) throw new NonFiniteLossError(loss!, this.#steps)
    if (skipped && scale! < 1) throw new NonFiniteGradientsError(scale!, this.#steps)
    return {
      loss: loss!,
      classLoss: classLoss!,
      correct: correct!,
      ...(kdLoss === undefined ? {} : { kdLoss }),
    }
  }

  /** Of all steps since the start; undefined in float32. Waits for the device. */
  async lossScale(): Promise<LossScale | undefined> {
    if (!this.#scalesLoss) return undefined
    const read = async (name: string) => (await this.#backend.read(this.#carried[name]!)).data[0]!
    return { last: await read(LOSS_SCALE), skippedSteps: await read('state.loss_scale.skipped') }
  }

  /** The parameters as they are now: inputs `state.parameters.*` for evaluation, still owned here. */
  get parameters(): Readonly<Buffers> {
    return Object.fromEntries(
      Object.entries(this.#carried).filter(([name]) => name.startsWith(PARAMETERS)),
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
    for (const buffers of [this.#carried, this.#metrics, this.#held]) disposeAll(buffers)
    for (const { executable } of this.parts) await executable.dispose()
  }
}

const PARAMETERS = 'state.parameters.'
const LOSS_SCALE = 'state.loss_scale.factor'

export const namesOf = (graph: Graph): ReadonlySet<string> =>
  new Set(graph.inputs.map(({ name }) => name))

/** The loss became NaN or infinite: no time or accuracy of such a run means anything. */
export class NonFiniteLossError extends UserError {
  constructor(loss: number, step: number) {
    super(`the loss is ${loss} at step ${step}`, 'lower the learning rate, or check the backend')
  }
}

/**
 * Mixed precision finds no loss scale that its gradients are finite with: a step that overflows halves it, and one below 1 makes
 * them smaller than they are.
 */
export class NonFiniteGradientsError extends UserError {
  constructor(scale: number, step: number) {
    super(
      `the gradients of step ${step} are not finite, even with the loss scaled by ${scale}`,
      'lower the learning rate, or train with --precision float32',
    )
  }
}
