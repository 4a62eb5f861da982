// The page: settings, the training worker, and what it tells.
import { methods } from '@embed-kd/core'

import { decode, loadMnist, readFolder } from './data.js'
import {
  studioMethods,
  type Dataset,
  type FromWorker,
  type RunSettings,
  type SavedRun,
  type StudioMethod,
  type ToWorker,
} from './messages.js'
import { drawingPad } from './pad.js'
import { RunView } from './run-view.js'
import { forgetRun, keepRun, keptRun } from './store.js'

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T
const [start, pause, resume] = ['start', 'pause', 'resume'].map((id) =>
  find<HTMLButtonElement>(id),
) as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement]
const status = (text: string) => (find('status').textContent = text)

/** Side to which images of a reader's own folder are resized. */
const FOLDER_SIZE = 32

const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a message to a worker has no target origin
const send = (message: ToWorker): void => worker.postMessage(message)

let dataset: Dataset
let embeddings: Blob | undefined
let view: RunView | undefined
/** Runs that follow the one in training. */
let queue: RunSettings[] = []

function fail(message: string): void {
  const error = find('error')
  error.textContent = message
  error.hidden = false
  idle()
}

function idle(): void {
  start.disabled = false
  pause.disabled = true
}

function settingsOf(method: StudioMethod): RunSettings {
  const value = (id: string) => find<HTMLInputElement>(id).valueAsNumber
  return {
    method,
    student: find<HTMLSelectElement>('student').value,
    epochs: value('epochs'),
    batch: value('batch'),
    learningRate: value('rate'),
    seed: 0,
  }
}

function train(settings: RunSettings, saved?: SavedRun): void {
  find('error').hidden = true
  resume.hidden = true
  start.disabled = true
  pause.disabled = false
  view = new RunView(settings, dataset.classNames, saved?.points ?? [])
  find('runs').append(view.element)
  status(`Training ${methods[settings.method].label}: the first step compiles the graph…`)
  send({ type: 'train', settings, ...(saved ? { saved } : {}) })
}

const handlers: {
  readonly [T in FromWorker['type']]: (message: Extract<FromWorker, { type: T }>) => unknown
} = {
  backend: ({ name, detail }) => status(`Ready on ${name}${detail ? ` (${detail})` : ''}.`),
  data({ embeddings }) {
    const { name, train, test } = dataset
    find('source').textContent =
      `${name}: ${train.labels.length} training and ${test.labels.length} test images; embeddings: ${embeddings}.`
    idle()
  },
  step({ step, totalSteps, loss, imagesPerSecond }) {
    view?.step(step, totalSteps, loss, imagesPerSecond)
    status(`Training: step ${step} of ${totalSteps}.`)
  },
  snapshot: ({ snapshot }) => view?.snapshot(snapshot),
  epoch({ epoch: { epoch, accuracy, seconds }, saved }) {
    status(
      `Epoch ${epoch}: ${(100 * accuracy).toFixed(1)} % of the test images are right, after ${seconds.toFixed(0)} s.`,
    )
    void keepRun(saved)
  },
  async paused({ saved }) {
    queue = []
    await keepRun(saved)
    status('Paused. The run is kept in this browser.')
    resume.hidden = false
    idle()
  },
  done() {
    view?.end()
    void forgetRun()
    for (const id of ['onnx', 'safetensors']) find<HTMLButtonElement>(id).disabled = false
    const next = queue.shift()
    if (next) return train(next)
    status(`Done: ${view?.accuracy} of the test images are right. Try it below, or keep it.`)
    idle()
  },
  prediction({ probabilities }) {
    const ranked = [...probabilities]
      .map((probability, label) => ({ probability, name: dataset.classNames[label]! }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, 3)
    find('answer').textContent = ranked
      .map(({ name, probability }) => `${name}: ${(100 * probability).toFixed(0)} %`)
      .join(' · ')
  },
  exported({ format, bytes }) {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([bytes as BlobPart]))
    link.download = format === 'onnx' ? 'model.onnx' : 'model.safetensors'
    link.click()
    URL.revokeObjectURL(link.href)
  },
  failed: ({ message }) => fail(message),
}

worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) =>
  (handlers[data.type] as (message: FromWorker) => unknown)(data),
)
worker.addEventListener('error', () =>
  fail('The training worker could not start. Reload the page, or try another browser.'),
)

const giveData = () => send({ type: 'data', dataset, embeddings })

/** Runs what a reader asked for; its errors are the reader's to see. */
const attempt = (action: () => Promise<void>) => () =>
  void action().catch((error: Error) => fail(error.message))

function chooseMethods(): void {
  const [method, other] = [find<HTMLSelectElement>('method'), find<HTMLSelectElement>('other')]
  for (const name of studioMethods) {
    method.add(new Option(methods[name].label, name))
    other.add(new Option(methods[name].label, name))
  }
  other.add(new Option('nothing', ''), 0)
  other.value = ''
}

find<HTMLFormElement>('settings').addEventListener('submit', (event) => {
  event.preventDefault()
  find('runs').replaceChildren()
  const [method, other] = ['method', 'other'].map((id) => find<HTMLSelectElement>(id).value)
  queue = other ? [settingsOf(other as StudioMethod)] : []
  train(settingsOf(method as StudioMethod))
})
pause.addEventListener('click', () => {
  pause.disabled = true
  send({ type: 'pause' })
})
resume.addEventListener(
  'click',
  attempt(async () => {
    const saved = await keptRun()
    if (!saved) throw new Error('this browser has kept no run')
    find('runs').replaceChildren()
    train(saved.settings, saved)
  }),
)
for (const format of ['onnx', 'safetensors'] as const)
  find(format).addEventListener('click', () => send({ type: 'export', format }))

find('embeddings').addEventListener('change', () => {
  embeddings = find<HTMLInputElement>('embeddings').files?.[0]
  giveData()
})
find('folder').addEventListener(
  'change',
  attempt(async () => {
    status('Reading the images…')
    dataset = await readFolder([...find<HTMLInputElement>('folder').files!], FOLDER_SIZE)
    embeddings = find<HTMLInputElement>('embeddings').files?.[0]
    giveData()
    status('The images are ready.')
  }),
)

const pad = find<HTMLCanvasElement>('pad')
const { clear } = drawingPad(pad, (digit) => {
  if (dataset.channels === 1) send({ type: 'predict', image: digit })
})
find('clear').addEventListener('click', clear)
pad.addEventListener('dragover', (event) => event.preventDefault())
pad.addEventListener('drop', (event) => {
  event.preventDefault()
  const file = event.dataTransfer?.files[0]
  if (file)
    attempt(async () => {
      const planes = await decode(file, dataset.size)
      const image = planes.subarray(0, dataset.channels * dataset.size ** 2)
      send({ type: 'predict', image })
    })()
})

chooseMethods()
send({ type: 'open' })
attempt(async () => {
  dataset = await loadMnist()
  const file = await fetch('mnist-centroids.safetensors')
  if (!file.ok) throw new Error('the centroids could not be loaded')
  embeddings = await file.blob()
  giveData()
  resume.hidden = (await keptRun()) === undefined
})()
