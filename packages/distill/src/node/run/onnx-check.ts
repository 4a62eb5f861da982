// Runs an exported ONNX file in ONNX Runtime itself, on images of the data set, to show that the file is the student.
import {
  embedGraph,
  hostTensor,
  isClassifier,
  type Backend,
  type DeviceBuffer,
  type HostTensor,
} from '@embed-kd/core'

import { evaluationBatches } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { createInputWriter, type ModelInput } from '../data/input.js'
import { wholeSplit } from '../data/subsets.js'
import { runOnnx, type TrainedModel } from './export.js'

/** Results of the exported file in ONNX Runtime itself. */
export interface OnnxCheck {
  /** Number of test images, or of training images without labels. */
  readonly images: number
  readonly accuracy?: number
  /** Greatest difference between embeddings of the file and of the training backend; without labels only. */
  readonly embedding_difference?: number
}

/** Checks an exported file: its accuracy on test images, or without labels its embeddings of training images. */
export const checkOnnx = (
  backend: Backend,
  file: string,
  trained: TrainedModel,
  dataset: Dataset,
  normalise: boolean,
): Promise<OnnxCheck> =>
  isClassifier(trained.model)
    ? accuracyOf(file, trained, dataset, normalise)
    : differenceOf(backend, file, trained, dataset, normalise)

/** Number of images that are enough to show that the file is the student. */
const CHECKED_IMAGES = 500

/** Reads images of a split, spread over it since folders of images come class after class, as the student and its file take them. */
async function readChecked(
  dataset: Dataset,
  which: 'train' | 'test',
  input: ModelInput,
  normalise: boolean,
): Promise<{ student: HostTensor; file: HostTensor; labels: Int32Array; count: number }> {
  const { channels, height, width } = dataset
  const { count: all } = dataset[which]
  const count = Math.min(all, CHECKED_IMAGES)
  const indices = Int32Array.from({ length: count }, (_, i) => Math.floor((i * all) / count))
  const subset = { ...wholeSplit(dataset, which), indices }
  const { pixels, labels } = await evaluationBatches(subset, count).read(0)
  const raw = { mean: input.mean.map(() => 0), std: input.std.map(() => 1) }
  const tensorOf = (as: ModelInput) => {
    const images = hostTensor('float32', [count, channels, height, width])
    createInputWriter(dataset, as)(pixels, count, images.data)
    return images
  }
  const student = tensorOf(input)
  return { student, file: normalise ? tensorOf({ ...input, ...raw }) : student, labels, count }
}

/** Compares the exported file's embeddings of training images in ONNX Runtime itself with those of the training backend. */
async function differenceOf(
  backend: Backend,
  file: string,
  { model, parameters, input }: TrainedModel,
  dataset: Dataset,
  normalise: boolean,
): Promise<OnnxCheck> {
  const images = await readChecked(dataset, 'train', input, normalise)
  const { channels, height: size, width } = dataset
  const executable = await backend.compile(
    embedGraph(model, images.count, { channels, size, width }),
  )
  const buffers: Record<string, DeviceBuffer> = {}
  for (const { name } of executable.graph.inputs)
    buffers[name] = await backend.upload(
      name === 'batch.images' ? images.student : parameters.get(name.slice('teacher.'.length))!,
    )
  const { embeddings } = await executable.run(buffers)
  const { data } = await backend.read(embeddings!)
  for (const buffer of [...Object.values(buffers), embeddings!]) buffer.dispose()
  await executable.dispose()
  const found = await runOnnx(file, images.file, 'embeddings')
  const difference = found.reduce((most, x, i) => Math.max(most, Math.abs(x - data[i]!)), 0)
  return { images: images.count, embedding_difference: difference }
}

/** Classifies test images with the exported file, in ONNX Runtime itself. */
async function accuracyOf(
  path: string,
  { input }: TrainedModel,
  dataset: Dataset,
  normalise: boolean,
): Promise<OnnxCheck> {
  const { file, labels, count } = await readChecked(dataset, 'test', input, normalise)
  const scores = await runOnnx(path, file)
  let right = 0
  for (let i = 0; i < count; i++) {
    const row = scores.subarray(i * dataset.classes, (i + 1) * dataset.classes)
    const best = row.indexOf(row.reduce((a, b) => Math.max(a, b)))
    if (best === labels[i]) right++
  }
  return { images: count, accuracy: right / count }
}
