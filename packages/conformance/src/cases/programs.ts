// Cases of whole programs that this library runs, at a size that takes milliseconds.
import type { TrainConfig } from '@embed-kd/core'
import { embedGraph, evalGraph, gradientGraph, trainGraph } from '@embed-kd/core'
import {
  methodDefinition,
  methodNames,
  methods,
  presets,
  scheduleOf,
  type Method,
  type Preset,
} from '@embed-kd/core'
import type { DeviceBuffer } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import type { ClassifierConfig, ViTConfig } from '@embed-kd/core'
import { hostScalar, hostTensor, sizeOf, type TensorType } from '@embed-kd/core'
import type { Random } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { drawInputs, floats, ints, type Draw, type NumericDefinition } from './define.js'
import { procedure } from './session.js'

const classes = 5
const batch = 4
const images = { channels: 3, size: 8 } as const

const student: ClassifierConfig = {
  imageSize: 8,
  patchSize: 4,
  channels: 3,
  width: 16,
  layers: 2,
  heads: 2,
  classes,
  activation: 'quickGelu',
  preNorm: true,
  epsilon: 1e-5,
  attentionDropout: 0,
}

/** A teacher of larger images than the data set's, so that the graph resizes. It has exact GELU and no norm before the blocks. */
const teacher: ClassifierConfig = {
  ...student,
  imageSize: 12,
  width: 12,
  layers: 1,
  activation: 'gelu',
  preNorm: false,
  epsilon: 1e-12,
}

const withClip: ViTConfig = { ...student, layers: 1, projection: 6 }
const withLayerScale: ViTConfig = { ...teacher, layerScale: true, hiddenWidth: 20 }

/** Returns random values of a sensible size for an input of these graphs, by its name. */
function valuesOf(name: string, { shape, dtype }: TensorType): Draw | ReturnType<Draw> {
  if (name === 'state.step') return hostScalar(3, 'int32')
  if (name === 'state.correction1') return hostScalar(1 - 0.9 ** 3)
  if (name === 'state.correction2') return hostScalar(1 - 0.999 ** 3)
  if (name === 'seed') return hostScalar(11, 'int32')
  if (dtype === 'int32') return ints(shape, 0, classes - 1)
  if (name === 'batch.mask') return hostTensor('float32', shape, [1, 1, 1, 0])
  if (name.endsWith('teacher_probabilities')) return probabilities(shape[1]!)
  if (name.startsWith('state.v.')) return floats(shape, 0, 1e-3)
  if (name.startsWith('state.m.')) return floats(shape, -1e-2, 1e-2)
  if (name.endsWith('logit_scale')) return hostScalar(2.5)
  if (/norm\w*\.weight$/.test(name)) return floats(shape, 0.5, 1.5)
  if (name.endsWith('weight')) {
    const bound = Math.sqrt(3 / sizeOf(shape.slice(1)))
    return floats(shape, -bound, bound)
  }
  return floats(shape, -1, 1)
}

/** Returns random distributions over the classes, one for each image of the batch. */
const probabilities =
  (count: number): Draw =>
  (random: Random) => {
    const rows = Array.from({ length: batch }, () => {
      const weights = Array.from({ length: count }, () => random.uniform() + 0.01)
      const total = weights.reduce((sum, w) => sum + w, 0)
      return weights.map((w) => w / total)
    })
    return hostTensor('float32', [batch, count], rows.flat())
  }

function program(name: string, contract: string, graph: Graph): NumericDefinition {
  const inputs = Object.fromEntries(
    graph.inputs.map((input) => [input.name, valuesOf(input.name, graph.types[input.value]!)]),
  )
  return { name, contract, graph, inputs: drawInputs(name, inputs) }
}

/** Returns the teacher of a method, if it needs one. With preset `paper` the probabilities of a live teacher are stored. */
function teacherOf(method: Method, preset: Preset): Pick<TrainConfig, 'teacher'> {
  const { teacher: needed, takes } = methods[method]
  if (needed === 'none') return {}
  const live = needed === 'live' && (takes === 'embeddings' || preset === 'corrected')
  return { teacher: live ? { kind: 'live', model: teacher } : { kind: 'stored', width: 12 } }
}

/** Returns a method whose queue, if it has one, is as short as these models are small. */
const smallMethod = (method: Method): TrainConfig['method'] => {
  const definition = methodDefinition(method)
  return definition.queue === undefined ? method : { ...definition, queue: 8 }
}

const configOf = (method: Method, preset: Preset): TrainConfig => ({
  method: smallMethod(method),
  student,
  batch,
  images,
  ...teacherOf(method, preset),
  settings: presets[preset],
  optimizer: { learningRate: 0.01, weightDecay: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: scheduleOf(presets[preset], 100),
})

export const programCases = (): NumericDefinition[] => [
  ...methodNames.flatMap((method) =>
    (['paper', 'corrected'] as const).flatMap((preset) => {
      const config = configOf(method, preset)
      return [
        program(`program/gradients/${method} ${preset}`, 'B15', gradientGraph(config)),
        program(`program/train/${method} ${preset}`, 'B15', trainGraph(config)),
      ]
    }),
  ),
  program('program/eval/student', 'B15', evalGraph(student, batch, images)),
  program('program/teacher/classifier', 'B15', embedGraph(teacher, batch, images, 4)),
  program('program/teacher/CLIP', 'B15', embedGraph(withClip, batch, images)),
  program('program/teacher/LayerScale', 'B15', embedGraph(withLayerScale, batch, images)),
]

/** A case of dropout. Backends draw their own masks, so the losses are compared with another run on the same backend. */
const withDropout = procedure('program/train/with dropout', 'B13', async (session) => {
  const config = configOf('supervised', 'corrected')
  const graph = trainGraph({ ...config, student: { ...student, attentionDropout: 0.3 } })
  const { inputs } = program('program/train/with dropout', 'B13', graph)
  const executable = await session.compile(graph)
  const loss = async (seed: number, step: number): Promise<number> => {
    const feeds: Record<string, DeviceBuffer> = {}
    const given = {
      ...inputs,
      seed: hostScalar(seed, 'int32'),
      'state.step': hostScalar(step, 'int32'),
    }
    for (const [name, tensor] of Object.entries(given)) feeds[name] = await session.upload(tensor)
    const outputs = await session.run(executable, feeds)
    return (await session.backend.read(outputs['metrics.loss']!)).data[0]!
  }
  const first = await loss(1, 3)
  session.check(Number.isFinite(first), `the loss is ${first}`)
  session.check((await loss(1, 3)) === first, 'the same seed and step give another loss')
  session.check((await loss(2, 3)) !== first, 'another seed gives the same loss')
  session.check((await loss(1, 4)) !== first, 'another step gives the same loss')
})

export const programProcedures = (): ProcedureCase[] => [withDropout]
