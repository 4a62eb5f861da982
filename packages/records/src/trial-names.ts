// Trials in words and as keys of groups, by the table of axes.
import { isMethod, methods } from '@embed-kd/core'

import { axes, axisNames, type AxisName, type Trial } from './axes.js'
import type { Axis, AxisRole } from './axis.js'

const tableOf = (name: AxisName): Axis => axes[name]

/** Returns the value of an axis in words, also if the trial leaves the axis out; undefined if there is nothing to say. */
export function axisWords(trial: Trial, name: AxisName): string | undefined {
  const { label, absent, absentWords = absent, words, signal } = tableOf(name)
  const value = trial[name]
  if (value === undefined)
    return signal === undefined || signalOf(trial) === signal ? absentWords : undefined
  return words ? words(value) : `${label} ${String(value)}`
}

const signalOf = ({ method }: Trial): string | undefined =>
  isMethod(method) ? methods[method].teacher : undefined

/** Returns what tells trials apart in one axis. */
export const axisKey = (trial: Trial, name: AxisName): string => {
  const { key } = tableOf(name)
  return JSON.stringify(key ? key(trial) : trial[name]) ?? ''
}

/** Returns what tells trials apart in all axes of the given roles. */
export const groupKey = (trial: Trial, ...roles: readonly AxisRole[]): string =>
  axisNames
    .filter((name) => roles.includes(axes[name].role))
    .map((name) => axisKey(trial, name))
    .join('\n')

/** Returns the axes in which the trials differ. */
export function varyingAxes(trials: readonly Trial[]): ReadonlySet<AxisName> {
  const differs = (name: AxisName) => new Set(trials.map((trial) => axisKey(trial, name))).size > 1
  return new Set(axisNames.filter(differs))
}

/** Returns axes that are enough to tell the trials apart: an axis that varies only along with earlier ones is left out. */
export function distinguishingAxes(trials: readonly Trial[]): AxisName[] {
  const chosen: AxisName[] = []
  const groups = () =>
    new Set(trials.map((trial) => chosen.map((name) => axisKey(trial, name)).join('\n'))).size
  for (const name of varyingAxes(trials)) {
    const before = groups()
    chosen.push(name)
    if (groups() === before) chosen.pop()
  }
  return chosen
}

const nothing: ReadonlySet<AxisName> = new Set()

/**
 * Returns the name of a trial: `embed-kd, teacher trained-m, small student, batch 64, ort:cpu, seed 0`.
 * @param varying axes in which trials listed together differ; the name says them too.
 */
export const describeTrial = (trial: Trial, varying = nothing): string =>
  describeAxes(trial, axisNames, varying)

/** Returns the name that all repetitions of a trial share. @param varying as in `describeTrial`. */
export const describeConfiguration = (trial: Trial, varying = nothing): string =>
  describeAxes(
    trial,
    axisNames.filter((name) => axes[name].role !== 'repetition'),
    varying,
  )

function describeAxes(
  trial: Trial,
  names: readonly AxisName[],
  varying: ReadonlySet<AxisName>,
): string {
  const said = names.filter((name) => {
    const { named, usual } = tableOf(name)
    const value = trial[name]
    return varying.has(name) || (named === 'always' && value !== undefined && value !== usual)
  })
  return said.flatMap((name) => axisWords(trial, name) ?? []).join(', ')
}
