// Fuzzes readers in child processes, so that a hang, a crash or a flood of memory is found and counted instead of ending the run.
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('child.js', import.meta.url))
/** Longer than any reader's own deadline. */
const DEADLINE_MS = 60_000
export const MEMORY_LIMIT_BYTES = 512 * 2 ** 20
const SAMPLE_EVERY_MS = 20
/** A library that leaks a little with each file is no finding. */
const TRIES_PER_CHILD = 500

/** Resident bytes of a process; 0 where the system does not tell (only Linux does). */
function residentBytes(pid) {
  try {
    return 4096 * Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}

/**
 * Tries `count` damaged files on the reader `target`.
 * @returns {Promise<{ target: string, tried: number, read: number, clear: number, findings: { kind: string, index: number, file: string, message: string }[], addedBytes: number }>}
 */
export async function fuzz(target, count, seed = 1) {
  const result = { target, tried: 0, read: 0, clear: 0, findings: [], addedBytes: 0 }
  for (let next = 0; next < count;)
    next = await runChild(target, next, Math.min(next + TRIES_PER_CHILD, count), seed, result)
  return result
}

/** Runs a child until it ends or is ended. Resolves with the number of the next try. */
function runChild(target, from, to, seed, result) {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [target, from, to, seed].map(String), {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let words = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (words = (words + text).slice(-2000)))
    let baseline
    let current
    let deadline
    let ended
    const end = (kind) => {
      ended ??= kind
      child.kill('SIGKILL')
    }
    const sampler = setInterval(() => {
      if (baseline === undefined) return
      const added = residentBytes(child.pid) - baseline
      result.addedBytes = Math.max(result.addedBytes, added)
      if (added > MEMORY_LIMIT_BYTES) end('memory')
    }, SAMPLE_EVERY_MS)
    child.on('message', (message) => {
      if (message.type === 'ready') baseline = residentBytes(child.pid)
      else if (message.type === 'trying') {
        current = message
        deadline = setTimeout(() => end('hang'), DEADLINE_MS)
      } else {
        clearTimeout(deadline)
        current = undefined
        result.tried++
        const { outcome, index, file, message: text = '' } = message
        if (outcome === 'unclear')
          result.findings.push({ kind: outcome, index, file, message: text })
        else result[outcome]++
      }
    })
    child.on('close', (code, signal) => {
      clearTimeout(deadline)
      clearInterval(sampler)
      if (baseline === undefined) return reject(new Error(`${target} did not start: ${words}`))
      if (!current) return resolve(code === 0 ? to : from + TRIES_PER_CHILD)
      const { index, file } = current
      result.tried++
      const message = ended ? '' : `ended by ${signal ?? `exit code ${code}`}: ${words}`
      result.findings.push({ kind: ended ?? 'crash', index, file, message })
      resolve(index + 1)
    })
  })
}
