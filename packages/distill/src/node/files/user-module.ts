// Modules that users write: methods and backends. Finds, imports and digests them, and says in a user's terms what is wrong.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'

import { guess, messageOf, UserError } from '@embed-kd/core'

/** A module as records name it. */
export interface ModuleReference {
  /** Path from the working directory, with forward slashes, or the name of a package. */
  readonly specifier: string
  /** SHA-256 of the module and of the files that it imports by relative paths, which packages are not. */
  readonly digest: string
}

export interface UserModule extends ModuleReference {
  readonly exports: Readonly<Record<string, unknown>>
}

/** Returns whether a user's word is the path of a module rather than a name. */
export const isModulePath = (word: string): boolean =>
  isAbsolute(word) || /^\.{1,2}[/\\]|\.[cm]?[jt]sx?$/.test(word)

/** Returns a path as one from the working directory: `./my-method.js`. */
export function specifierOf(path: string): string {
  const from = relative(process.cwd(), resolve(path)).split(sep).join('/')
  return from.startsWith('../') || isAbsolute(from) ? from : `./${from}`
}

/**
 * Imports a module of a user's.
 * @param what content that the module should have, for messages: `method`.
 * @throws UserError if there is no such file, this Node cannot import it, or it fails while it loads.
 */
export async function importUserModule(path: string, what: string): Promise<UserModule> {
  const file = resolve(path)
  const specifier = specifierOf(path)
  requireFile(file, specifier, what)
  try {
    const exports = (await import(pathToFileURL(file).href)) as UserModule['exports']
    return { specifier, digest: digestModule(file), exports }
  } catch (error) {
    throw loadingError(error, specifier, what)
  }
}

function requireFile(file: string, specifier: string, what: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return
  let beside: string[] = []
  try {
    beside = readdirSync(dirname(file)).filter((name) => name !== basename(file))
  } catch {
    // There is no such directory either.
  }
  throw new UserError(
    `there is no file ${specifier}`,
    `${guess(basename(file), beside)}give the path of a module that exports a ${what}`,
  )
}

function loadingError(error: unknown, specifier: string, what: string): UserError {
  const message = messageOf(error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[cm]?tsx?$/.test(specifier))
    return new UserError(
      `Node ${process.versions.node} cannot import TypeScript: ${specifier}`,
      'compile the module to JavaScript, or use Node 22.18 or later',
    )
  const missing = /^Cannot find package '([^']+)'/.exec(message)?.[1]
  if (code === 'ERR_MODULE_NOT_FOUND' && missing !== undefined)
    return new UserError(
      `${specifier} imports ${missing}, which is not installed beside it`,
      `npm install ${missing}`,
    )
  return new UserError(
    `the ${what} ${specifier} cannot be loaded: ${message}`,
    `run it by itself to see where it fails: node ${specifier}`,
  )
}

/** Finds `from './x.js'`, `import './x.js'` and `import('./x.js')`. */
const RELATIVE_IMPORTS = /\b(?:from|import|require)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g

/** Returns the SHA-256 of a module and of all files that it imports by relative paths, wherever they lie. */
export function digestModule(file: string): string {
  const hash = createHash('sha256')
  const seen = new Set<string>()
  const visit = (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch {
      // An import in a comment, or one that a runtime resolves in another way.
      return
    }
    hash.update(createHash('sha256').update(text).digest())
    for (const [, target] of text.matchAll(RELATIVE_IMPORTS)) visit(join(dirname(path), target!))
  }
  visit(file)
  return hash.digest('hex')
}
