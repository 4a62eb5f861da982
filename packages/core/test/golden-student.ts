// PyTorch's student steps (kind student-step) on any backend: embeddings, losses, every gradient, and five AdamW steps.
import {
  initialState,
  gradientGraph,
  presets,
  trainGraph,
  type Backend,
  type DeviceBuffer,
  type HostTensor,
  type Method,
  type TrainConfig,
} from '../src/index.js'
import { relativeError, type GoldenCase, type GoldenEntry } from './golden.js'

interface StudentEntry extends GoldenEntry {
  readonly method: Method
  readonly hardLabelScores: 'logits' | 'probabilities'
  readonly config: Record<
    'image' | 'patch' | 'channels' | 'width' | 'layers' | 'heads' | 'classes' | 'teacher_dim',
    number
  >
  readonly kdWeight: number
  readonly adamw: { lr: number; weightDecay: number; beta1: number; beta2: number; eps: number }
  readonly schedule: { kind: 'cosine'; epochs: number }
  readonly steps: number
}

export type StudentCase = GoldenCase<StudentEntry>

/** The configuration of a case. PyTorch's teacher signals are stored, so its teacher-kd is cached-kd here. */
function trainConfig({ entry, tensor }: StudentCase): TrainConfig {
  const { config: c, adamw, schedule } = entry
  return {
    method: entry.method === 'teacher-kd' ? 'cached-kd' : entry.method,
    student: {
      imageSize: c.image,
      patchSize: c.patch,
      channels: c.channels,
      width: c.width,
      layers: c.layers,
      heads: c.heads,
      classes: c.classes,
      activation: 'quickGelu',
      preNorm: true,
      epsilon: 1e-5,
      attentionDropout: 0,
    },
    batch: tensor('batch.images').shape[0]!,
    images: { channels: c.channels, size: c.image },
    teacher: { kind: 'stored', width: c.teacher_dim },
    settings: { ...presets.paper, classScores: entry.hardLabelScores, kdWeight: entry.kdWeight },
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

/** Inputs of our graphs by the name of the tensor that holds them. */
const batchTensors: Record<string, string> = {
  'batch.images': 'batch.images',
  'batch.labels': 'batch.labels',
  'batch.teacher_embeddings': 'batch.teacher_embeddings',
  'batch.teacher_probabilities': 'batch.teacher_probs',
  'teacher.centroids': 'batch.centroids',
}

/** An error measured: relative, or absolute where the exact value is zero. */
export interface Measured {
  readonly what: string
  readonly error: number
}

const data = (tensor: HostTensor) => tensor.data as Float32Array

/**
 * AdamW divides a gradient by its own size, so where one nearly vanishes its rounding error becomes a step: PyTorch's own
 * float32 result is then off as well. Such elements of trained parameters, below this share of their tensor's greatest
 * gradient, are left out; that must be few.
 */
const VANISHING = 1e-5
const MOST_LEFT_OUT = 0.01

/** Indices of a parameter's elements whose AdamW steps follow from their gradient, not from its rounding error. */
function meaningfulElements(golden: StudentCase, name: string, size: number): number[] {
  const indices = Array.from({ length: size }, (_, i) => i)
  if (!golden.names.includes(`grad.${name}`)) return indices
  const gradient = data(golden.tensor(`grad.${name}`))
  const least = VANISHING * Math.max(...gradient.map(Math.abs))
  // The key bias has no gradient in exact arithmetic: softmax does not see a constant added to a query's scores.
  const isKeyBias = (i: number) =>
    name.endsWith('attn.in_proj_bias') && Math.floor(i / (size / 3)) === 1
  return indices.filter((i) => Math.abs(gradient[i]!) >= least && !isKeyBias(i))
}

/** All errors of one case on a backend. */
export async function measureStudentCase(
  backend: Backend,
  golden: StudentCase,
): Promise<Measured[]> {
  const config = trainConfig(golden)
  const measured: Measured[] = []
  const compare = (what: string, got: HostTensor, name: string) =>
    measured.push({ what, error: relativeError(data(got), data(golden.tensor(name))) })

  const gradients = await backend.compile(gradientGraph(config))
  const train = await backend.compile(trainGraph(config))
  const inputs: Record<string, DeviceBuffer> = {}
  for (const { name } of train.graph.inputs)
    if (batchTensors[name]) inputs[name] = await backend.upload(golden.tensor(batchTensors[name]))

  const parameters = new Map(
    train.graph.inputs.flatMap(({ name }) =>
      name.startsWith('state.parameters.')
        ? [
            [
              name.slice('state.parameters.'.length),
              golden.tensor(`param.${name.slice('state.parameters.'.length)}`),
            ],
          ]
        : [],
    ) as [string, HostTensor][],
  )
  let state: Record<string, DeviceBuffer> = {}
  for (const [name, tensor] of initialState(parameters)) state[name] = await backend.upload(tensor)

  const given = Object.fromEntries(
    gradients.graph.inputs.map(({ name }) => [name, (inputs[name] ?? state[name])!]),
  )
  const first = await gradients.run(given)
  const read = async (name: string) => backend.read(first[name]!)
  compare('embedding', await read('outputs.embedding'), 'out.embedding')
  compare('scores', await read('outputs.scores'), 'out.logits')
  compare('loss', await read('metrics.loss'), 'out.loss')
  if (golden.names.includes('out.kd_loss'))
    compare('kd loss', await read('metrics.kd_loss'), 'out.kd_loss')
  if (golden.names.includes('out.cosine'))
    compare('cosine', await read('outputs.cosine'), 'out.cosine')
  for (const golden_name of golden.names.filter((name) => name.startsWith('grad.'))) {
    const name = golden_name.slice('grad.'.length)
    const [got, expected] = [
      data(await read(`gradients.${name}`)),
      data(golden.tensor(golden_name)),
    ]
    measured.push({ what: `gradient of ${name}`, error: relativeError(got, expected) })
  }
  for (const buffer of Object.values(first)) buffer.dispose()

  const losses: number[] = []
  const rates: number[] = []
  for (let step = 0; step < golden.entry.steps; step++) {
    const outputs = await train.run({ ...state, ...inputs })
    losses.push(data(await backend.read(outputs['metrics.loss']!))[0]!)
    rates.push(data(await backend.read(outputs['metrics.learning_rate']!))[0]!)
    state = {}
    for (const [name, buffer] of Object.entries(outputs))
      if (name.startsWith('state.')) state[name] = buffer
      else buffer.dispose()
  }
  measured.push({
    what: 'losses',
    error: relativeError(losses, data(golden.tensor('train.losses'))),
  })
  measured.push({
    what: 'learning rates',
    error: relativeError(rates, data(golden.tensor('train.lrs'))),
  })
  let [leftOut, elements] = [0, 0]
  for (const name of parameters.keys()) {
    const got = data(await backend.read(state[`state.parameters.${name}`]!))
    const expected = data(golden.tensor(`trained.${name}`))
    const meaningful = meaningfulElements(golden, name, expected.length)
    leftOut += expected.length - meaningful.length
    elements += expected.length
    const select = (values: Float32Array) => meaningful.map((i) => values[i]!)
    measured.push({ what: `trained ${name}`, error: relativeError(select(got), select(expected)) })
  }
  for (const buffer of [...Object.values(state), ...Object.values(inputs)]) buffer.dispose()
  await gradients.dispose()
  await train.dispose()
  if (leftOut > MOST_LEFT_OUT * elements)
    throw new Error(`${leftOut} of ${elements} trained elements would not be compared`)
  return measured
}
