// How cost grows: memory and throughput against the size of the teacher, throughput against the batch.
// Both figures show one scope, so that their axes mean one thing.
import { type Configuration, scopeName, teacherName } from '../../model/corpus.js'
import { methodName, significant } from '../../model/format.js'
import { devicePeakBytes, imagesPerSecond, type Measure, summaryOf } from '../../model/measures.js'
import { commonest, type View } from '../../model/view.js'
import { type Figure, methodsIn, type Panel } from './figure.js'
import {
  describeRuns,
  largestTeachers,
  linePanel,
  peakMeasure,
  type Point,
  pointOf,
} from './points.js'

export const teacherSize: Figure = {
  id: 'teacher-size',
  title: 'Memory and throughput against the size of the teacher',
  draw: ({ inScope, scope }: View) => {
    const withTeacher = inScope.filter(({ trial }) => trial.teacher !== undefined)
    const batch = commonest(withTeacher, ({ trial }) => trial.batch)
    if (scope === undefined || batch === undefined)
      return 'No run with a teacher passes the filters.'
    const shown = inScope.filter(({ trial }) => trial.batch === batch)
    const memory = peakMeasure(shown)
    const measures: [Measure, string, number][] = [
      [
        memory,
        memory === devicePeakBytes ? 'Peak device memory (MB)' : 'Peak memory over baseline (MB)',
        1e-6,
      ],
      [imagesPerSecond, 'Throughput (images/s)', 1],
    ]
    const drawn = measures.flatMap(([measure, title, unit]) => {
      const points = shown.flatMap((item) => pointOf(item, measure))
      return points.length === 0 ? [] : [{ measure, title, unit, points }]
    })
    if (drawn.length === 0) return 'No run with a teacher finished.'
    return {
      caption:
        `Batch ${batch}; ${scopeName(scope)}. Horizontal: parameters of the teacher, logarithmic; vertical: logarithmic. ` +
        `${describeRuns(drawn[0]!.points)} Supervised training has no teacher and is drawn as a line across.`,
      panels: drawn.map(({ title, unit, points }) => sizePanel(title, unit, points)),
      legend: [],
      columns: ['Teacher', 'Parameters', 'Method', ...drawn.map(({ title }) => title)],
      rows: shown.map((item) => [
        teacherName(item.trial),
        item.trial.teacher === undefined ? '–' : significant(item.trial.teacher.parameterCount),
        methodName(item.method),
        ...drawn.map(({ measure, unit }) => {
          const summary = summaryOf(item, measure)
          return summary === undefined ? '–' : significant(summary.mean * unit)
        }),
      ]),
    }
  },
}

function sizePanel(title: string, unit: number, points: readonly Point[]): Panel {
  const placed = points
    .filter(({ configuration }) => configuration.trial.teacher !== undefined)
    .map((point) => ({
      ...point,
      x: point.configuration.trial.teacher!.parameterCount / 1e6,
      y: point.value * unit,
    }))
    .sort((a, b) => a.x - b.x)
  const across = points.filter(({ configuration }) => configuration.trial.teacher === undefined)
  const largest = Math.max(...placed.map(({ x }) => x))
  const ends = [
    ...methodsIn(placed).map((method) => placed.findLast((point) => point.method === method)!),
    ...across.map((point) => ({ ...point, x: largest, y: point.value * unit })),
  ].map(({ method, y }) => ({ method, x: largest, y }))
  return linePanel(title, placed, ends, across, unit, {
    type: 'log',
    label: 'parameters of the teacher (millions) →',
    ticks: 5,
    tickFormat: (value: number) => significant(value, 2),
  })
}

export const batchSize: Figure = {
  id: 'batch-size',
  title: 'Throughput against batch size',
  draw: ({ inScope, scope }: View) => {
    if (scope === undefined) return 'No record passes the filters.'
    const batches = [...new Set(inScope.map(({ trial }) => trial.batch))].sort((a, b) => a - b)
    if (batches.length < 2) return 'All runs that pass the filters have one batch size.'
    const teacher = teacherWithMostBatches(inScope)
    const shown = inScope.filter(
      ({ trial }) => trial.teacher === undefined || trial.teacher.name === teacher,
    )
    const points = shown.flatMap((item) => pointOf(item, imagesPerSecond))
    const failed = shown.filter(({ runs }) => runs.some(({ status }) => status !== 'ok'))
    if (points.length === 0) return 'No run of this setting finished.'
    const placed = points
      .map((point) => ({ ...point, x: point.configuration.trial.batch, y: point.value }))
      .sort((a, b) => a.x - b.x)
    const ends = methodsIn(placed).map((method) => {
      const { x, y } = placed.findLast((point) => point.method === method)!
      return { method, x, y }
    })
    const floor = Math.min(...placed.map(({ y }) => y)) / 1.6
    return {
      caption:
        `Teacher ${teacher ?? 'none'}; ${scopeName(scope)}. Both axes logarithmic. ${describeRuns(points)}` +
        (failed.length === 0
          ? ' Every run finished.'
          : ' Crosses at the foot mark batches at which a method did not finish, and why.'),
      panels: [
        linePanel(
          'Throughput (images/s)',
          placed,
          ends,
          [],
          1,
          {
            type: 'log',
            base: 2,
            domain: [batches[0]!, batches.at(-1)!],
            ticks: batches,
            tickFormat: String,
            label: 'batch size →',
          },
          failed.map((item) => ({
            method: item.method,
            x: item.trial.batch,
            y: floor,
            status: item.runs.find(({ status }) => status !== 'ok')!.status,
          })),
        ),
      ],
      legend: [],
      columns: ['Method', 'Batch', 'Images/s', 'Did not finish'],
      rows: shown.map((item) => {
        const summary = summaryOf(item, imagesPerSecond)
        const reasons = item.runs.flatMap(({ status }) => (status === 'ok' ? [] : [status]))
        return [
          methodName(item.method),
          String(item.trial.batch),
          summary === undefined ? '–' : significant(summary.mean),
          reasons.join(', '),
        ]
      }),
    }
  },
}

function teacherWithMostBatches(items: readonly Configuration[]): string | undefined {
  const batches = new Map<string, Set<number>>()
  for (const name of largestTeachers(items, Number.POSITIVE_INFINITY)) batches.set(name, new Set())
  for (const { trial } of items) {
    if (trial.teacher !== undefined) batches.get(trial.teacher.name)!.add(trial.batch)
  }
  return [...batches].sort(([, a], [, b]) => a.size - b.size).at(-1)?.[0]
}
