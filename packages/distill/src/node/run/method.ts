// Methods by name, or from a module of the user's.
import { basename } from 'node:path'

import {
  defineMethod,
  guess,
  isForUser,
  isMethod,
  messageOf,
  methodName,
  methodNames,
  methods,
  UserError,
  type MethodDefinition,
} from '@embed-kd/core'

import { importUserModule, isModulePath, type ModuleReference } from '../files/user-module.js'

/** A method that a user chose by name or by module. */
export interface LoadedMethod {
  readonly name: string
  readonly definition: MethodDefinition
  /** The module that exports the method; absent if the method comes with the library. */
  readonly module?: ModuleReference
}

/** Whether a word may choose a method: the name of one that comes with the library, or the path of a module. */
export const isMethodWord = (word: string): boolean =>
  isMethod(word) || isModulePath(moduleOf(word))

/** What to give as a method, for messages. */
export const methodWords = (word: string): string =>
  `${guess(word, methodNames)}give one of ${methodNames.join(', ')}, or a module such as ./my-method.js`

/** Returns the path in `./my-methods.js#pull`, which names one of several methods of a module. */
const moduleOf = (word: string): string => word.replace(/#[\w$]+$/, '')

/**
 * Loads a method: the name of a built-in one, or the path of a module that exports what `defineMethod` returns, as its default
 * export or by a name. If there are several, `./my-methods.js#name` chooses one.
 * @throws UserError if there is no such method, or the module cannot be loaded.
 */
export async function loadMethod(word: string): Promise<LoadedMethod> {
  if (isMethod(word)) return { name: word, definition: methods[word] }
  if (!isMethodWord(word)) throw new UserError(`there is no method "${word}"`, methodWords(word))
  const path = moduleOf(word)
  const { specifier, digest, exports } = await importUserModule(path, 'method')
  const chosen = word.slice(path.length + 1)
  // A module may have its own copy of the library, and hand-written objects lack the defaults.
  const given = defineMethod(choose(exports, chosen, specifier)) as Candidate
  const { parameters } = given
  const definition: MethodDefinition = {
    ...given,
    loss: guarded('loss', given.loss, specifier),
    ...(parameters && { parameters: guarded('parameters', parameters, specifier) }),
  }
  const name = chosen === '' ? specifier : `${specifier}#${chosen}`
  return { name: methodName(definition), definition, module: { specifier: name, digest } }
}

/** Returns the method that a module exports under a name, or its default or only one. */
function choose(
  exports: Readonly<Record<string, unknown>>,
  name: string,
  specifier: string,
): Candidate {
  const found = Object.entries(exports).filter(([, value]) => isDefinition(value))
  const wanted = name === '' && found.length > 1 ? 'default' : name
  const [entry, ...others] =
    wanted === '' ? found : found.filter(([exported]) => exported === wanted)
  if (entry && others.length === 0) return entry[1] as Candidate
  const names = found.map(([exported]) => exported)
  if (found.length === 0)
    throw new UserError(
      `the module ${specifier} exports no method`,
      'it must have: export default defineMethod({ … }), from @embed-kd/core',
    )
  if (name === '')
    throw new UserError(
      `the module ${specifier} exports several methods: ${names.join(', ')}`,
      `choose one, such as ${specifier}#${names[0]}`,
    )
  throw new UserError(
    `the module ${specifier} exports no method ${name}`,
    `${guess(name, names)}it exports ${names.join(', ')}`,
  )
}

type Candidate = MethodDefinition & Required<Pick<MethodDefinition, 'loss'>>

/** Returns a function of a module whose errors say which module they are of, and the line of the module if they have one. */
function guarded<Inputs, Result>(
  name: string,
  run: (inputs: Inputs) => Result,
  specifier: string,
): (inputs: Inputs) => Result {
  return (inputs) => {
    try {
      return run(inputs)
    } catch (error) {
      if (isForUser(error)) throw error
      const [, place = ''] = ((error as Error)?.stack ?? '').split(`${basename(specifier)}:`)
      const line = /^\d+/.exec(place)?.[0]
      throw new UserError(
        `the ${name} of ${specifier} fails: ${messageOf(error)}`,
        line === undefined ? `change the ${name}` : `change line ${line}`,
      )
    }
  }
}

const isDefinition = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'label' in value && 'loss' in value
