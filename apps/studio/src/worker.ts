// The training worker: it answers the page's messages, one run at a time. It knows nothing of the page.
import { messageOf, UserError } from '@embed-kd/core'
import { readEmbeddings } from '@embed-kd/distill'

import { openDevice, type OpenDevice } from './device.js'
import {
  kindOf,
  type Dataset,
  type Embeddings,
  type FromWorker,
  type RunSettings,
  type ToWorker,
} from './messages.js'
import { metadataOf, type Metadata } from './record.js'
import { Run } from './run.js'
import { forgetRun, keptRun, type SavedRun } from './store.js'
import { embeddingsFor } from './training.js'

const say = (message: FromWorker): void => postMessage(message)

let device: (OpenDevice & { readonly wanted: RunSettings['device'] }) | undefined
let dataset: Dataset | undefined
let teacher: { readonly embeddings: Embeddings; readonly metadata: Metadata } | undefined
/** The first of the runs that were asked for: its student is tried and exported. */
let main: Run | undefined
/** Records of the finished runs, a line of JSON each. */
let records: string[] = []
/** Ends the run in training. */
let pausing: AbortController | undefined
/** Actions that wait until the device is free between two steps; undefined if nothing trains. */
let waiting: (() => Promise<void>)[] | undefined

/** Returns the wanted device, and opens it if it is not open yet. */
async function deviceFor(wanted: RunSettings['device']): Promise<OpenDevice> {
  if (device?.wanted === wanted) return device
  await closeDevice()
  const { name, detail, ...rest } = await openDevice(wanted)
  device = { name, detail, ...rest, wanted }
  say({ type: 'device', name, detail })
  return device
}

/** Frees everything on the device. Errors are dropped: a broken device throws at each call. */
async function closeDevice(): Promise<void> {
  const [run, open] = [main, device]
  main = device = undefined
  await run?.trainer.dispose().catch(() => undefined)
  await open?.backend.dispose().catch(() => undefined)
}

/** Trains one student after another. */
async function train(runs: readonly RunSettings[], saved?: SavedRun): Promise<void> {
  if (!dataset) throw new UserError('there are no images yet', 'choose a folder first')
  await main?.trainer.dispose()
  main = undefined
  records = []
  pausing = new AbortController()
  for (const [i, settings] of runs.entries()) {
    const run = await Run.begin({
      device: await deviceFor(settings.device),
      dataset,
      teacher,
      settings,
      next: runs.slice(i + 1),
      saved: i === 0 ? saved : undefined,
      between,
      say,
    })
    main ??= run
    try {
      await run.train(pausing.signal)
      records.push(await run.record())
    } catch (error) {
      if (!pausing.signal.aborted) throw error
      return say({ type: 'paused' })
    } finally {
      if (run !== main) await run.trainer.dispose().catch(() => undefined)
    }
    say({ type: 'done', last: i === runs.length - 1 })
  }
  await forgetRun()
}

/** Runs the waiting actions. */
async function between(): Promise<void> {
  for (const action of waiting?.splice(0) ?? []) await action()
}

/** Runs an action now, or between two steps of the run in training. */
const whenFree = (action: () => Promise<void>): Promise<void> | undefined => {
  if (!waiting) return onDevice(action)
  waiting.push(action)
  return undefined
}

/** Trains, while other actions wait. */
const training = (action: () => Promise<void>): Promise<void> =>
  onDevice(async () => {
    waiting = []
    try {
      await action()
      await between()
    } finally {
      waiting = undefined
    }
  })

/** Runs an action that uses the device. After a failure the device is closed, and the next action opens it again. */
async function onDevice(action: () => Promise<void>): Promise<void> {
  try {
    await action()
  } catch (error) {
    if (error instanceof UserError) throw error
    await closeDevice()
    throw new UserError(messageOf(error), 'train again, or resume the last run')
  }
}

const handlers: {
  readonly [T in ToWorker['type']]: (message: Extract<ToWorker, { type: T }>) => unknown
} = {
  async data(message) {
    let read: typeof teacher
    if (message.embeddings) {
      const bytes = new Uint8Array(await message.embeddings.arrayBuffer())
      const name = message.embeddings instanceof File ? message.embeddings.name : 'the file'
      const embeddings = embeddingsFor(await readEmbeddings(bytes, name), message.dataset)
      read = { embeddings, metadata: metadataOf(bytes) }
    }
    dataset = message.dataset
    teacher = read
    say({ type: 'data', embeddings: kindOf(read?.embeddings) })
  },
  train: ({ runs }) => training(() => train(runs)),
  resume: () =>
    training(async () => {
      const saved = await keptRun()
      if (!saved) throw new UserError('this browser has kept no run', 'train a student')
      await train([saved.settings, ...saved.next], saved)
    }),
  pause: () => pausing?.abort(),
  predict: ({ image }) =>
    whenFree(async () => {
      if (!main) throw new UserError('there is no student yet', 'train one first')
      const { probabilities } = await main.trainer.predict(image)
      say({ type: 'prediction', probabilities })
    }),
  export: ({ name }) =>
    whenFree(async () => {
      if (!main) throw new UserError('there is no student yet', 'train one first')
      const bytes =
        name === 'record'
          ? new TextEncoder().encode(records.join(''))
          : await main.trainer.export(name)
      say({ type: 'exported', name, bytes })
    }),
}

addEventListener('message', async ({ data }: MessageEvent<ToWorker>) => {
  try {
    await (handlers[data.type] as (message: ToWorker) => unknown)(data)
  } catch (error) {
    say({ type: 'failed', message: messageOf(error) })
    say({ type: 'kept', found: (await keptRun()) !== undefined })
  }
})

say({ type: 'kept', found: (await keptRun()) !== undefined })
