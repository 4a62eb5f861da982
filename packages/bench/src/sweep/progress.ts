// What a sweep shows while it runs: a line for each trial that ends, and where the terminal can be rewritten a last line
// with what is going on now. It writes to standard error, so that standard output stays for results.
import type { BenchRecord } from '@embed-kd/records'

import { formatBytes, formatDuration, formatSeconds, formatShare } from '@embed-kd/records/terminal'
import type { Progress } from '@embed-kd/distill'

/** The stream's part that is used. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Where lines cannot be rewritten, a long trial says that it is alive this often. */
const HEARTBEAT_MS = 30_000

export class ProgressDisplay {
  readonly #stream: ProgressStream
  #activity = ''
  #lastBeat = performance.now()
  #status = ''

  constructor(stream: ProgressStream = process.stderr) {
    this.#stream = stream
  }

  /** What is worked on from now on. */
  begin(activity: string): void {
    this.#activity = activity
    this.#lastBeat = performance.now()
    this.#show(activity)
  }

  /** How far it is. @param secondsLeft of the whole sweep, where that can be guessed. */
  update({ phase, done, total }: Progress, secondsLeft?: number): void {
    const left = secondsLeft === undefined ? '' : `, about ${formatDuration(secondsLeft)} left`
    const share = total > 1 ? ` ${Math.floor((100 * done) / total)} %` : ''
    this.#show(`${this.#activity}: ${phase}${share}${left}`)
  }

  /** A line that stays. */
  line(text: string): void {
    this.#clear()
    this.#stream.write(`${text}\n`)
    if (this.#status !== '') this.#stream.write(this.#status)
  }

  /** The status line goes; nothing more is shown. */
  end(): void {
    this.#clear()
    this.#status = ''
  }

  #show(text: string): void {
    if (this.#stream.isTTY) {
      this.#clear()
      this.#status = text.slice(0, (this.#stream.columns ?? 80) - 1)
      this.#stream.write(this.#status)
    } else if (performance.now() - this.#lastBeat > HEARTBEAT_MS) {
      this.#lastBeat = performance.now()
      this.#stream.write(`${text}\n`)
    }
  }

  #clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001B[2K')
  }
}

/** What became of a trial, in a few words. */
export function describeResult(record: BenchRecord): string {
  const { status, reason, time, memory, accuracy, costOnly } = record
  if (status !== 'ok') return `${status}: ${reason}`
  const added = memory && formatBytes(Math.max(memory.peakRssBytes - memory.baselineRssBytes, 0))
  return [
    ...(accuracy === undefined ? [] : [`accuracy ${formatShare(accuracy)}`]),
    ...(time
      ? [
          `${formatSeconds(time.medianSeconds)} a step`,
          `${time.imagesPerSecond.toFixed(0)} images/s`,
        ]
      : []),
    ...(added === undefined ? [] : [`peak ${added} over the runtime's`]),
    ...(costOnly ? ['cost only'] : []),
  ].join(', ')
}
