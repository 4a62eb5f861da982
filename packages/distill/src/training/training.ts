// A training step on a backend. The state stays on the device, batches are uploaded, metrics are read when asked for. Epochs,
// evaluation and the average of the parameters belong to the trainer.
import {
  batchInputs,
  initialState,
  stepGraphs,
  UserError,
  hostScalar,
  hostTensor,
  inDtype,
  packGraph,
  packTensors,
  parameterGroups,
  unpackTensors,
  type Backend,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
  type ParameterGroup,
  type StepPart,
  type TrainConfig,
} from '@embed-kd/core'

type Buffers = Record<string, DeviceBuffer>
type Tensors = ReadonlyMap<string, HostTensor>

/** Losses of a step, means over the batch before the update. */
export interface StepMetrics {
  readonly loss: number
  /** Cross entropy of the class scores; absent if the method takes no labels. */
  readonly classLoss?: number
  /** Distillation loss, unweighted; absent if the method has none. */
  readonly kdLoss?: number
  /** Number of images of the batch that were classified correctly; absent if the method takes no labels. */
  readonly correct?: number
  readonly learningRate: number
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

async function compileParts(backend: Backend, config: TrainConfig): Promise<CompiledPart[]> {
  const parts: CompiledPart[] = []
  const groups = parameterGroups(config)
  for (const part of stepGraphs(config)) {
    const graph = packGraph(part.graph, groups)
    parts.push({ ...part, graph, executable: await backend.compile(graph) })
  }
  return parts
}

export class Training {
  #parts: readonly CompiledPart[]
  readonly #backend: Backend
  readonly #held: Buffers
  readonly #scalesLoss: boolean
  /** Groups of parameters that share buffers. */
  readonly groups: readonly ParameterGroup[]
  /** Packed `state.*`, and the `sum.*` of micro-batches, which are zeros between steps. */
  #carried: Buffers = {}
  #metrics: Buffers = {}
  #steps = 0

  private constructor(
    backend: Backend,
    parts: readonly CompiledPart[],
    held: Buffers,
    groups: readonly ParameterGroup[],
    scalesLoss: boolean,
  ) {
    this.groups = groups
    this.#backend = backend
    this.#parts = parts
    this.#held = held
    this.#scalesLoss = scalesLoss
  }

  /**
   * Compiles the step, and uploads the state and the teacher's inputs.
   * @param teacher inputs `teacher.*`, taken one by one; inputs that the graph does not have are skipped.
   */
  static async create(
    backend: Backend,
    config: TrainConfig,
    parameters: Tensors,
    teacher: Iterable<readonly [string, HostTensor]>,
    seed: number,
  ): Promise<Training> {
    const parts = await compileParts(backend, config)
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
    const training = new Training(
      backend,
      parts,
      held,
      parameterGroups(config),
      wanted.has(LOSS_SCALE),
    )
    await training.reset(parameters)
    return training
  }

  /** Compiles a step that differs in its schedule alone, and continues with it; the state stays on the device. */
  async recompile(config: TrainConfig): Promise<void> {
    const parts = await compileParts(this.#backend, config)
    for (const { executable } of this.#parts) await executable.dispose()
    this.#parts = parts
  }

  /** Graphs of a step in order, each with the number of its runs. */
  get parts(): readonly CompiledPart[] {
    return this.#parts
  }

  /** Starts again from these parameters. */
  reset(parameters: Tensors): Promise<void> {
    return this.restore(initialState(parameters, this.#scalesLoss))
  }

  /** Goes on from a state that `readState` returned. */
  async restore(state: Tensors): Promise<void> {
    disposeAll(this.#carried)
    const tensors = packTensors(state, this.groups)
    for (const { graph } of this.parts)
      for (const { name, value } of graph.inputs)
        if (name.startsWith('sum.'))
          tensors.set(name, hostTensor('float32', graph.types[value]!.shape))
    this.#carried = await upload(this.#backend, tensors)
    this.#steps = state.get('state.step')!.data[0]!
  }

  /** Reads everything that training carries from step to step, by graph input: the content of a checkpoint. */
  async readState(): Promise<Map<string, HostTensor>> {
    const state = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.#carried))
      if (name.startsWith('state.')) state.set(name, await this.#backend.read(buffer))
    return unpackTensors(state, this.groups)
  }

  /** Number of steps since the start. */
  get steps(): number {
    return this.#steps
  }

  /** Runs one step. The device may still be busy afterwards. @param batch inputs `batch.*`. */
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
   * Reads the metrics of the last step, and waits for the device. The loss of a step that mixed precision skipped may not be
   * finite.
   * @throws NonFiniteLossError
   */
  async metrics(): Promise<StepMetrics> {
    const read = async (name: string) => {
      const buffer = this.#metrics[`metrics.${name}`]
      return buffer && (await this.#backend.read(buffer)).data[0]!
    }
    const [loss, classLoss, kdLoss, correct, learningRate] = [
      await read('loss'),
      await read('class_loss'),
      await read('kd_loss'),
      await read('correct'),
      await read('learning_rate'),
    ]
    if (loss === undefined) throw new UserError('there was no step yet', 'train first')
    const scale = await read('loss_scale')
    const skipped = (await read('skipped')) === 1
    if (!Number.isFinite(loss) && !skipped) throw new NonFiniteLossError(loss, this.#steps)
    if (skipped && scale! < 1) throw new NonFiniteGradientsError(scale!, this.#steps)
    return {
      loss,
      learningRate: learningRate!,
      ...(classLoss === undefined ? {} : { classLoss }),
      ...(correct === undefined ? {} : { correct }),
      ...(kdLoss === undefined ? {} : { kdLoss }),
    }
  }

  /** Reads the loss scale after all steps so far, and waits for the device; undefined in float32. */
  async lossScale(): Promise<LossScale | undefined> {
    if (!this.#scalesLoss) return undefined
    const read = async (name: string) => (await this.#backend.read(this.#carried[name]!)).data[0]!
    return { last: await read(LOSS_SCALE), skippedSteps: await read('state.loss_scale.skipped') }
  }

  /** Current parameters, packed, as inputs `state.parameters.*` of an evaluation. They stay the property of this object. */
  get parameters(): Readonly<Buffers> {
    return Object.fromEntries(
      Object.entries(this.#carried).filter(([name]) => name.startsWith(PARAMETERS)),
    )
  }

  /** Reads the parameters, by their own names. */
  async readParameters(): Promise<Map<string, HostTensor>> {
    const packed = new Map<string, HostTensor>()
    for (const [name, buffer] of Object.entries(this.parameters))
      packed.set(name, await this.#backend.read(buffer))
    return parametersOf(packed, this.groups)
  }

  async dispose(): Promise<void> {
    for (const buffers of [this.#carried, this.#metrics, this.#held]) disposeAll(buffers)
    for (const { executable } of this.parts) await executable.dispose()
  }
}

/** Prefix of the parameters among a graph's inputs. */
export const PARAMETERS = 'state.parameters.'

/** Returns packed inputs `state.parameters.*` as parameters by their own names. */
export const parametersOf = (
  packed: Tensors,
  groups: readonly ParameterGroup[],
): Map<string, HostTensor> =>
  new Map(
    [...unpackTensors(packed, groups)].map(([name, tensor]) => [
      name.slice(PARAMETERS.length),
      tensor,
    ]),
  )

/** Returns parameters by their own names as packed inputs `state.parameters.*`. */
export const packedParameters = (
  parameters: Tensors,
  groups: readonly ParameterGroup[],
): Map<string, HostTensor> =>
  packTensors(
    new Map([...parameters].map(([name, tensor]) => [`${PARAMETERS}${name}`, tensor])),
    groups,
  )

const LOSS_SCALE = 'state.loss_scale.factor'

/** Returns the names of a graph's inputs. */
export const namesOf = (graph: Graph): ReadonlySet<string> =>
  new Set(graph.inputs.map(({ name }) => name))

/** The loss became NaN or infinite, so that no time or accuracy of the run means anything. */
export class NonFiniteLossError extends UserError {
  constructor(loss: number, step: number) {
    super(
      `the loss is ${loss} at step ${step}`,
      'lower the learning rate, or check that all images and embeddings are finite numbers',
    )
  }
}

/**
 * Gradients overflow whatever the loss scale: every step that overflows halves the scale, and a scale below 1 loses small
 * gradients.
 */
export class NonFiniteGradientsError extends UserError {
  constructor(scale: number, step: number) {
    super(
      `the gradients of step ${step} are not finite, even with the loss scaled by ${scale}`,
      'lower the learning rate, or train with --precision float32',
    )
  }
}
