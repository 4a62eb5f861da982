// Progress of long work on the terminal: lines that stay and, if the terminal can rewrite its last line, a line that says what
// is going on now. Progress goes to standard error, since standard output is for results.
import type { SweepListener } from '@embed-kd/bench'
import type { Progress } from '@embed-kd/distill'
import { formatDuration } from '@embed-kd/records/terminal'

/** The parts of a stream that the display uses. */
export interface ProgressStream {
  readonly isTTY?: boolean
  /** Absent or 0 if the terminal does not tell. */
  readonly columns?: number
  write(text: string): unknown
}

/** Milliseconds between two signs of life of long work, if lines cannot be rewritten. */
const HEARTBEAT_MS = 30_000

export class ProgressDisplay implements SweepListener {
  readonly #stream: ProgressStream
  #activity = ''
  #lastBeat = performance.now()
  #status = ''

  constructor(stream: ProgressStream = process.stderr) {
    this.#stream = stream
  }

  /** Shows what is worked on from now on. */
  begin(activity: string): void {
    this.#activity = activity
    this.#lastBeat = performance.now()
    this.#show(activity)
  }

  /** Shows how far the work is. @param secondsLeft estimate for the whole sweep. */
  update({ phase, done, total }: Progress, secondsLeft?: number): void {
    const left = secondsLeft === undefined ? '' : `, about ${formatDuration(secondsLeft)} left`
    const share = total > 1 ? ` ${Math.floor((100 * done) / total)} %` : ''
    this.#show(`${this.#activity}: ${phase}${share}${left}`)
  }

  /** Prints a line that stays. */
  line(text: string): void {
    this.#clear()
    this.#stream.write(`${text}\n`)
    if (this.#status !== '') this.#stream.write(this.#status)
  }

  /** Removes the line that says what is going on. */
  end(): void {
    this.#clear()
    this.#status = ''
  }

  #show(text: string): void {
    if (this.#stream.isTTY) {
      this.#clear()
      this.#status = text.slice(0, (this.#stream.columns || 80) - 1)
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
