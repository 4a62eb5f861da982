// Ends the processes that a killed sweep left behind, so that they do not slow down what is measured next.
import { isRunning, type ProcessName } from '@embed-kd/distill/node'

/** A child ends by itself within 2 s of its parent. */
const PATIENCE_MS = 3000
const POLL_MS = 50

/** Waits until the processes have ended, and kills those that take too long. */
export function endSurvivors(processes: readonly ProcessName[]): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const waitForEnd = () => {
    for (let ms = 0; ms < PATIENCE_MS && processes.some(isRunning); ms += POLL_MS)
      Atomics.wait(sleeper, 0, 0, POLL_MS)
  }
  waitForEnd()
  const left = processes.filter(isRunning)
  if (left.length === 0) return
  // Without its time of start a process id may name another process by now.
  for (const { pid, start } of left) if (start !== '') process.kill(pid, 'SIGKILL')
  waitForEnd()
}
