// The training worker: one student at a time on the best backend of this browser. It knows nothing of the page.
import { tfjsBackend } from '@embed-kd/backend-tfjs'
import { messageOf, methods, type Backend, type HostTensor } from '@embed-kd/core'
import {
  arrayBatches,
  readEmbeddings,
  Trainer,
  type Centroids,
  type EpochPosition,
  type SampleEmbeddings,
} from '@embed-kd/distill'

import type {
  Dataset,
  EpochResult,
  FromWorker,
  LossPoint,
  RunSettings,
  SavedRun,
  Snapshot,
  ToWorker,
} from './messages.js'

const say = (message: FromWorker): void => postMessage(message)

let backend: Promise<Backend> | undefined
let dataset: Dataset | undefined
let teacher: Centroids | SampleEmbeddings | undefined
let trainer: Trainer | undefined
let pausing: AbortController | undefined

/** Opens WebGPU if this browser has it on a device of its own, else WebAssembly. */
async function openBackend(): Promise<Backend> {
  for (const device of ['webgpu', 'wasm']) {
    const found = await tfjsBackend.probe(device)
    if (!found.available) continue
    const opened = await tfjsBackend.create(device)
    const threads = device === 'wasm' && crossOriginIsolated ? 'with threads' : undefined
    const detail = [found.detail, threads].filter(Boolean).join(', ')
    say({ type: 'backend', name: opened.name, detail })
    return opened
  }
  throw new Error('this browser has neither WebGPU nor WebAssembly; try a current one')
}

/** Test images whose embeddings are shown. */
const SHOWN = 300
/** What is shown takes at most one part in so many of a run's time. */
const SNAPSHOT_SHARE = 6

async function train(settings: RunSettings, saved: SavedRun | undefined): Promise<void> {
  if (!dataset) throw new Error('there are no images yet; choose some first')
  const { channels, size, classNames, train: training, test } = dataset
  const { method, epochs, batch, seed, learningRate, student } = settings
  await trainer?.dispose()
  trainer = await Trainer.create({
    backend: await (backend ??= openBackend()),
    student,
    method,
    ...teacherFor(method),
    classes: classNames.length,
    images: { channels, size },
    batch,
    seed,
    learningRate,
    totalSteps: epochs * Math.floor(training.labels.length / batch),
  } as Parameters<typeof Trainer.create>[0])
  if (saved) await trainer.restore(saved.checkpoint)
  const current = trainer
  const points: LossPoint[] = [...(saved?.points ?? [])]
  const results: EpochResult[] = [...(saved?.epochs ?? [])]
  let position: EpochPosition | undefined = saved?.position as EpochPosition | undefined
  const save = async (): Promise<SavedRun> => ({
    settings,
    checkpoint: await current.export('checkpoint'),
    position,
    points,
    epochs: results,
  })
  let [counted, since, nextSnapshot] = [0, performance.now(), 0]
  pausing = new AbortController()
  try {
    const run = current.fit(arrayBatches(training, { batch, seed, channels }), {
      epochs,
      validation: arrayBatches(test, { batch: 250, order: 'as given', channels }),
      signal: pausing.signal,
      ...(position ? { from: position } : {}),
      async onStep({ step, totalSteps, metrics, position: here }) {
        position = here
        counted += batch
        if (!metrics) return
        points.push([step, metrics.loss])
        const now = performance.now()
        const imagesPerSecond = (1000 * counted) / (now - since)
        say({
          type: 'step',
          step,
          totalSteps: totalSteps ?? 0,
          loss: metrics.loss,
          imagesPerSecond,
        })
        if (now < nextSnapshot) return
        say({ type: 'snapshot', snapshot: await snapshot(current) })
        const took = performance.now() - now
        nextSnapshot = now + SNAPSHOT_SHARE * took
        // The rate is that of training alone.
        since += took
      },
    })
    for await (const { epoch, accuracy, trainLoss, seconds } of run) {
      results.push({ epoch, accuracy: accuracy ?? 0, trainLoss, seconds })
      say({ type: 'snapshot', snapshot: await snapshot(current) })
      say({ type: 'epoch', epoch: results.at(-1)!, saved: await save() })
    }
    say({ type: 'done' })
  } catch (error) {
    if (!pausing.signal.aborted) throw error
    say({ type: 'paused', saved: await save() })
  }
}

/** @throws if the method needs other embeddings than there are. */
function teacherFor(method: RunSettings['method']): object {
  const kind = methods[method].teacher
  if (kind === 'none') return {}
  if (teacher?.kind !== kind)
    throw new Error(
      `${method} learns from ${kind}, and ${teacher ? `the file has ${teacher.kind}` : 'no file is chosen'}; choose another method or file`,
    )
  return { teacher: { [kind]: teacher } }
}

async function snapshot(trainer: Trainer): Promise<Snapshot> {
  const { test, channels, size } = dataset!
  const each = channels * size * size
  const shown = Math.min(SHOWN, test.labels.length)
  const { embeddings } = await trainer.predict(test.images.subarray(0, shown * each))
  const { confusion, accuracy } = await trainer.evaluate(
    arrayBatches(test, { batch: 250, order: 'as given', channels }),
  )
  return {
    width: embeddings.length / shown,
    embeddings,
    labels: test.labels.slice(0, shown),
    centroids: projectCentroids(await trainer.parameters()),
    confusion,
    accuracy,
  }
}

/** Returns the centroids in the student's space, as the student's projection of the teacher places them. */
function projectCentroids(parameters: ReadonlyMap<string, HostTensor>): Float32Array {
  const weight = parameters.get('teacher_proj.weight')
  const bias = parameters.get('teacher_proj.bias')
  if (teacher?.kind !== 'centroids' || !weight || !bias) return new Float32Array()
  const [out, width] = weight.shape as [number, number]
  const rows = teacher.vectors.length / width
  const projected = new Float32Array(rows * out)
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < out; k++) {
      let sum = bias.data[k]!
      for (let i = 0; i < width; i++)
        sum += weight.data[k * width + i]! * teacher.vectors[row * width + i]!
      projected[row * out + k] = sum
    }
  return projected
}

const handlers: {
  readonly [T in ToWorker['type']]: (message: Extract<ToWorker, { type: T }>) => unknown
} = {
  open: () => (backend ??= openBackend()),
  async data(message) {
    const read = message.embeddings && (await readEmbeddings(message.embeddings))
    const classes = message.dataset.classNames.length
    if (read?.kind === 'centroids' && read.classes !== classes)
      throw new Error(`the file has ${read.classes} classes, the images have ${classes}`)
    dataset = message.dataset
    teacher = read
    say({ type: 'data', embeddings: read?.kind ?? 'none' })
  },
  train: ({ settings, saved }) => train(settings, saved),
  pause: () => pausing?.abort(),
  async predict({ image }) {
    if (!trainer) return
    const { probabilities } = await trainer.predict(image)
    say({ type: 'prediction', probabilities })
  },
  async export({ format }) {
    if (!trainer) throw new Error('there is no student yet; train one first')
    say({ type: 'exported', format, bytes: await trainer.export(format) })
  },
}

addEventListener('message', async ({ data }: MessageEvent<ToWorker>) => {
  try {
    await (handlers[data.type] as (message: ToWorker) => unknown)(data)
  } catch (error) {
    say({ type: 'failed', message: messageOf(error) })
  }
})
