// Ctrl-C during a training: the first ends it between two steps, so that a checkpoint can be written; the second ends the process.
import { InterruptedError } from '@embed-kd/distill/node'

/** Exit code of a process that Ctrl-C ended. */
const INTERRUPTED = 130

/**
 * Calls `work` with a signal that Ctrl-C aborts.
 * @returns undefined if `work` was interrupted; what is kept and how to go on has been printed.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  tell: (message: string) => void,
): Promise<T | undefined> {
  const controller = new AbortController()
  const abort = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED)
    tell('interrupted: writing a checkpoint after this step (Ctrl-C again ends at once)')
    controller.abort()
  }
  process.on('SIGINT', abort)
  try {
    return await work(controller.signal)
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = INTERRUPTED
    return undefined
  } finally {
    process.off('SIGINT', abort)
  }
}
