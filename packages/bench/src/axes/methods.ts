// The methods of a sweep by name: those of core's table, and those of users' modules, which are loaded before a grid is expanded
// and again in the process of each trial.
import { isMethod, methods, UserError, type MethodDefinition } from '@embed-kd/core'
import { loadMethod, type LoadedMethod } from '@embed-kd/distill/node'

/** Methods of modules, by name and by every word that chose them. */
const loaded = new Map<string, LoadedMethod>()

/**
 * Loads the methods of modules: `./my-method.js`. Names of built-in methods need no loading.
 * @throws UserError if a module exports no method, or one that is called as another module's.
 */
export async function loadMethods(words: Iterable<string>): Promise<void> {
  for (const word of new Set(words)) {
    if (isMethod(word) || loaded.has(word)) continue
    const method = await loadMethod(word)
    const { name } = method
    const module = method.module!
    const other = loaded.get(name)?.module
    if (other && other.digest !== module.digest)
      throw new UserError(
        `the methods of ${other.specifier} and ${module.specifier} are both called ${name}`,
        'give one of them another label',
      )
    for (const key of [word, module.specifier, name]) loaded.set(key, method)
  }
}

/** Returns a method by the word that chose it. @throws UserError if it is of a module that is not loaded. */
export function findMethod(word: string): LoadedMethod {
  if (isMethod(word)) return { name: word, definition: methods[word] }
  const method = loaded.get(word)
  if (method) return method
  throw new UserError(`the method ${word} is not loaded`, `await loadMethods(["${word}"]) first`)
}

/** Returns the definition of a method by its name. */
export const methodOf = (name: string): MethodDefinition => findMethod(name).definition
