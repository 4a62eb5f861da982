// The weights of a teacher as inputs of a training graph: read from a file that train.ts wrote, random where only the cost
// is meant, or a checkpoint's, made to fit pixels that were normalised for the student.
import { readFileSync } from 'node:fs'

import {
  classifierParameters,
  drawParameters,
  hostTensor,
  parseSafetensors,
  Random,
  vitParameters,
  type HostTensor,
} from '@embed-kd/core'

import type { ChannelStatistics } from '../data/dataset.js'
import type { NamedTeacher, TeacherData } from './named.js'
import { classOrder } from './classes.js'
import { loadHfTeacher } from './hf.js'

/** The seed of random teachers: one teacher for all trials. */
const SEED = 0

type Weights = ReadonlyMap<string, HostTensor>
/** One by one: random weights are drawn as they are asked for. */
export type Tensors = Iterable<readonly [string, HostTensor]>

/**
 * Returns the weights of a live teacher by the names of its parameters.
 * @param file file that the weights of a trained teacher were written to.
 * @param seen normalisation of the images in the graph.
 */
export function teacherWeights(
  teacher: Extract<NamedTeacher, { place: 'graph' }>,
  data: TeacherData,
  file: string | undefined,
  seen: ChannelStatistics,
): Tensors {
  if (teacher.directory !== undefined) {
    const { parameters, input, classNames } = loadHfTeacher(teacher.directory)
    const order = classOrder(teacher.name, classNames, data.classNames)
    if (order) reorderClasses(parameters, order)
    return renormalised(parameters, input, seen)
  }
  if (file !== undefined) return parseSafetensors(readFileSync(file)).tensors
  const model = teacher.model(data)
  const specs = 'classes' in model ? classifierParameters(model) : vitParameters(model)
  return drawParameters(specs, new Random(SEED))
}

/** Puts the classes that a classifier scores into another order. */
function reorderClasses(parameters: Map<string, HostTensor>, order: readonly number[]): void {
  for (const name of ['classifier.weight', 'classifier.bias']) {
    const { shape, data } = parameters.get(name)!
    const row = data.length / shape[0]!
    const rows = order.map((label) =>
      (data as Float32Array).subarray(label * row, (label + 1) * row),
    )
    const result = hostTensor('float32', shape)
    rows.forEach((values, i) => result.data.set(values, i * row))
    parameters.set(name, result)
  }
}

/**
 * Weights that give on images normalised by `seen` what `weights` give on the same normalised by `meant`: scaling a channel
 * goes into the patch embedding, and what shifting adds to every patch into the position embeddings. A grey image stands for
 * all channels.
 */
export function renormalised(
  weights: Weights,
  meant: ChannelStatistics,
  seen: ChannelStatistics,
): Weights {
  const kernel = weights.get('patch_embed.weight')!
  const positions = weights.get('pos_embed')
  const [width, channels, height, breadth] = kernel.shape as [number, number, number, number]
  const area = height * breadth
  const scaled = Float32Array.from(kernel.data)
  const shift = new Float64Array(width)
  for (let channel = 0; channel < channels; channel++) {
    const source = seen.mean.length === 1 ? 0 : channel
    const scale = seen.std[source]! / meant.std[channel]!
    const offset = (seen.mean[source]! - meant.mean[channel]!) / meant.std[channel]!
    for (let out = 0; out < width; out++) {
      const begin = (out * channels + channel) * area
      for (let i = begin; i < begin + area; i++) {
        shift[out]! += offset * kernel.data[i]!
        scaled[i] = kernel.data[i]! * scale
      }
    }
  }
  const result = new Map(weights).set(
    'patch_embed.weight',
    hostTensor('float32', kernel.shape, scaled),
  )
  // Without positions there is a bias, which reaches every patch as well.
  const place = positions ? 'pos_embed' : 'patch_embed.bias'
  const { shape, data } = weights.get(place)!
  // The class token, if there is one, has the first row, which no pixel reaches.
  const begin = positions && weights.has('class_token') ? width : 0
  const shifted = Float32Array.from(data, (value, i) =>
    i < begin ? value : value + shift[i % width]!,
  )
  return result.set(place, hostTensor('float32', shape, shifted))
}
