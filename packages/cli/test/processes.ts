// Finds and ends processes by their ids, for tests that kill. Linux, where /proc names the children of a process.
import { readFileSync } from 'node:fs'

export const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export const childrenOf = (pid: number): number[] => {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

export const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // The process had just ended by itself.
  }
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
