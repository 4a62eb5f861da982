// How cost grows: memory and throughput against the size of the teacher, throughput against the batch.
// Both figures show one scope, so that their axes mean one thing.
import {
  type Configuration,
  finished,
  formatCount,
  imagesPerSecond,
  type Measure,
  methodName,
  scopeName,
  significant,
  statusName,
  summaryOf,
  teacherName,
  PAPER_METHODS,
} from '@embed-kd/records'
import { bestCoveredBatch } from '../../model/view.js'
import { sizeAxis, tickLabel } from './axes.js'
import { type Figure } from './figure.js'
import { type Failure, linePanel, type Placed } from './lines.js'
import {
  describeRuns,
  largestTeachers,
  peakMeasure,
  peakTitle,
  type Point,
  pointOf,
} from './points.js'

export const teacherSize: Figure = {
  id: 'teacher-size',
  title: 'Memory and throughput against the size of the teacher',
  draw: ({ inScope, scope }) => {
    const batch = bestCoveredBatch(inScope.filter(({ trial }) => trial.teacher !== undefined))
    if (scope === undefined || batch === undefined) {
      return 'No run with a teacher that passes the filters finished.'
    }
    const shown = inScope.filter(({ trial }) => trial.batch === batch)
    if (largestTeachers(shown, 2).length < 2) return 'There is one teacher at this batch size.'
    const quantities = [
      { measure: peakMeasure(shown), title: peakTitle(shown), unit: 1e-6 },
      { measure: imagesPerSecond, title: 'Throughput (images/s)', unit: 1 },
    ]
    return {
      caption:
        `Batch ${batch}; ${scopeName(scope)}. ${describeRuns(shown.flatMap((item) => pointOf(item, imagesPerSecond)))} ` +
        (shown.some(({ trial }) => trial.teacher === undefined)
          ? 'Supervised training has no teacher and is drawn as a line across. '
          : '') +
        (shown.some((item) => finished(item).length === 0)
          ? 'Crosses at the foot mark teachers with which a method did not finish; lines end there.'
          : 'Every run finished.'),
      panels: quantities.map(({ measure, title, unit }) => sizePanel(title, shown, measure, unit)),
      legend: [],
      columns: ['Teacher', 'Parameters', 'Method', ...quantities.map(({ title }) => title)],
      rows: shown.map((item) => [
        teacherName(item.trial),
        item.trial.teacher?.parameterCount === undefined
          ? '–'
          : formatCount(item.trial.teacher.parameterCount),
        methodName(item.method),
        ...quantities.map(({ measure, unit }) => cell(item, measure, unit)),
      ]),
    }
  },
}

function cell(item: Configuration, measure: Measure, unit: number): string {
  const summary = summaryOf(item, measure)
  return summary === undefined ? outcomes(item) : significant(summary.mean * unit)
}

function outcomes({ runs }: Configuration): string {
  const failed = [...new Set(runs.map(({ status }) => status))].filter((status) => status !== 'ok')
  return failed.length === 0 ? '–' : failed.map(statusName).join(', ')
}

function sizePanel(title: string, items: readonly Configuration[], measure: Measure, unit: number) {
  const withTeacher = items.filter(({ trial }) => trial.teacher?.parameterCount !== undefined)
  const size = ({ trial }: Configuration) => trial.teacher!.parameterCount! / 1e6
  return linePanel({
    title,
    placed: placedBy(withTeacher, measure, unit, size),
    across: placedBy(
      items.filter(({ trial }) => trial.teacher === undefined),
      measure,
      unit,
      () => Math.max(...withTeacher.map(size)),
    ),
    failures: failuresOf(withTeacher, size),
    x: sizeAxis(withTeacher.map(size), 'parameters of the teacher (millions) →'),
  })
}

export const batchSize: Figure = {
  id: 'batch-size',
  title: 'Throughput against batch size',
  draw: ({ inScope, scope }) => {
    if (scope === undefined) return 'No record passes the filters.'
    const batches = [...new Set(inScope.map(({ trial }) => trial.batch))].sort((a, b) => a - b)
    if (batches.length < 2) return 'All runs that pass the filters have one batch size.'
    const teacher = mostTriedTeacher(inScope)
    const shown = inScope.filter(
      ({ trial }) => trial.teacher === undefined || trial.teacher.name === teacher,
    )
    const size = ({ trial }: Configuration) => trial.batch
    const placed = placedBy(shown, imagesPerSecond, 1, size)
    const grows = (a: Placed) => placed.some((b) => a.method === b.method && a.x !== b.x)
    if (!placed.some(grows)) return 'No method finished at two batch sizes with one teacher.'
    const failures = failuresOf(shown, size)
    return {
      caption:
        `Teacher ${teacher ?? 'none'}; ${scopeName(scope)}. ${describeRuns(placed)}` +
        (failures.length === 0
          ? ' Every run finished.'
          : ' Crosses at the foot mark batches at which a method did not finish, and why.'),
      panels: [
        linePanel({
          title: 'Throughput (images/s)',
          placed,
          across: [],
          failures,
          x: {
            label: 'batch size, logarithmic →',
            domain: [batches[0]! / 1.1, batches.at(-1)! * 1.1],
            type: 'log',
            base: 2,
            ticks: batches,
            tickFormat: tickLabel,
          },
        }),
      ],
      legend: [],
      columns: ['Method', 'Batch', 'Images/s'],
      rows: shown.map((item) => [
        methodName(item.method),
        String(item.trial.batch),
        cell(item, imagesPerSecond, 1),
      ]),
    }
  },
}

/** Returns the teacher that trained students live at most batch sizes, of these the largest. */
function mostTriedTeacher(items: readonly Configuration[]): string | undefined {
  const batches = new Map<string, Set<number>>()
  for (const name of largestTeachers(items, Number.POSITIVE_INFINITY)) {
    const own = items.filter(
      (item) =>
        item.trial.teacher?.name === name &&
        item.method === PAPER_METHODS.replaced &&
        finished(item).length > 0,
    )
    batches.set(name, new Set(own.map(({ trial }) => trial.batch)))
  }
  const most = Math.max(0, ...Array.from(batches.values(), ({ size }) => size))
  return [...batches].findLast(([, { size }]) => size === most)?.[0]
}

function placedBy(
  items: readonly Configuration[],
  measure: Measure,
  unit: number,
  x: (item: Configuration) => number,
): Placed[] {
  const scaled = (point: Point): Placed => ({
    ...point,
    x: x(point.configuration),
    y: point.value * unit,
    low: point.low * unit,
    high: point.high * unit,
  })
  return items
    .flatMap((item) => pointOf(item, measure))
    .map(scaled)
    .sort((a, b) => a.x - b.x)
}

/** Where no run of a method finished: one entry a place and outcome, its methods together. */
function failuresOf(
  items: readonly Configuration[],
  x: (item: Configuration) => number,
): Failure[] {
  const places = new Map<string, { x: number; outcome: string; methods: string[] }>()
  for (const item of items) {
    if (finished(item).length > 0) continue
    const outcome = outcomes(item)
    const key = `${x(item)} ${outcome}`
    const place = places.get(key) ?? { x: x(item), outcome, methods: [] }
    const name = methodName(item.method)
    if (!place.methods.includes(name)) place.methods.push(name)
    places.set(key, place)
  }
  return [...places.values()]
}
