// The paper's bar figure redrawn from the records: three quantities on three axes instead of one.
import * as Plot from '@observablehq/plot'
import { scopeName, teacherName } from '../../model/corpus.js'
import { methodName, significant } from '../../model/format.js'
import {
  accuracy,
  devicePeakBytes,
  epochSeconds,
  finished,
  type Measure,
  summaryOf,
} from '../../model/measures.js'
import { commonest, type View } from '../../model/view.js'
import {
  asIs,
  methodDots,
  type Figure,
  INK,
  LOOKS,
  methodsIn,
  MUTED,
  type Panel,
} from './figure.js'
import { describeRuns, largestTeachers, peakMeasure, type Point, pointOf } from './points.js'

const MOST_TEACHERS = 6

export const paperFigure: Figure = {
  id: 'paper-figure',
  title: "The paper's comparison, from these records",
  draw: ({ inScope, scope }: View) => {
    const batch = commonest(inScope, ({ trial }) => trial.batch)
    if (scope === undefined || batch === undefined) return 'No record passes the filters.'
    const atBatch = inScope.filter(({ trial }) => trial.batch === batch)
    const teachers = largestTeachers(atBatch, MOST_TEACHERS)
    const shown = atBatch.filter(
      ({ trial }) => trial.teacher === undefined || teachers.includes(trial.teacher.name),
    )
    const memory = peakMeasure(shown)
    const panels: [Measure, string, number, string][] = [
      [
        memory,
        memory === devicePeakBytes ? 'Peak device memory (MB)' : 'Peak memory over baseline (MB)',
        1e-6,
        '',
      ],
      [epochSeconds, 'Time of an epoch (s)', 1, ''],
      [accuracy, 'Test accuracy (%)', 100, ''],
    ]
    const drawn = panels.flatMap(([measure, title, unit]) => {
      const points = shown.flatMap((item) => pointOf(item, measure))
      return points.length === 0 ? [] : [{ measure, title, unit, points }]
    })
    if (drawn.length === 0) return 'No run of this setting finished.'
    const order = ['no teacher', ...teachers].filter((name) =>
      shown.some(({ trial }) => teacherName(trial) === name),
    )
    const extrapolated = shown.some((item) =>
      finished(item).some(({ time }) => time !== undefined && time.epochExtrapolated !== false),
    )
    return {
      caption:
        `Batch ${batch}; ${scopeName(scope)}. ${describeRuns(drawn[0]!.points)} ` +
        `${extrapolated ? 'An epoch is the median step times the steps in it. ' : ''}` +
        `Three quantities, three axes; that of accuracy does not start at zero. Cost-only teachers have no accuracy.`,
      panels: drawn.map(({ title, unit, points, measure }, at) =>
        barPanel(title, unit, points, order, measure === accuracy, at === 0),
      ),
      legend: methodsIn(shown),
      columns: ['Teacher', 'Method', ...drawn.map(({ title }) => title)],
      rows: shown.map((item) => [
        teacherName(item.trial),
        methodName(item.method),
        ...drawn.map(({ measure, unit }) => {
          const summary = summaryOf(item, measure)
          return summary === undefined ? '–' : significant(summary.mean * unit)
        }),
      ]),
    }
  },
}

function barPanel(
  title: string,
  unit: number,
  points: readonly Point[],
  teachers: readonly string[],
  dots: boolean,
  _first: boolean,
): Panel {
  const methods = methodsIn(points)
  const high = Math.max(...points.map((point) => point.high)) * unit
  const low = Math.min(...points.map((point) => point.low)) * unit
  const pad = (high - low) * 0.15 || 1
  return {
    title,
    plot: () => ({
      height: 50 + teachers.length * (methods.length * 13 + 22),
      marginLeft: 8,
      marginRight: 56,
      x: {
        label: null,
        ticks: 4,
        grid: true,
        domain: dots ? [low - pad, Math.min(high + pad, 100)] : [0, high],
      },
      fy: { domain: teachers, axis: null, padding: 0.12 },
      y: { domain: methods, axis: null, padding: 0.15 },
      marks: [
        Plot.text(teachers, {
          fy: (name: string) => name,
          text: (name: string) => name,
          frameAnchor: 'top-left',
          dy: -13,
          fill: MUTED,
          fontSize: 11,
        }),
        dots
          ? methodDots(points, {
              fy: 'teacher',
              x: ({ value }: Point) => value * unit,
              y: 'method',
              r: 4,
            })
          : Plot.barX(points, {
              fy: 'teacher',
              x: ({ value }: Point) => value * unit,
              y: 'method',
              fill: asIs(({ method }: Point) => LOOKS[method].color),
            }),
        Plot.ruleY(points, {
          fy: 'teacher',
          y: 'method',
          x1: ({ low }: Point) => low * unit,
          x2: ({ high }: Point) => high * unit,
          stroke: INK,
          strokeWidth: 1.25,
        }),
        Plot.text(points, {
          fy: 'teacher',
          x: ({ high }: Point) => high * unit,
          y: 'method',
          text: ({ value }: Point) => significant(value * unit),
          textAnchor: 'start',
          dx: 6,
          fill: INK,
          fontSize: 11,
        }),
      ],
    }),
  }
}
