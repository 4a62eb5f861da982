// The paper's bar figure redrawn from the records: three quantities on three axes instead of one.
import {
  accuracy,
  type Configuration,
  epochMeasure,
  finished,
  type Measure,
  methodName,
  significant,
  statusName,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { bestCoveredSetting, plainVariants, settingWords } from '../../model/view.js'
import { type Figure, methodsIn } from './figure.js'
import { describeRuns, largestTeachers, peakMeasure, peakTitle, pointOf } from './points.js'
import { type Group, type Item, rowsPanel } from './rows.js'

interface Quantity {
  readonly measure: Measure
  readonly title: string
  /** Factor from the measure's unit to the axis's. */
  readonly unit: number
}

const MOST_TEACHERS = 6

export const paperFigure: Figure = {
  id: 'paper-figure',
  title: "The paper's comparison, from these records",
  draw: ({ inScope, scope }) => {
    // The paper's third quantity is accuracy, which settings measured for their cost alone do not have.
    const judged = inScope.filter((item) => summaryOf(item, accuracy) !== undefined)
    const setting = plainVariants(bestCoveredSetting(judged.length > 1 ? judged : inScope))
    if (scope === undefined || setting.length === 0)
      return 'No run that passes the filters finished.'
    const teachers = largestTeachers(setting, MOST_TEACHERS)
    const shown = setting.filter(
      ({ trial }) => trial.teacher === undefined || teachers.includes(trial.teacher.name),
    )
    const quantities: Quantity[] = [
      { measure: peakMeasure(shown), title: peakTitle(shown), unit: 1e-6 },
      { measure: epochMeasure(...shown), title: 'Time of an epoch (s)', unit: 1 },
      { measure: accuracy, title: 'Test accuracy (%)', unit: 100 },
    ]
    const drawn = quantities.filter(({ measure }) => shown.some((item) => summaryOf(item, measure)))
    const names = ['no teacher', ...teachers]
    const extrapolated = shown.some((item) =>
      finished(item).some(({ time }) => time !== undefined && time.epochExtrapolated !== false),
    )
    return {
      caption:
        `One setting: ${settingWords(setting[0]!, inScope)}. ${describeRuns(shown.flatMap((item) => pointOf(item, drawn[0]!.measure)))} ` +
        `${extrapolated ? 'An epoch is the median step times the steps in it. ' : ''}` +
        (drawn.some(({ measure }) => measure === accuracy)
          ? 'The axis of accuracy does not start at zero. '
          : '') +
        'Intervals that reach the frame go on beyond it.',
      panels: drawn.map((quantity, at) => ({
        ...rowsPanel(
          quantity.title,
          groupsOf(shown, names, quantity),
          quantity.measure === accuracy ? 'dots' : 'bars',
        ),
        ...(at === 0 ? { share: 1.3 } : {}),
      })),
      legend: [],
      columns: ['Teacher', 'Method', ...drawn.map(({ title }) => title)],
      rows: shown.map((item) => [
        teacherName(item.trial),
        methodName(item.method),
        ...drawn.map(({ measure, unit }) => {
          const summary = summaryOf(item, measure)
          return summary === undefined ? '–' : significant(summary.mean * unit, 4)
        }),
      ]),
    }
  },
}

function groupsOf(
  items: readonly Configuration[],
  teachers: readonly string[],
  { measure, unit }: Quantity,
): Group[] {
  return teachers.flatMap((name) => {
    const own = items.filter(({ trial }) => teacherName(trial) === name)
    if (own.length === 0) return []
    const byMethod = new Map(own.map((item) => [item.method, item]))
    const methods = methodsIn(own)
    return [{ name, items: methods.map((method) => itemOf(byMethod.get(method)!, measure, unit)) }]
  })
}

function itemOf(configuration: Configuration, measure: Measure, unit: number): Item {
  const { method, runs } = configuration
  const [point] = pointOf(configuration, measure)
  if (point === undefined) {
    const failed = finished(configuration).length === 0
    const costOnly = measure === accuracy && runs[0]!.costOnly
    return {
      method,
      text: failed ? statusName(runs[0]!.status) : costOnly ? 'cost only' : 'not measured',
    }
  }
  const { value, low, high } = point
  return {
    method,
    bar: { value: value * unit, low: low * unit, high: high * unit },
    text: measure === accuracy ? (value * unit).toFixed(2) : significant(value * unit),
  }
}
