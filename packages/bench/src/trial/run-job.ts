// Runs a job in a child process and says what became of it, whatever that is: a result, or why there is none. The child
// can crash, hang or be killed for its memory; nothing of that reaches the caller as anything but an outcome.
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { kernelOomKills } from '../measure/memory.js'
import type { Report } from '@embed-kd/distill'
import type { FromChild, JobKind, Jobs, Order } from './protocol.js'
import { Watch, type Observed } from './watch.js'

export interface JobLimits {
  readonly timeoutSeconds: number
  /** The child is killed once its resident set is larger (Linux). */
  readonly memoryLimitBytes?: number
  /** Ask the driver for the child's device memory and power (NVIDIA), unless its backend computes in host memory. */
  readonly watchDevice?: boolean
  /** Aborting it kills the child; the outcome is then `interrupted`. */
  readonly signal?: AbortSignal
  /** Receives the ids of the child processes whenever one starts or has ended. */
  readonly onChildren?: (pids: Iterable<number>) => void
}

export type Failure = {
  readonly status: 'oom' | 'timeout' | 'error'
  readonly reason: string
  /** The end of what the child wrote to its terminal, or the stack of its error. */
  readonly lastWords?: string
}

export type Outcome<T> =
  | { readonly status: 'ok'; readonly output: T; readonly observed: Observed }
  | Failure
  | { readonly status: 'interrupted' }

/** The built file, from src/ (tests) and dist/ alike: Node cannot run the source. */
const CHILD = fileURLToPath(new URL('../../dist/trial/child.js', import.meta.url))

/**
 * A process whose memory is measured returns what it frees: each larger tensor is mapped by itself, threads share one arena, and
 * JavaScript's young generation stays small. What the allocator would keep for later is then no part of the peak.
 */
const RETURN_HEAP = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: `${2 ** 17}`,
  MALLOC_MMAP_THRESHOLD_: `${2 ** 16}`,
}

/** Child processes that have not ended. */
const running = new Set<number>()

const HANDSHAKE_SECONDS = 60
/** Longest time of a timer (25 days): Node ends longer ones at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const LAST_WORDS = 4000

export function runJob<K extends JobKind>(
  kind: K,
  input: Jobs[K]['input'],
  limits: JobLimits,
  report: Report = () => {},
): Promise<Outcome<Jobs[K]['output']>> {
  const killsBefore = kernelOomKills()
  const child = fork(CHILD, [`${process.pid}`], {
    execArgv: ['--expose-gc', ...(kind === 'memory' ? ['--max-semi-space-size=1'] : [])],
    env: { ...process.env, ...(kind === 'memory' ? RETURN_HEAP : {}) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  const words = lastWordsOf(child)
  if (child.pid !== undefined) running.add(child.pid)
  limits.onChildren?.(running)

  return new Promise((resolve) => {
    /** Why we killed it, where we did. */
    let verdict: Failure | { status: 'interrupted' } | undefined
    let answer: FromChild | undefined
    let phase = 'starting'

    const kill = (reason: NonNullable<typeof verdict>) => {
      verdict ??= reason
      child.kill('SIGKILL')
    }
    const interrupt = () => kill({ status: 'interrupted' })
    limits.signal?.addEventListener('abort', interrupt, { once: true })
    const handshake = setTimeout(
      () =>
        kill({ status: 'error', reason: `the child did not start within ${HANDSHAKE_SECONDS} s` }),
      HANDSHAKE_SECONDS * 1000,
    )
    const timeout = setTimeout(
      () =>
        kill({ status: 'timeout', reason: `not done after ${limits.timeoutSeconds} s (${phase})` }),
      Math.min(limits.timeoutSeconds * 1000, LONGEST_TIMER_MS),
    )
    const { memoryLimitBytes = Infinity, watchDevice = false } = limits
    const watch = new Watch(child.pid!, {
      watchDevice,
      phase: () => phase,
      onRss: (rssBytes) => {
        if (rssBytes > memoryLimitBytes)
          kill({
            status: 'oom',
            reason: `over the memory limit of ${mebibytes(memoryLimitBytes)}: ${mebibytes(rssBytes)} resident (${phase})`,
          })
      },
    })

    child.on('message', (message: FromChild) => {
      if (message.type === 'ready') {
        clearTimeout(handshake)
        child.send({ kind, input } satisfies Order<K>)
      } else if (message.type === 'opened') {
        if (message.hostMemory) watch.endDeviceWatch()
      } else if (message.type === 'progress') {
        phase = `${message.progress.phase} ${message.progress.done}/${message.progress.total}`
        report(message.progress)
      } else answer = message
    })
    child.on('error', (error) => {
      verdict ??= { status: 'error', reason: `the child process failed: ${error.message}` }
    })
    child.on('close', (code, signal) => {
      for (const timer of [handshake, timeout]) clearTimeout(timer)
      running.delete(child.pid!)
      limits.onChildren?.(running)
      const observed = watch.stop()
      limits.signal?.removeEventListener('abort', interrupt)
      if (answer?.type === 'done')
        resolve({ status: 'ok', output: answer.output as Jobs[K]['output'], observed })
      else if (verdict?.status === 'interrupted') resolve(verdict)
      else if (verdict) resolve({ ...verdict, ...words() })
      else if (answer?.type === 'failed') resolve(failureOf(answer, words()))
      else {
        const largestRssBytes = watch.peakRss
        const killedByKernel = (kernelOomKills() ?? 0) > (killsBefore ?? 0)
        resolve({
          ...deathOf({ code, signal, phase, largestRssBytes, killedByKernel, ...words() }),
          ...words(),
        })
      }
    })
  })
}

/** Collects what a child writes; the result gives its end, and nothing where it was silent. */
function lastWordsOf(child: ChildProcess): () => { lastWords?: string } {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      if (process.env['EMBED_KD_DEBUG']) process.stderr.write(chunk)
      text = (text + chunk).slice(-LAST_WORDS)
    })
  return () => (text.trim() === '' ? {} : { lastWords: text.trim() })
}

/** How runtimes say that memory ran out: V8, C++, ONNX Runtime, TensorFlow.js, WebGPU, CUDA. */
const OUT_OF_MEMORY =
  /out of memory|bad_alloc|array buffer allocation failed|invalid (typed )?array length|failed to allocate|allocation failed|device (was )?lost|cudaErrorMemoryAllocation/i

function failureOf(
  { message, stack, forUser }: Extract<FromChild, { type: 'failed' }>,
  words: { lastWords?: string },
): Failure {
  const status = OUT_OF_MEMORY.test(message) ? 'oom' : 'error'
  return { status, reason: message, ...(forUser ? words : { lastWords: words.lastWords ?? stack }) }
}

interface Death {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly phase: string
  readonly largestRssBytes: number
  readonly killedByKernel: boolean
  readonly lastWords?: string
}

/** Why a child ended that neither answered nor was ended by us. */
function deathOf(death: Death): Failure {
  const { code, signal, phase, largestRssBytes, killedByKernel, lastWords = '' } = death
  const last = `during ${phase}, ${mebibytes(largestRssBytes)} resident`
  if (signal === 'SIGKILL' && killedByKernel)
    return { status: 'oom', reason: `killed by the kernel for want of memory ${last}` }
  if (OUT_OF_MEMORY.test(lastWords)) return { status: 'oom', reason: `out of memory ${last}` }
  if (signal)
    return { status: 'error', reason: `ended by ${signal} (sent from outside, or a crash) ${last}` }
  return { status: 'error', reason: `exited with code ${code} ${last}` }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`
