// PyTorch's student steps (kind student-step) on any backend: embeddings, losses, every gradient, and five AdamW steps, of
// the whole batch and of micro-batches.
import {
  batchInputs,
  hostTensor,
  initialState,
  gradientGraph,
  methodDefinition,
  presets,
  stepGraphs,
  trainGraph,
  type Backend,
  type DeviceBuffer,
  type Executable,
  type HostTensor,
  type Method,
  type TrainConfig,
  type WeightedTeacher,
} from '@embed-kd/core'
import { relativeError, type GoldenCase, type GoldenEntry } from './golden.js'

interface StudentEntry extends GoldenEntry {
  readonly method: Method
  /** `none`: the student has no classifier, and learns without labels. */
  readonly hardLabelScores: 'logits' | 'probabilities' | 'none'
  /** Default: that of preset `paper`. */
  readonly temperature?: number
  /** Number of embeddings in the queue of a method that has one. */
  readonly queue?: number
  readonly config: Record<
    'image' | 'patch' | 'channels' | 'width' | 'layers' | 'heads' | 'classes' | 'teacher_dim',
    number
  >
  /** Several teachers at once; absent if there is one, of width `teacher_dim`. */
  readonly teachers?: readonly WeightedTeacher[]
  readonly kdWeight: number
  readonly adamw: { lr: number; weightDecay: number; beta1: number; beta2: number; eps: number }
  readonly schedule: { kind: 'cosine'; epochs: number }
  readonly steps: number
}

export type StudentCase = GoldenCase<StudentEntry>

/** Returns the configuration of a case. The output of PyTorch's teacher is stored, whatever the method. */
function trainConfig({ entry, tensor }: StudentCase): TrainConfig {
  const { config: c, adamw, schedule, queue, hardLabelScores: scores } = entry
  const definition = methodDefinition(entry.method)
  return {
    method: queue === undefined ? entry.method : { ...definition, queue },
    student: {
      imageSize: c.image,
      patchSize: c.patch,
      channels: c.channels,
      width: c.width,
      layers: c.layers,
      heads: c.heads,
      ...(scores === 'none' ? {} : { classes: c.classes }),
      activation: 'quickGelu',
      preNorm: true,
      epsilon: 1e-5,
      attentionDropout: 0,
    },
    batch: tensor('batch.images').shape[0]!,
    images: { channels: c.channels, size: c.image },
    teacher: entry.teachers
      ? { kind: 'several', teachers: entry.teachers }
      : { kind: 'stored', width: c.teacher_dim },
    settings: {
      ...presets.paper,
      ...(scores === 'none' ? {} : { classScores: scores }),
      kdWeight: entry.kdWeight,
      temperature: entry.temperature ?? presets.paper.temperature,
    },
    optimizer: {
      learningRate: adamw.lr,
      weightDecay: adamw.weightDecay,
      beta1: adamw.beta1,
      beta2: adamw.beta2,
      epsilon: adamw.eps,
    },
    schedule: { kind: 'cosine', warmupSteps: 0, totalSteps: schedule.epochs },
  }
}

/** Returns the name of the tensor that holds an input `batch.*` or `teacher.*`. */
const batchTensor = (input: string): string =>
  input
    .replace('batch.teacher_probabilities', 'batch.teacher_probs')
    .replace(/^teacher\./, 'batch.')

/** A measured error: relative, or absolute if the exact value is zero. */
export interface Measured {
  readonly what: string
  readonly error: number
}

const data = (tensor: HostTensor) => tensor.data as Float32Array

/**
 * Smallest gradient whose element is compared after training, as a share of the tensor's maximum gradient. AdamW divides a gradient
 * by its own size, so the rounding error of a nearly vanishing gradient becomes a whole step; PyTorch's float32 result is wrong
 * there too. Few elements may be left out.
 */
const VANISHING = 1e-5
const MOST_LEFT_OUT = 0.01

/** Indices of a parameter's elements whose AdamW steps follow from their gradient, not from its rounding error. */
function meaningfulElements(golden: StudentCase, name: string, size: number): number[] {
  const indices = Array.from({ length: size }, (_, i) => i)
  if (!golden.names.includes(`grad.${name}`)) return indices
  const gradient = data(golden.tensor(`grad.${name}`))
  const least = VANISHING * Math.max(...gradient.map(Math.abs))
  // The bias of keys has no gradient in exact arithmetic: it adds a constant to all scores of a query, which softmax ignores.
  const isKeyBias = (i: number) =>
    name.endsWith('attn.in_proj_bias') && Math.floor(i / (size / 3)) === 1
  return indices.filter((i) => Math.abs(gradient[i]!) >= least && !isKeyBias(i))
}

/** Returns all errors of a case on a backend. */
export async function measureStudentCase(
  backend: Backend,
  golden: StudentCase,
): Promise<Measured[]> {
  const config = trainConfig(golden)
  const tensors = new Map<string, HostTensor>()
  const parameters = new Map<string, HostTensor>()
  for (const { name } of trainGraph(config).inputs) {
    if (/^(batch|teacher)\./.test(name)) tensors.set(name, golden.tensor(batchTensor(name)))
    if (!name.startsWith(PARAMETERS)) continue
    const parameter = name.slice(PARAMETERS.length)
    parameters.set(parameter, golden.tensor(`param.${parameter}`))
  }
  for (const [name, tensor] of initialState(parameters)) tensors.set(name, tensor)
  const measured = await measureGradients(backend, golden, config, tensors)
  const { relational = false } = methodDefinition(config.method)
  const counts = relational ? [1] : [1, 2, 3, 4].filter((n) => config.batch % n === 0)
  for (const times of counts) {
    const inParts = { ...config, microBatch: config.batch / times }
    const errors = await measureTraining(backend, golden, inParts, tensors)
    measured.push(...errors.map(({ what, error }) => ({ what: `${what}, by ${times}`, error })))
  }
  return measured
}

const PARAMETERS = 'state.parameters.'

/** @param tensors the first state and the batch, by the names of graph inputs. */
async function measureGradients(
  backend: Backend,
  golden: StudentCase,
  config: TrainConfig,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<Measured[]> {
  const measured: Measured[] = []
  const compare = (what: string, got: HostTensor, name: string) =>
    measured.push({ what, error: relativeError(data(got), data(golden.tensor(name))) })
  const gradients = await backend.compile(gradientGraph(config))
  const inputs: Record<string, DeviceBuffer> = {}
  for (const { name } of gradients.graph.inputs)
    inputs[name] = await backend.upload(tensors.get(name)!)
  const first = await gradients.run(inputs)
  const read = async (name: string) => backend.read(first[name]!)
  compare('embedding', await read('outputs.embedding'), 'out.embedding')
  if (golden.names.includes('out.logits'))
    compare('scores', await read('outputs.scores'), 'out.logits')
  compare('loss', await read('metrics.loss'), 'out.loss')
  if (golden.names.includes('out.kd_loss'))
    compare('kd loss', await read('metrics.kd_loss'), 'out.kd_loss')
  for (const name of golden.names.filter((name) => name.startsWith('out.cosine')))
    compare(name, await read(name.replace('out.', 'outputs.')), name)
  for (const golden_name of golden.names.filter((name) => name.startsWith('grad.'))) {
    const name = golden_name.slice('grad.'.length)
    const [got, expected] = [
      data(await read(`gradients.${name}`)),
      data(golden.tensor(golden_name)),
    ]
    measured.push({ what: `gradient of ${name}`, error: relativeError(got, expected) })
  }
  for (const buffer of Object.values(first)) buffer.dispose()
  for (const buffer of Object.values(inputs)) buffer.dispose()
  await gradients.dispose()
  return measured
}

/** Trains on the same batch for the golden number of steps. */
async function measureTraining(
  backend: Backend,
  golden: StudentCase,
  config: TrainConfig,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<Measured[]> {
  const parts: { executable: Executable; times: number }[] = []
  for (const { graph, times } of stepGraphs(config))
    parts.push({ executable: await backend.compile(graph), times })
  const kept: Record<string, DeviceBuffer> = {}
  for (const { executable } of parts)
    for (const { name, value, role } of executable.graph.inputs)
      if (role !== 'batch')
        kept[name] ??= await backend.upload(
          tensors.get(name) ?? hostTensor('float32', executable.graph.types[value]!.shape),
        )

  const losses: number[] = []
  const rates: number[] = []
  const metrics = new Map([
    ['metrics.loss', losses],
    ['metrics.learning_rate', rates],
  ])
  for (let step = 0; step < golden.entry.steps; step++)
    for (const { executable, times } of parts)
      for (let index = 0; index < times; index++) {
        const { graph } = executable
        const batch: Record<string, DeviceBuffer> = {}
        for (const [name, tensor] of batchInputs(graph, tensors, index))
          batch[name] = await backend.upload(tensor)
        const taken = graph.inputs.map(({ name }) => [name, batch[name] ?? kept[name]!])
        const outputs = await executable.run(Object.fromEntries(taken))
        for (const [name, buffer] of Object.entries(outputs))
          if (name in kept) kept[name] = buffer
          else {
            metrics.get(name)?.push(data(await backend.read(buffer))[0]!)
            buffer.dispose()
          }
        for (const buffer of Object.values(batch)) buffer.dispose()
      }

  const expected = (name: string) => data(golden.tensor(name))
  const measured = [
    { what: 'losses', error: relativeError(losses, expected('train.losses')) },
    { what: 'learning rates', error: relativeError(rates, expected('train.lrs')) },
  ]
  let [leftOut, elements] = [0, 0]
  for (const input of Object.keys(kept).filter((name) => name.startsWith(PARAMETERS))) {
    const name = input.slice(PARAMETERS.length)
    const got = data(await backend.read(kept[input]!))
    const trained = expected(`trained.${name}`)
    const meaningful = meaningfulElements(golden, name, trained.length)
    leftOut += trained.length - meaningful.length
    elements += trained.length
    const select = (values: Float32Array) => meaningful.map((i) => values[i]!)
    measured.push({ what: `trained ${name}`, error: relativeError(select(got), select(trained)) })
  }
  for (const buffer of Object.values(kept)) buffer.dispose()
  for (const { executable } of parts) await executable.dispose()
  if (leftOut > MOST_LEFT_OUT * elements)
    throw new Error(`${leftOut} of ${elements} trained elements would not be compared`)
  return measured
}
