// How far the machine did what was expected of it: planned against measured memory, and the share of the roofline.
import * as Plot from '@observablehq/plot'
import { type Configuration, teacherName } from '../../model/corpus.js'
import { counted, formatBytes, formatPercent, methodName, significant } from '../../model/format.js'
import {
  devicePeakBytes,
  hostPeakBytes,
  type Measure,
  plannedPeakBytes,
  rooflineShare,
  summaryOf,
} from '../../model/measures.js'
import { median } from '../../model/statistics.js'
import { methodDots, type Figure, INK, methodsIn, MUTED, type Panel } from './figure.js'

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
        `Horizontal: peak planned from the graph (MB); on the line the two agree. Both axes logarithmic. ` +
        `${counted(all.length, 'configuration')}; the measured peak is ${significant(typical, 2)} times the planned one in the median. ` +
        `What lies above the line is the runtime's own: work space, code, allocator.`,
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
  const domain = [Math.min(...values) / 1.2, Math.max(...values) * 1.2]
  return {
    title,
    plot: (width) => ({
      height: Math.min(400, Math.max(280, width * 0.7)),
      marginLeft: 56,
      marginRight: 24,
      x: {
        type: 'log',
        domain,
        label: 'planned (MB) →',
        ticks: 4,
        tickFormat: (value: number) => significant(value, 2),
      },
      y: {
        type: 'log',
        domain,
        label: null,
        grid: true,
        ticks: 4,
        tickFormat: (value: number) => significant(value, 2),
      },
      marks: [
        Plot.line([domain, domain], {
          x: (_: unknown, at: number) => domain[at],
          y: (_: unknown, at: number) => domain[at],
          stroke: MUTED,
          strokeDasharray: '3 3',
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

interface Reached {
  readonly method: Configuration['method']
  readonly backend: string
  readonly name: string
  readonly share: number
}

export const roofline: Figure = {
  id: 'roofline',
  title: 'How much of the machine was reached',
  draw: ({ configurations }) => {
    const machines = new Set(configurations.map(({ scope }) => scope.machine))
    const spots = configurations.flatMap((item): Reached[] => {
      const share = summaryOf(item, rooflineShare)
      if (share === undefined) return []
      const { backend, machine } = item.scope
      return [
        {
          method: item.method,
          backend: machines.size > 1 ? `${backend} · ${machine}` : backend,
          name: nameOf(item),
          share: share.mean * 100,
        },
      ]
    })
    if (spots.length === 0) return 'No run that passes the filters measured a roofline.'
    const backends = [...new Set(spots.map(({ backend }) => backend))].sort()
    const medians = backends.map((backend) => ({
      backend,
      share: median(spots.filter((spot) => spot.backend === backend).map(({ share }) => share)),
    }))
    return {
      caption:
        `FLOP/s of the whole training step as a share (%) of what a large matrix product reached in the same process. ` +
        `One mark a configuration (${spots.length}), the bar is their median.`,
      panels: [
        {
          title: 'Share of the roofline (%)',
          plot: () => ({
            height: 60 + backends.length * 44,
            marginLeft: 8,
            x: {
              domain: [0, Math.max(100, ...spots.map(({ share }) => share))],
              label: null,
              grid: true,
            },
            y: { domain: backends, axis: null, padding: 0.3 },
            marks: [
              Plot.text(backends, {
                y: (backend: string) => backend,
                text: (backend: string) => backend,
                frameAnchor: 'left',
                textAnchor: 'start',
                dy: -20,
                fill: MUTED,
              }),
              methodDots(spots, {
                x: 'share',
                y: 'backend',
                r: 4,
                fillOpacity: 0.75,
              }),
              Plot.tickX(medians, { x: 'share', y: 'backend', stroke: INK, strokeWidth: 2 }),
              Plot.text(medians, {
                x: 'share',
                y: 'backend',
                text: ({ share }: { share: number }) => formatPercent(share / 100),
                dy: -20,
                fontWeight: 600,
                fill: INK,
              }),
            ],
          }),
        },
      ],
      legend: methodsIn(spots),
      columns: ['Configuration', 'Share'],
      rows: spots.map(({ name, share }) => [name, formatPercent(share / 100)]),
    }
  },
}
