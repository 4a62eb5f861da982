// How far the machine did what was expected of it: planned against measured memory, and the share of the roofline.
import * as Plot from '@observablehq/plot'
import {
  type Configuration,
  counted,
  devicePeakBytes,
  formatBytes,
  formatCount,
  formatPercent,
  hostPeakBytes,
  type Measure,
  median,
  methodName,
  plannedPeakBytes,
  rooflineShare,
  significant,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { methodDots, type Figure, methodsIn, MUTED, type Panel } from './figure.js'
import { amountAxis, isLogarithmic } from './axes.js'
import { type Item, rowsPanel } from './rows.js'

interface Spot {
  readonly method: Configuration['method']
  readonly name: string
  readonly planned: number
  readonly measured: number
}

export const plannedMeasured: Figure = {
  id: 'planned-measured',
  title: 'Planned against measured peak memory',
  draw: ({ configurations }) => {
    const kinds: [Measure, string][] = [
      [hostPeakBytes, 'Measured on the host, over baseline (MB)'],
      [devicePeakBytes, 'Measured on the device (MB)'],
    ]
    const drawn = kinds.flatMap(([measure, title]) => {
      const spots = spotsOf(configurations, measure)
      return spots.length === 0 ? [] : [{ title, spots }]
    })
    if (drawn.length === 0)
      return 'No run that passes the filters has both a planned and a measured peak.'
    const all = drawn.flatMap(({ spots }) => spots)
    const typical = median(all.map(({ planned, measured }) => measured / planned))
    return {
      caption:
        `Horizontal: peak planned from the graph (MB); on the line the two agree. ${isLogarithmic(all.flatMap(({ planned, measured }) => [planned, measured])) ? 'Both axes are logarithmic. ' : ''}` +
        `${counted(all.length, 'configuration')}; the measured peak is ${significant(typical, 2)} times the planned one in the median. ` +
        `Memory above the line belongs to the runtime: work space, code, allocator. Far below it, the baseline held memory that the step used again.`,
      panels: drawn.map(({ title, spots }) => agreementPanel(title, spots)),
      legend: methodsIn(all),
      columns: ['Configuration', 'Planned', 'Measured', 'Measured / planned'],
      rows: all.map(({ name, planned, measured }) => [
        name,
        formatBytes(planned * 1e6),
        formatBytes(measured * 1e6),
        significant(measured / planned),
      ]),
    }
  },
}

function nameOf({ method, trial }: Configuration): string {
  const teacher = trial.teacher === undefined ? '' : `, ${teacherName(trial)}`
  return `${methodName(method)}${teacher}, batch ${trial.batch}, ${trial.backend}`
}

function spotsOf(items: readonly Configuration[], measure: Measure): Spot[] {
  return items.flatMap((item) => {
    const planned = summaryOf(item, plannedPeakBytes)
    const measured = summaryOf(item, measure)
    if (planned === undefined || measured === undefined) return []
    return [
      {
        method: item.method,
        name: nameOf(item),
        planned: planned.mean / 1e6,
        measured: measured.mean / 1e6,
      },
    ]
  })
}

function agreementPanel(title: string, spots: readonly Spot[]): Panel {
  const values = spots.flatMap(({ planned, measured }) => [planned, measured])
  const axis = amountAxis(values, null)
  const [low, high] = axis.domain as [number, number]
  return {
    title,
    plot: (width) => ({
      height: Math.min(400, Math.max(280, width * 0.7)),
      marginLeft: 56,
      marginRight: 24,
      x: { ...axis, label: 'planned (MB) →' },
      y: { ...axis, grid: true },
      marks: [
        Plot.link([0], {
          x1: low,
          y1: low,
          x2: high,
          y2: high,
          stroke: MUTED,
          strokeDasharray: '3 3',
        }),
        Plot.text([0], {
          x: high,
          y: high,
          text: ['planned = measured'],
          textAnchor: 'end',
          dx: -14,
          dy: 2,
          fill: MUTED,
        }),
        methodDots(spots, {
          x: 'planned',
          y: 'measured',
          r: 4,
          fillOpacity: 0.85,
        }),
        Plot.tip(
          spots,
          Plot.pointer({
            x: 'planned',
            y: 'measured',
            title: ({ name, planned, measured }: Spot) =>
              `${name}\nplanned ${formatBytes(planned * 1e6)}\nmeasured ${formatBytes(measured * 1e6)}`,
          }),
        ),
      ],
    }),
  }
}

export const roofline: Figure = {
  id: 'roofline',
  title: 'How much of the machine was reached',
  draw: ({ configurations }) => {
    const machines = new Set(configurations.map(({ scope }) => scope.machine))
    const having = configurations.filter((item) => summaryOf(item, rooflineShare) !== undefined)
    if (having.length === 0) return 'No run that passes the filters measured a roofline.'
    const place = ({ scope: { backend, machine } }: Configuration) =>
      machines.size > 1 ? `${backend} on ${machine}` : backend
    const groups = [...new Set(having.map(place))].sort().map((name) => {
      const own = having.filter((item) => place(item) === name)
      return { name, items: methodsIn(own).map((method) => reached(own, method)) }
    })
    return {
      caption:
        `FLOP/s of the whole training step as a share (%) of what a large matrix product reached in the same process. ` +
        `Dots are medians over the configurations of a method (${formatCount(having.length)} in all), lines reach from the lowest to the highest.`,
      panels: [
        rowsPanel('Share of the roofline (%)', groups, 'dots', [
          0,
          Math.max(100, ...groups.flatMap(({ items }) => items.map(({ bar }) => bar?.high ?? 0))),
        ]),
      ],
      legend: [],
      columns: ['Configuration', 'Share'],
      rows: having.map((item) => [
        nameOf(item),
        formatPercent(summaryOf(item, rooflineShare)!.mean),
      ]),
    }
  },
}

function reached(items: readonly Configuration[], method: Configuration['method']): Item {
  const shares = items
    .filter((item) => item.method === method)
    .map((item) => summaryOf(item, rooflineShare)!.mean * 100)
  const value = median(shares)
  return {
    method,
    bar: { value, low: Math.min(...shares), high: Math.max(...shares) },
    text: `${significant(value)} %`,
  }
}
