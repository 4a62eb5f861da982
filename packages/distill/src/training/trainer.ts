// The trainer: a student, a method and its teacher on a backend. Trials, the commands, the browser and other people's programs
// train with this one class.
import {
  checkInteger,
  flattenTree,
  isClassifier,
  isParameterSpec,
  modelParameters,
  packTensors,
  parameterGroups,
  UserError,
  type DeviceBuffer,
  type HostTensor,
  type TrainConfig,
} from '@embed-kd/core'

import type { StudentConfig } from '../models/students.js'
import type { ImageBatch } from './batch.js'
import { classification, type Classification } from './classification.js'
import { checkOptions } from './check-options.js'
import { lossSettings, stepDefaults, trainingConfig } from './config.js'
import { Ema } from './ema.js'
import { beginning, countBatches, runEpochs } from './epochs.js'
import { Evaluation, type Prediction } from './evaluation.js'
import { exportTrained, readCheckpoint, type ExportFormat, type ExportOptions } from './export.js'
import { StepInputs, type ImageSource } from './step-inputs.js'
import { teacherInputs, type MethodChoice, type TeacherInputs } from './teacher.js'
import {
  initialValues,
  modelOf,
  requireClasses,
  type AnyOptions,
  type Classes,
  type Epoch,
  type FitOptions,
  type TrainerOptions,
} from './trainer-options.js'
import {
  disposeAll,
  packedParameters,
  PARAMETERS,
  parametersOf,
  Training,
  upload,
  type LossScale,
  type StepMetrics,
} from './training.js'
import { Turns } from './turn.js'

/** Prefix of averaged parameters in a state. */
const AVERAGE = 'ema.'

/** A student in training. Its methods may be called while `fit` runs: each waits until the step in progress has ended. */
export class Trainer implements AsyncDisposable {
  /** The student's model. */
  readonly model: StudentConfig
  /** Number of images a step. */
  readonly batch: number
  readonly #options: AnyOptions
  readonly #teacher: TeacherInputs
  readonly #inputs: StepInputs
  readonly #evaluation: Evaluation
  readonly #turns = new Turns()
  #config: TrainConfig
  #training: Training | undefined
  #ema: Ema | undefined
  /** Whether the step has its final schedule. */
  #scheduled: boolean
  #disposed = false

  private constructor(options: AnyOptions) {
    checkOptions(options)
    requireClasses(options)
    const { backend, classes, images, method, teacher, seed = 0 } = options
    this.#options = options
    this.model = modelOf(options)
    this.batch = options.batch ?? stepDefaults.batch
    this.#teacher = teacherInputs(method, teacher, classes)
    const { model, batch } = this
    this.#inputs = new StepInputs({ images, model, batch, seed, teacher: this.#teacher })
    this.#config = this.#configFor(options.totalSteps)
    this.#scheduled =
      options.totalSteps !== undefined || lossSettings(options).schedule === 'constant'
    this.#evaluation = new Evaluation(
      backend,
      this.model,
      this.#config.images,
      parameterGroups(this.#config),
    )
  }

  /**
   * Creates a trainer. The step is compiled once its schedule is known: here if `totalSteps` is given, else by `fit`.
   * @throws UserError if options do not go together.
   */
  static async create<const M extends MethodChoice, const C extends Classes = undefined>(
    options: TrainerOptions<M, C>,
  ): Promise<C extends number ? Trainer : EmbeddingTrainer>
  static async create(options: AnyOptions): Promise<Trainer> {
    const trainer = new Trainer(options)
    if (options.totalSteps !== undefined) await trainer.#turns.take(() => trainer.#ready())
    return trainer
  }

  /**
   * Trains for some epochs, and yields a summary after each.
   * @param source images in memory, shuffled anew in each epoch; or batches of `batch` images that can be iterated once for each
   * epoch; or a function from the epoch (from 0) to its batches. A smaller last batch is skipped.
   * @throws UserError if a batch does not fit, or the loss is not finite; the reason of an aborted signal.
   */
  async *fit(source: ImageSource, options: FitOptions = {}): AsyncGenerator<Epoch> {
    const { epochs = 1, validation, signal, onStep } = options
    const from = { ...beginning, ...options.from }
    checkInteger('epochs', epochs, from.epochs)
    const batches = this.#inputs.epochs(source)
    const stepsPerEpoch = options.stepsPerEpoch ?? countBatches(batches, from.epochs)
    const remaining = stepsPerEpoch && stepsPerEpoch * (epochs - from.epochs) - from.steps
    const { totalSteps = remaining === undefined ? undefined : this.steps + remaining } =
      this.#options
    await this.#turns.take(() => this.#ready(totalSteps))
    const plan = { source: batches, epochs, from, stepsPerEpoch, signal, onStep }
    for await (const summary of runEpochs(this, plan))
      if (validation) {
        const { accuracy } = await this.evaluate(validation)
        yield { ...summary, accuracy }
      } else yield summary
  }

  /** Trains on one batch. @throws UserError if the batch does not have `batch` images. */
  async step(batch: ImageBatch): Promise<void> {
    if (!this.#scheduled)
      throw new UserError(
        'a cosine schedule needs the number of steps in advance',
        "give `totalSteps` to Trainer.create, batches with a `length`, `stepsPerEpoch` to fit, or schedule: 'constant'",
      )
    const tensors = await this.#inputs.tensorsOf(batch)
    await this.#turns.take(async () => {
      const training = await this.#ready()
      await training.step(tensors)
      await this.#ema?.update(training.parameters)
    })
  }

  /** Reads the losses of the last step, and waits for the device. @throws NonFiniteLossError */
  metrics(): Promise<StepMetrics> {
    return this.#turns.take(async () => (await this.#ready()).metrics())
  }

  /** Number of steps since the start of training. */
  get steps(): number {
    return this.#training?.steps ?? 0
  }

  /** The graphs that a step runs, in order. @throws UserError before the step is compiled. */
  get parts(): Training['parts'] {
    if (this.#training) return this.#training.parts
    throw new UserError('the step is not compiled yet', 'give `totalSteps`, or call fit first')
  }

  /** Reads the effect of mixed precision so far; undefined in float32. */
  lossScale(): Promise<LossScale | undefined> {
    return this.#turns.take(async () => this.#training?.lossScale())
  }

  /**
   * Classifies labelled images, and sums up how many of each class are correct.
   * @param saved parameters by name, such as those of an earlier epoch (default: the current ones).
   * @throws UserError if a batch has no labels.
   */
  async evaluate(
    source: ImageSource,
    saved?: ReadonlyMap<string, HostTensor>,
  ): Promise<Classification> {
    const { labels, predictions } = await this.classify(source, saved)
    return classification(labels, predictions, this.#classes())
  }

  /**
   * Classifies labelled images, and returns the label and the most probable class of each, in the order of the batches.
   * @param saved as in `evaluate`.
   * @throws UserError if a batch has no labels.
   */
  async classify(
    source: ImageSource,
    saved?: ReadonlyMap<string, HostTensor>,
  ): Promise<{ readonly labels: readonly number[]; readonly predictions: readonly number[] }> {
    const classes = this.#classes()
    const labels: number[] = []
    const predictions: number[] = []
    return this.#turns.take(async () => {
      const uploaded = saved && (await this.#upload(saved))
      const parameters = uploaded ?? (await this.#parameters())
      for await (const batch of this.#inputs.labelled(source, classes)) {
        for (const label of batch.labels) labels.push(label)
        for (const label of await this.#evaluation.classify(parameters, batch.images))
          predictions.push(label)
      }
      if (uploaded) disposeAll(uploaded)
      return { labels, predictions }
    })
  }

  /** Returns the most probable class, the probabilities of all classes and the embedding of each image. */
  async predict(images: Float32Array | Uint8Array): Promise<Prediction> {
    this.#classes()
    const normalised = this.#inputs.images(images)
    return this.#turns.take(async () =>
      this.#evaluation.predict(await this.#parameters(), normalised),
    )
  }

  /** Returns the student's embeddings of images, `[count, width]`. */
  async embed(images: Float32Array | Uint8Array): Promise<Float32Array> {
    const normalised = this.#inputs.images(images)
    return this.#turns.take(async () =>
      this.#evaluation.embed(await this.#parameters(), normalised),
    )
  }

  /** Reads everything that training depends on; `restore` goes on from there, to the bit. */
  state(): Promise<Map<string, HostTensor>> {
    return this.#turns.take(() => this.#readState())
  }

  /**
   * Goes on from a state, or from the bytes of `export('checkpoint')`.
   * @throws UserError if the state is of another student or method.
   */
  async restore(saved: ReadonlyMap<string, HostTensor> | Uint8Array): Promise<void> {
    const state = saved instanceof Map ? saved : readCheckpoint(saved)
    return this.#turns.take(async () => {
      const training = await this.#ready()
      requireShapes(state, await this.#readState())
      const entries = [...state]
      await training.restore(new Map(entries.filter(([name]) => name.startsWith('state.'))))
      this.#teacher.queue?.restore(state)
      const averages = entries.flatMap(([name, tensor]) =>
        name.startsWith(AVERAGE) ? [[name.slice(AVERAGE.length), tensor] as const] : [],
      )
      await this.#ema?.restore(packTensors(new Map(averages), training.groups))
    })
  }

  /** Starts again from the initial parameters. */
  reset(): Promise<void> {
    return this.#turns.take(async () => {
      const training = await this.#ready()
      await training.reset(this.#initial())
      this.#teacher.queue?.reset()
      await this.#ema?.restore(await readInputs(training))
    })
  }

  /** Reads the parameters that are evaluated: their average if there is one. By name, the method's own included. */
  parameters(): Promise<Map<string, HostTensor>> {
    return this.#turns.take(async () => {
      const training = await this.#ready()
      if (!this.#ema) return training.readParameters()
      return parametersOf(await this.#ema.read(), training.groups)
    })
  }

  /**
   * Returns the trained student as the bytes of a file: an ONNX model (`pixel_values` to `embeddings`, and `logits` if the student
   * has a classifier), its weights as safetensors, or a checkpoint that `restore` reads.
   */
  async export(format: ExportFormat, options: ExportOptions = {}): Promise<Uint8Array> {
    const { mean, std } = this.#options.images
    const { images } = this.#config
    return exportTrained(format, {
      model: this.model,
      images: { ...images, mean, std },
      parameters: () => this.parameters(),
      state: () => this.state(),
      ...options,
    })
  }

  /** Frees the trainer's memory on the device. */
  dispose(): Promise<void> {
    return this.#turns.take(async () => {
      this.#disposed = true
      const [training, ema] = [this.#training, this.#ema]
      this.#training = this.#ema = undefined
      await training?.dispose()
      await ema?.dispose()
      await this.#evaluation.dispose()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** Builds the configuration of a step; until the number of steps is known, its learning rate is constant. */
  #configFor(totalSteps: number | undefined): TrainConfig {
    const { images, method } = this.#options
    const { channels, size } = images
    const teacher = this.#teacher.source
    const subject = { method, student: this.model, images: { channels, size }, teacher }
    return totalSteps === undefined
      ? trainingConfig(subject, { ...this.#options, schedule: 'constant' }, 0)
      : trainingConfig(subject, this.#options, totalSteps)
  }

  /** Compiles the step if it is not compiled, or if its schedule changes. */
  async #ready(totalSteps?: number): Promise<Training> {
    const { backend, seed = 0, ema } = this.#options
    if (this.#disposed) throw new UserError('the trainer was disposed', 'create another one')
    if (totalSteps !== undefined) {
      const config = this.#configFor(totalSteps)
      const changed = JSON.stringify(config.schedule) !== JSON.stringify(this.#config.schedule)
      this.#config = config
      this.#scheduled = true
      if (changed) await this.#training?.recompile(config)
    }
    if (this.#training) return this.#training
    const training = await Training.create(
      backend,
      this.#config,
      this.#initial(),
      this.#teacher.held(),
      seed,
    )
    if (ema !== undefined)
      this.#ema = await Ema.create(backend, training.parameters, ema, await readInputs(training))
    return (this.#training = training)
  }

  /** Reads the state, while no other action has its turn. */
  async #readState(): Promise<Map<string, HostTensor>> {
    const training = await this.#ready()
    const state = await training.readState()
    if (this.#ema)
      for (const [name, tensor] of parametersOf(await this.#ema.read(), training.groups))
        state.set(`${AVERAGE}${PARAMETERS}${name}`, tensor)
    for (const [name, tensor] of this.#teacher.queue?.read() ?? []) state.set(name, tensor)
    return state
  }

  /** Uploads parameters to evaluate. @throws UserError if one of the model's is missing. */
  async #upload(saved: ReadonlyMap<string, HostTensor>) {
    for (const name of flattenTree(modelParameters(this.model), isParameterSpec).keys())
      if (!saved.has(name))
        throw new UserError(
          `the parameters to evaluate have no ${name}`,
          'give all that `parameters` returned',
        )
    return upload(this.#options.backend, packedParameters(saved, parameterGroups(this.#config)))
  }

  /** Parameters to evaluate, on the device. */
  async #parameters(): Promise<Readonly<Record<string, DeviceBuffer>>> {
    const training = await this.#ready()
    return this.#ema?.parameters ?? training.parameters
  }

  /** Returns the number of classes. @throws UserError if the student has no classifier. */
  #classes(): number {
    if (isClassifier(this.model)) return this.model.classes
    throw new UserError(
      'a student that was trained without labels predicts no classes',
      'use its embeddings (`embed`), or give `classes` to Trainer.create and labels with each batch',
    )
  }

  /** Initial parameters, drawn whenever they are needed: a copy on the host would cost memory. */
  #initial(): Map<string, HostTensor> {
    return initialValues(this.#config, this.#options)
  }
}

/** @throws UserError if a state lacks a tensor of the current one, or has it in another shape. */
function requireShapes(
  state: ReadonlyMap<string, HostTensor>,
  current: ReadonlyMap<string, HostTensor>,
): void {
  for (const [name, { shape }] of current) {
    const found = state.get(name)
    if (found?.shape.join() === shape.join()) continue
    throw new UserError(
      `the state has ${found ? `${name} of shape [${found.shape.join(', ')}]` : `no ${name}`}, but [${shape.join(', ')}] is needed`,
      'restore into a trainer with the same student, method, teacher width and options',
    )
  }
}

/** Reads the parameters by graph input, packed. */
const readInputs = async (training: Training): Promise<Map<string, HostTensor>> =>
  packedParameters(await training.readParameters(), training.groups)

/** A trainer without labels: its student has embeddings, and no classes to predict. */
export type EmbeddingTrainer = Omit<Trainer, 'classify' | 'evaluate' | 'predict'>
