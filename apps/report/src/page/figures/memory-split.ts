// Draws the memory of one run: the parts of the planned peak, above the measured figures.
import { type BenchRecord, devicePeakBytes, formatBytes, hostPeakBytes } from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { asIs, INK, type Panel } from './figure.js'

interface Part {
  readonly row: string
  readonly name: string
  readonly bytes: number
  readonly from: number
  readonly color: string
}

export interface MemorySplit {
  readonly panel: Panel
  readonly caption: string
  /** Name and colour of each part that is there. */
  readonly legend: readonly (readonly [name: string, color: string])[]
}

export function memorySplit(record: BenchRecord): MemorySplit[] {
  const planned = record.cost?.planned
  if (planned === undefined) return []
  const { peakSplit } = planned
  const parts = stack([
    ['parameters', peakSplit.parametersBytes, 'var(--part-1)'],
    ['optimizer', peakSplit.optimizerBytes, 'var(--part-2)'],
    ['activations', peakSplit.activationsBytes, 'var(--part-3)'],
    ['teacher', peakSplit.teacherBytes, 'var(--part-4)'],
    ['data', peakSplit.dataBytes, 'var(--part-5)'],
  ])
  const totals = [
    ['planned peak', planned.peakBytes],
    ['planned resident', planned.residentBytes],
    ['measured peak, host', hostPeakBytes.of(record)],
    ['measured peak, device', devicePeakBytes.of(record)],
  ].filter((total): total is [string, number] => total[1] !== undefined)
  const rows = totals.map(([name]) => name)
  const high = Math.max(...totals.map(([, bytes]) => bytes)) / 1e6
  const panel: Panel = {
    title: 'Where the memory goes (MB)',
    plot: (width) => ({
      height: 46 + rows.length * 56,
      marginTop: 30,
      marginLeft: 8,
      marginRight: 70,
      x: { domain: [0, high], label: null, grid: true, ticks: width < 500 ? 4 : 7 },
      y: { domain: rows, axis: null, padding: 0.55 },
      marks: [
        Plot.text(totals, {
          y: ([name]: [string, number]) => name,
          text: ([name]: [string, number]) => name,
          frameAnchor: 'left',
          textAnchor: 'start',
          dy: -18,
          fill: 'var(--muted)',
          fontSize: 11,
        }),
        Plot.barX(totals.slice(1), {
          y: ([name]: [string, number]) => name,
          x: ([, bytes]: [string, number]) => bytes / 1e6,
          fill: 'var(--muted)',
          fillOpacity: 0.55,
        }),
        Plot.barX(parts, {
          y: 'row',
          x1: ({ from }: Part) => from / 1e6,
          x2: ({ from, bytes }: Part) => (from + bytes) / 1e6,
          fill: asIs(({ color }: Part) => color),
          title: ({ name, bytes }: Part) => `${name}: ${formatBytes(bytes)}`,
          insetRight: 1,
        }),
        Plot.text(totals, {
          y: ([name]: [string, number]) => name,
          x: ([, bytes]: [string, number]) => bytes / 1e6,
          text: ([, bytes]: [string, number]) => formatBytes(bytes),
          textAnchor: 'start',
          dx: 6,
          fontWeight: 600,
          fill: INK,
        }),
      ],
    }),
  }
  const present = parts.filter(({ bytes }) => bytes > 0)
  const said = present.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(', ')
  return [
    {
      panel,
      caption: `Planned peak: ${said}. Resident memory stays between two steps. Measured host memory is over the baseline of the process.`,
      legend: present.map(({ name, color }) => [name, color] as const),
    },
  ]
}

function stack(parts: readonly (readonly [string, number, string])[]): Part[] {
  let from = 0
  return parts.map(([name, bytes, color]) => {
    const part = { row: 'planned peak', name, bytes, from, color }
    from += bytes
    return part
  })
}
