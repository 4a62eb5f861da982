// The page: it wires settings, files and buttons to the training worker. Nothing here waits for the runtime.
import { messageOf, methods, UserError } from '@embed-kd/core'

import { decode, loadMnist, readFolder } from './data.js'
import { downloadFile, registerOffline } from './browser.js'
import { Facts } from './facts.js'
import type { Dataset, FromWorker, RunSettings, ToWorker } from './messages.js'
import { Pad } from './pad.js'
import { RunView } from './run-view.js'
import { Settings } from './settings.js'
import { button, element, show } from './dom.js'

const [start, pause, resume] = [button('start'), button('pause'), button('resume')]
const status = (text: string): void => {
  element('status').textContent = text
}

const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a message to a worker has no target origin
const send = (message: ToWorker): void => worker.postMessage(message)

interface Data {
  readonly dataset: Dataset
  readonly embeddings: Blob | undefined
}
/** The images and embeddings that the worker has accepted. */
let data: Data | undefined
/** The images and embeddings that the worker is checking. */
let offered: Data | undefined

/** Views of the runs since the button was pressed. */
let views: RunView[] = []
let training = false

const settings = new Settings()
const facts = new Facts()
const pad = new Pad((image) => {
  if (data) send({ type: 'predict', image })
})

function fail(message: string): void {
  show('error', true)
  element('error').textContent = message
  idle()
}

function busy(): void {
  training = true
  show('error', false)
  show('resume', false)
  show('pause', true)
  pause.disabled = false
  start.disabled = true
}

function idle(): void {
  training = false
  start.disabled = false
  show('pause', false)
}

/** Runs an action, and shows its error in the page. */
const attempt = (action: () => Promise<void>) => (): void =>
  void action().catch((error: unknown) => fail(messageOf(error)))

const accuracies = (): string =>
  views.map(({ label, accuracy }) => `${label} ${accuracy}`).join(', ')

const handlers: {
  readonly [T in FromWorker['type']]: (message: Extract<FromWorker, { type: T }>) => unknown
} = {
  kept: ({ found }) => show('resume', found && !training),
  device: ({ name, detail }) => facts.device(name, detail),
  data({ embeddings }) {
    data = offered!
    facts.data(data.dataset, data.embeddings, embeddings)
    pad.dataset = data.dataset
    settings.suit(embeddings)
    status('Ready.')
    idle()
  },
  started({ settings: { method, student, batch }, points, totalSteps }) {
    const view = new RunView({ method, student, batch }, data!.dataset.classNames, totalSteps)
    view.resume(points)
    views.push(view)
    element('runs').append(view.element)
    if (views.length === 1) view.scrollIntoView()
    status(`Training ${methods[method].label}: the first step compiles the graph…`)
  },
  step(message) {
    const view = views.at(-1)!
    if (view.steps === 0) status(`Training ${view.label}.`)
    view.step(message)
  },
  snapshot: ({ snapshot }) => views.at(-1)?.snapshot(snapshot),
  epoch: ({ epoch: { epoch, accuracy, seconds } }) =>
    status(
      `Epoch ${epoch} took ${seconds.toFixed(0)} s: ${(100 * accuracy).toFixed(1)} % of the test images are classified correctly.`,
    ),
  paused() {
    status('Paused. The run is kept in this browser.')
    idle()
    show('resume', true)
  },
  done({ last }) {
    views.at(-1)!.end()
    if (!last) return
    status(
      `Done. Test images classified correctly: ${accuracies()}. Try the student below, or keep it.`,
    )
    for (const id of ['onnx', 'safetensors', 'record']) button(id).disabled = false
    idle()
  },
  prediction: ({ probabilities }) => pad.answer(probabilities),
  exported: ({ name, bytes }) => downloadFile(name, bytes),
  failed: ({ message }) => fail(message),
}

worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) =>
  (handlers[data.type] as (message: FromWorker) => unknown)(data),
)
worker.addEventListener('error', () =>
  fail('The training worker could not start; reload the page, or use a current browser.'),
)

/** Offers images and embeddings to the worker. It answers with `data`, or with a failure that changes nothing. */
function offer(next: Data): void {
  show('error', false)
  offered = next
  send({ type: 'data', ...next })
}

function train(): void {
  views = []
  element('runs').replaceChildren()
  for (const id of ['onnx', 'safetensors', 'record']) button(id).disabled = true
  busy()
}

const begin = (runs: readonly RunSettings[]): void => {
  train()
  send({ type: 'train', runs })
}

/** The images that come with the page. Training waits until they are loaded. */
const loaded = loadMnist()

element<HTMLFormElement>('settings').addEventListener('submit', (event) => {
  event.preventDefault()
  attempt(async () => {
    busy()
    status('Waiting for the images…')
    await loaded
    begin(settings.runs())
  })()
})
pause.addEventListener('click', () => {
  pause.disabled = true
  status('Pausing after this step…')
  send({ type: 'pause' })
})
resume.addEventListener(
  'click',
  attempt(async () => {
    busy()
    status('Resuming the last run…')
    await loaded
    train()
    send({ type: 'resume' })
  }),
)
for (const name of ['onnx', 'safetensors', 'record'] as const)
  button(name).addEventListener('click', () => send({ type: 'export', name }))

const file = element<HTMLInputElement>('embeddings')
const folder = element<HTMLInputElement>('folder')
/** The file of embeddings that was chosen last. A refused file is kept: the next folder may have its images. */
let chosen: File | undefined
// Without this, a file that was corrected on disk could not be chosen again: its name has not changed.
for (const input of [file, folder]) input.addEventListener('click', () => (input.value = ''))
const whileIdle = (): void => {
  if (training) throw new UserError('a student is training', 'pause it first, then choose')
}
file.addEventListener(
  'change',
  attempt(async () => {
    whileIdle()
    chosen = file.files?.[0]
    if (data && chosen) offer({ ...data, embeddings: chosen })
  }),
)
folder.addEventListener(
  'change',
  attempt(async () => {
    whileIdle()
    show('error', false)
    const dataset = await readFolder([...folder.files!], (read, all) =>
      status(`Reading images: ${read} of ${all}.`),
    )
    offer({ dataset, embeddings: chosen })
  }),
)

pad.onDrop((dropped) => {
  if (data) attempt(async () => pad.show(await decode(dropped, data!.dataset.size)))()
})

registerOffline((text) => (element('offline').textContent = text))
attempt(async () => offer(await loaded))()
