// Methods by name, or from a module of the user's.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { isMethod, messageOf, methodNames, UserError, type MethodDefinition } from '@embed-kd/core'

import type { MethodChoice } from '../../training/teacher.js'

/**
 * Finds a method: the name of a built-in one, or the path of a module whose default export (or export `method`) was made with
 * `defineMethod`.
 * @throws UserError if there is no such method, or the module cannot be loaded.
 */
export async function loadMethod(method: string): Promise<MethodChoice> {
  if (isMethod(method)) return method
  if (!/^\.{0,2}\/|\.[cm]?[jt]s$/.test(method))
    throw new UserError(
      `there is no method "${method}"`,
      `choose one of ${methodNames.join(', ')}, or give a module such as ./my-method.js`,
    )
  let module: { readonly default?: unknown; readonly method?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(method)).href)) as typeof module
  } catch (error) {
    throw new UserError(
      `the method ${method} cannot be loaded: ${messageOf(error)}`,
      `check that the module runs by itself: node ${method}`,
    )
  }
  const definition = module.default ?? module.method
  if (isDefinition(definition)) return definition
  throw new UserError(
    `the module ${method} exports no method`,
    'it must have: export default defineMethod({ … }), from @embed-kd/core',
  )
}

const isDefinition = (value: unknown): value is MethodDefinition =>
  typeof value === 'object' &&
  value !== null &&
  ['label', 'teacher', 'takes', 'loss'].every((key) => key in value)
