// Controls: students that contrast with vectors in place of the teacher's centroids, such as random orthogonal ones. They
// tell whether the teacher's knowledge matters, or any second classifier head would do. No other figure shows a control.
import { axes, type AxisName, axisNames } from '../axes.js'
import { axisKey, axisWords, varyingAxes } from '../trial-names.js'
import { accuracyDifference, summaryOf } from './compare.js'
import { compareText, type Configuration } from './corpus.js'
import type { TextTable } from './export.js'
import type { Support } from './finding.js'
import { methodName } from './format.js'
import { accuracy } from './measures.js'
import { sayAccuracy, sayDifference, sayP } from './method-table-text.js'
import { holm } from './significance.js'
import { type Difference, pValueOf, type Summary } from './statistics.js'
import { MARGIN } from './support.js'
import { isControl } from './variants.js'

export interface ControlTest {
  readonly configuration: Configuration
  readonly name: string
  readonly accuracy: Summary
  /** The method with its teacher's vectors less the control. */
  readonly difference: Difference
  readonly p?: number
  /** `p` after Holm's correction over the controls of the setting. */
  readonly corrected?: number
}

export interface ControlGroup {
  /** The method with the teacher's vectors. */
  readonly configuration: Configuration
  readonly accuracy: Summary
  /** Words for the axes in which this setting differs from other settings with controls. */
  readonly setting: string
  readonly controls: readonly ControlTest[]
  readonly support: Support
}

/** Axes that a method shares with its controls. A control may name a teacher or none. */
const SHARED: readonly AxisName[] = axisNames.filter(
  (name) => axes[name].role !== 'repetition' && name !== 'anchors' && name !== 'teacher',
)

/** Returns each setting that was run with the teacher's vectors and with controls. */
export function controlsOf(configurations: readonly Configuration[]): ControlGroup[] {
  const keyOf = ({ trial, source }: Configuration) =>
    [source, ...SHARED.map((name) => axisKey(trial, name))].join('\n')
  const measured = configurations.filter((item) => summaryOf(item, accuracy) !== undefined)
  const controls = new Map<string, Configuration[]>()
  for (const item of measured) {
    if (!isControl(item.trial)) continue
    const key = keyOf(item)
    controls.set(key, [...(controls.get(key) ?? []), item])
  }
  if (controls.size === 0) return []
  const groups = measured.flatMap((item) => {
    const own = isControl(item.trial) ? undefined : controls.get(keyOf(item))
    return own === undefined ? [] : [{ item, own }]
  })
  const varying = varyingAxes(groups.map(({ item }) => item.trial))
  return groups
    .map(({ item, own }) => groupOf(item, own, varying))
    .sort((a, b) => compareText(a.configuration.key, b.configuration.key))
}

function groupOf(
  item: Configuration,
  own: readonly Configuration[],
  varying: ReadonlySet<AxisName>,
): ControlGroup {
  const found = own.flatMap((control) => {
    const difference = accuracyDifference(item, control)
    return difference === undefined ? [] : [{ control, difference, p: pValueOf(difference) }]
  })
  const tested = found.filter(({ p }) => p !== undefined)
  const corrected = new Map(
    holm(tested.map(({ p }) => p!)).map((value, at) => [tested[at]!.control, value]),
  )
  const controls = found.map(({ control, difference, p }): ControlTest => {
    const holmed = corrected.get(control)
    return {
      configuration: control,
      name: axisWords(control.trial, 'anchors')!,
      accuracy: summaryOf(control, accuracy)!,
      difference,
      ...(p !== undefined && holmed !== undefined && { p, corrected: holmed }),
    }
  })
  const names = axisNames.filter(
    (name) => axes[name].role !== 'repetition' && name !== 'anchors' && varying.has(name),
  )
  return {
    configuration: item,
    accuracy: summaryOf(item, accuracy)!,
    setting: names.flatMap((name) => axisWords(item.trial, name) ?? []).join(', '),
    controls,
    support: supportOfKnowledge(controls),
  }
}

/** Judges the claim that the teacher's vectors teach more than every control. */
function supportOfKnowledge(controls: readonly ControlTest[]): Support {
  const claim = "the teacher's knowledge matters"
  if (controls.length === 0 || controls.some(({ difference }) => difference.n === 1))
    return { claim, verdict: 'inconclusive', reasons: ['One seed: chance alone can do this.'] }
  const beaten = ({ difference, corrected = 1 }: ControlTest) =>
    difference.value > 0 && corrected < 0.05
  if (controls.every(beaten))
    return { claim, verdict: 'supported', reasons: ['More accurate than every control.'] }
  const equal = controls.find(({ difference: { interval } }) => interval && interval[1] < MARGIN)
  if (equal !== undefined) {
    const reason = `With ${equal.name} a student is as good: a gain of ${MARGIN * 100} point over it is excluded.`
    return { claim, verdict: 'refuted', reasons: [reason] }
  }
  const open = controls.filter((control) => !beaten(control)).map(({ name }) => name)
  return {
    claim,
    verdict: 'inconclusive',
    reasons: [`No difference is shown to ${open.join(', ')}.`],
  }
}

/** Returns one row for the teacher's vectors and one for each control of every setting. */
export function controlTable(groups: readonly ControlGroup[]): TextTable {
  return {
    title: "The teacher's vectors against controls",
    columns: ['Setting', 'Vectors', 'n', 'Accuracy', 'Teacher minus control', 'p'],
    rows: groups.flatMap((group) => {
      const { configuration, setting, controls } = group
      const name = [methodName(configuration.method), setting].filter(Boolean).join(', ')
      return [
        [name, "the teacher's", String(group.accuracy.n), sayAccuracy(group), '–', '–'],
        ...controls.map((control) => [
          name,
          control.name,
          String(control.accuracy.n),
          sayAccuracy(control),
          sayDifference(control),
          sayP(control),
        ]),
      ]
    }),
  }
}
