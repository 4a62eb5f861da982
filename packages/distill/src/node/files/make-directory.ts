// Makes a directory and its parents. Node's own recursive call never returns if a file system refuses new directories, as /proc does.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const isDirectory = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()

/** Makes a directory with its parents, if it is not there. @throws the file system's error. */
export function makeDirectory(path: string): void {
  if (isDirectory(path)) return
  const parent = dirname(path)
  if (parent !== path) makeDirectory(parent)
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isDirectory(path)) throw error
  }
}
