// The process of one job. It takes an order from its parent process, works, answers and ends. It writes no record, and ends
// when its parent process does. `fork` this file with the parent's process id as its argument.
import { Worker } from 'node:worker_threads'

import { volunteerForOomKill } from '../measure/memory.js'
import type { Report } from '@embed-kd/distill'
import type { FromChild, Handlers, JobKind, Opened, Order } from './protocol.js'

const handlers: Handlers = {
  trial: async (input, report, opened) =>
    (await import('./run-trial.js')).runTrial(input, report, opened),
  memory: async (input, report, opened) =>
    (await import('./measure-memory.js')).measureMemory(input, report, opened),
  profile: async (input, report) =>
    (await import('./profile-trial.js')).profileTrial(input, report),
  'train-teacher': async (input, report) =>
    (await import('./train-teacher.js')).trainTeacher(input, report),
  embed: async (input, report) => (await import('./embed-teacher.js')).embed(input, report),
  'score-teacher': async (input, report) =>
    (await import('./score-teacher.js')).scoreTeacher(input, report),
  probe: async ({ backend }) => (await import('../measure/probe.js')).probe(backend),
}

const send = (message: FromChild): Promise<void> =>
  new Promise((resolve) => process.send!(message, () => resolve()))

/** Messages come more often than anyone looks. */
const REPORT_EVERY_MS = 100

function reporter(): Report {
  let last = 0
  let phase = ''
  return (progress) => {
    const now = performance.now()
    if (now - last < REPORT_EVERY_MS && progress.phase === phase) return
    last = now
    phase = progress.phase
    void send({ type: 'progress', progress })
  }
}

const opened: Opened = ({ hostMemory }) => void send({ type: 'opened', hostMemory })

async function work<K extends JobKind>({ kind, input }: Order<K>): Promise<FromChild> {
  try {
    if ('config' in input)
      await (await import('./planned-modules.js')).loadPlannedModules(input.config)
    return { type: 'done', output: await handlers[kind](input, reporter(), opened) }
  } catch (error) {
    const { isForUser, messageOf } = await import('@embed-kd/core')
    return {
      type: 'failed',
      message: messageOf(error),
      stack: (error as Error)?.stack ?? '',
      forUser: isForUser(error),
    }
  }
}

if (!process.send) {
  process.stderr.write('this file is run by embed-kd itself; run embed-kd --help\n')
  process.exit(1)
}
volunteerForOomKill()
// Ctrl-C reaches the whole process group; what becomes of the trial is for the parent to say.
process.on('SIGINT', () => {})
process.once('disconnect', () => process.exit(1))
// A synchronous backend blocks this thread for minutes, so another thread looks whether the parent process still runs. Nothing
// else is loaded before that thread is started.
new Worker(new URL('parent-watch.js', import.meta.url), {
  workerData: Number(process.argv[2]),
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
}).unref()
process.once('message', async (order: Order) => {
  await send(await work(order))
  process.exit(0)
})
void send({ type: 'ready' })
