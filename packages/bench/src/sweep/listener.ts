// The events of a sweep, for whoever shows them.
import type { Progress } from '@embed-kd/distill'

export interface SweepListener {
  /** Work begins that may take a while. */
  begin(activity: string): void
  /** The work goes on. @param secondsLeft estimate for the whole sweep. */
  update(progress: Progress, secondsLeft?: number): void
  /** Something happened that is worth keeping in sight. */
  line(text: string): void
  /** The sweep has ended. */
  end(): void
}
