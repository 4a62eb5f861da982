// Trials that are no results of a method: controls, and trials of a search. Only figures about them show them.
import type { Trial } from '../axes.js'

/** Whether the student learned from vectors that are not its teacher's. */
export const isControl = (trial: Trial): boolean => trial.anchors !== undefined

/** Whether the trial looked for hyperparameters, on held-out training images. */
export const isSearch = (trial: Trial): boolean => trial.purpose === 'search'
