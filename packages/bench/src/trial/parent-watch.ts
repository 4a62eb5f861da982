// A thread of a job's process that ends the process once its parent process is gone, whatever the main thread is doing.
import { workerData } from 'node:worker_threads'

const parent = workerData as number
const POLL_MS = 250

function parentRuns(): boolean {
  // Elsewhere an orphan gets another parent; on Windows the id stays and only the process goes.
  if (process.platform !== 'win32') return process.ppid === parent
  try {
    return process.kill(parent, 0)
  } catch {
    return false
  }
}

setInterval(() => {
  // process.exit would end this thread alone.
  if (!parentRuns()) process.kill(process.pid, 'SIGKILL')
}, POLL_MS)
