// The figures of one run: every sample of the step time, where its memory goes, its loss and its accuracy.
import { type BenchRecord, counted } from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { type Child, element } from './dom.js'
import { tickLabel } from './figures/axes.js'
import { accuracySeries, binned, curvePanel } from './figures/curves.js'
import { drawPanel, INK, lookOf, MUTED, type Panel } from './figures/figure.js'
import { memorySplit } from './figures/memory-split.js'

/** Figures of a single run, drawn when their box has a width. */
export function trialFigures(record: BenchRecord): HTMLElement {
  const node = element('div', { class: 'panels trial-panels' })
  const panels = [
    ...samplesPanel(record),
    ...memorySplit(record).map(({ panel, caption, legend }): Captioned => [panel, caption, legend]),
    ...lossPanel(record),
    ...accuracyPanel(record),
  ]
  const boxes = panels.map(([panel, caption, legend = []]) => {
    const box = element('div', { class: 'panel' })
    node.append(
      element(
        'figure',
        {},
        element('h3', {}, panel.title),
        element('div', { class: 'legend' }, ...legend.map(legendEntry)),
        box,
        element('figcaption', {}, caption),
      ),
    )
    return box
  })
  let width = 0
  new ResizeObserver(([entry]) => {
    const found = Math.round(entry!.contentRect.width)
    if (found === 0 || found === width) return
    width = found
    for (const [at, box] of boxes.entries()) {
      const [panel, caption] = panels[at]!
      box.replaceChildren(
        drawPanel(panel, Math.max(240, box.clientWidth), `${panel.title}. ${caption}`),
      )
    }
  }).observe(node)
  return node
}

type Captioned = readonly [
  panel: Panel,
  caption: string,
  legend?: readonly (readonly [name: string, color: string])[],
]

function samplesPanel({ time, trial }: BenchRecord): Captioned[] {
  if (time === undefined || time.stepSeconds.length === 0) return []
  const { color } = lookOf(trial.method)
  const samples = time.stepSeconds.map((seconds, at) => ({ at: at + 1, ms: seconds * 1e3 }))
  const [low, high] = time.interval95Seconds
  const panel: Panel = {
    title: 'Every sample of the step time (ms)',
    plot: () => ({
      height: 260,
      marginLeft: 50,
      marginRight: 64,
      x: { label: 'sample →', ticks: 6, tickFormat: tickLabel },
      y: { label: null, grid: true, ticks: 5, zero: true },
      marks: [
        Plot.rect([0], {
          x1: 0.5,
          x2: samples.length + 0.5,
          y1: low * 1e3,
          y2: high * 1e3,
          fill: color,
          fillOpacity: 0.15,
        }),
        Plot.ruleY([time.medianSeconds * 1e3], { stroke: color }),
        Plot.ruleY([time.p95Seconds * 1e3], { stroke: MUTED, strokeDasharray: '3 3' }),
        Plot.dot(samples, { x: 'at', y: 'ms', r: 3, fill: color }),
        Plot.text(
          [
            [time.medianSeconds * 1e3, 'median'],
            [time.p95Seconds * 1e3, 'p95'],
          ] as const,
          {
            y: ([ms]: readonly [number, string]) => ms,
            text: ([, name]: readonly [number, string]) => name,
            frameAnchor: 'right',
            textAnchor: 'start',
            dx: 6,
            fill: INK,
          },
        ),
      ],
    }),
  }
  return [
    [
      panel,
      `${counted(samples.length, 'sample')} after ${counted(time.warmupSteps, 'warm-up step')}; outliers included. Line: median, band: its 95 % interval, dashed: 95th percentile.`,
    ],
  ]
}

function lossPanel({ curves, trial }: BenchRecord): Captioned[] {
  if (curves === undefined || curves.loss.length < 2) return []
  const points = binned(curves.loss).map(([x, y]) => flat(trial.method, x, y))
  return [
    [
      curvePanel('Training loss', 'optimizer step →', points),
      `${counted(curves.loss.length, 'value')}, averaged over stretches of steps if there are many.`,
    ],
  ]
}

function accuracyPanel(record: BenchRecord): Captioned[] {
  const series = accuracySeries(record)
  if (series.length < 2) return []
  const points = series.map(([x, y]) => flat(record.trial.method, x, y))
  const last = series.at(-1)![0]
  const when =
    last === series.length
      ? `each of ${counted(last, 'epoch')}`
      : `${series.length} of ${counted(last, 'epoch')}`
  return [
    [
      curvePanel('Test accuracy (%)', 'epoch →', points),
      `After ${when}, on ${record.trial.dataset.testSize.toLocaleString('en')} test images. The axis does not start at zero.`,
    ],
  ]
}

function flat(method: BenchRecord['trial']['method'], x: number, y: number) {
  return { method, x, y, low: y, high: y, n: 1 }
}

function legendEntry([name, color]: readonly [string, string]): Child {
  return element(
    'span',
    {},
    element('i', { class: 'swatch', style: `background: ${color}`, 'aria-hidden': 'true' }),
    name,
  )
}
