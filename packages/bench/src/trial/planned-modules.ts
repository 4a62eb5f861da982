// The modules of users that a trial was planned with, its method and its backend: they must be the ones that its process loads.
import { UserError } from '@embed-kd/core'
import { resolveBackend, type ModuleReference } from '@embed-kd/distill/node'

import type { TrialConfig } from '../axes/config.js'
import { findMethod, loadMethods } from '../axes/methods.js'

/**
 * Loads the modules of a trial.
 * @throws UserError if one of them is not the one that the trial was planned with.
 */
export async function loadPlannedModules({
  methodModule,
  backend,
  backendModule,
}: TrialConfig): Promise<void> {
  if (methodModule) {
    await loadMethods([methodModule.specifier])
    requireSame(methodModule, findMethod(methodModule.specifier).module)
  }
  if (backendModule) requireSame(backendModule, (await resolveBackend(backend)).module)
}

function requireSame({ specifier, digest }: ModuleReference, found?: ModuleReference): void {
  if (found?.digest !== digest)
    throw new UserError(
      `${specifier} was changed after the trial was planned`,
      'run the sweep again',
    )
}
