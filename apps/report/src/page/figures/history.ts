// The step time from version to version of the code, with a ring at each version that changed it.
import {
  abridged,
  counted,
  firstStart,
  formatRange,
  formatRatio,
  formatSeconds,
  type History,
  historiesOf,
  intervalOf,
  methodName,
  stepSeconds,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { amountAxis, axisNote } from './axes.js'
import { asIs, type Figure, INK, lookOf, methodDots, methodsIn, type Panel } from './figure.js'

const MOST_LINES = 8

interface Spot {
  readonly line: string
  readonly method: History['points'][number]['configuration']['method']
  readonly version: string
  readonly ms: number
  readonly low: number
  readonly high: number
  readonly step: boolean
  readonly title: string
}

export const history: Figure = {
  id: 'history',
  title: 'Step time from version to version',
  draw: ({ configurations }) => {
    const all = historiesOf(configurations)
    if (all.length === 0)
      return 'No configuration was run by two versions of the code on one machine.'
    const shown = all.slice(0, MOST_LINES)
    const spots = shown.flatMap(spotsOf)
    const first = new Map<string, string>()
    for (const { points } of all)
      for (const { configuration } of points) {
        const { version } = configuration.scope
        const start = firstStart(configuration)
        if (start < (first.get(version) ?? '~')) first.set(version, start)
      }
    const versions = [...first].sort(([, a], [, b]) => (a < b ? -1 : 1)).map(([version]) => version)
    const steps = spots.filter(({ step }) => step)
    return {
      caption:
        `Versions in the order of their first run. Rings mark versions whose change against the one before the data support ` +
        `(${steps.length === 0 ? 'none' : abridged(versions.filter((version) => steps.some((spot) => spot.version === version)))}). ` +
        `${counted(all.length, 'configuration')}${all.length > shown.length ? `; ${shown.length} with most versions are shown` : ''}.`,
      panels: [panelOf(spots, versions)],
      legend: methodsIn(spots),
      columns: ['Configuration', 'Version', 'Step', 'Against the version before'],
      rows: all.flatMap(({ points }) =>
        points.map(({ configuration, ratio, step }) => [
          nameOf(configuration),
          configuration.scope.version,
          formatSeconds(summaryOf(configuration, stepSeconds)!.mean),
          ratio === undefined
            ? '–'
            : `${formatRatio(ratio.value)}${ratio.interval === undefined ? '' : ` (${formatRange(ratio.interval)})`}${step ? ', a step' : ''}`,
        ]),
      ),
    }
  },
}

function nameOf({ method, trial, scope }: History['points'][number]['configuration']): string {
  return `${methodName(method)}, ${teacherName(trial)}, batch ${trial.batch}, ${scope.backend}, ${scope.machine}`
}

function spotsOf({ points }: History): Spot[] {
  return points.map(({ configuration, ratio, step }) => {
    const { mean } = summaryOf(configuration, stepSeconds)!
    const [low, high] = intervalOf(configuration, stepSeconds) ?? [mean, mean]
    const change = ratio === undefined ? '' : `\n${formatRatio(ratio.value)} of the version before`
    return {
      line: `${configuration.scope.machine} ${configuration.trialKey}`,
      method: configuration.method,
      version: configuration.scope.version,
      ms: mean * 1e3,
      low: Math.max(low, 0) * 1e3,
      high: high * 1e3,
      step,
      title: `${nameOf(configuration)}\n${configuration.scope.version}: ${formatSeconds(mean)}${change}`,
    }
  })
}

function panelOf(spots: readonly Spot[], versions: readonly string[]): Panel {
  const values = spots.map(({ ms }) => ms)
  const short = (version: string) => version.replace('commit ', '').replace(' (with changes)', '+')
  return {
    title: `Step time (ms)${axisNote(values)}`,
    plot: (width) => {
      const every = Math.ceil(versions.length / Math.max(1, Math.floor(width / 90)))
      return {
        height: 280,
        marginLeft: 56,
        marginRight: 24,
        x: {
          type: 'point',
          domain: [...versions],
          label: null,
          padding: 0.3,
          ticks: versions.filter((_, at) => at % every === 0),
          tickFormat: short,
        },
        y: { ...amountAxis(values, null), grid: true },
        marks: [
          Plot.line(spots, {
            x: 'version',
            y: 'ms',
            z: 'line',
            stroke: asIs(({ method }: Spot) => lookOf(method).color),
            strokeOpacity: 0.6,
          }),
          Plot.ruleX(spots, {
            x: 'version',
            y1: 'low',
            y2: 'high',
            stroke: asIs(({ method }: Spot) => lookOf(method).color),
            clip: true,
          }),
          methodDots(spots, { x: 'version', y: 'ms', r: 4 }),
          Plot.dot(
            spots.filter(({ step }) => step),
            { x: 'version', y: 'ms', r: 8, stroke: INK, strokeWidth: 1.5 },
          ),
          Plot.tip(spots, Plot.pointer({ x: 'version', y: 'ms', title: 'title' })),
        ],
      }
    },
  }
}
