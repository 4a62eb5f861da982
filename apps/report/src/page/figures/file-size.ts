// Accuracy against the size of the teacher's file of embeddings: how small may the file be? Methods without a file are lines.
import {
  accuracy,
  counted,
  embeddingBytes,
  finished,
  formatBytes,
  formatPercent,
  type Interval,
  intervalOf,
  type MethodTable,
  methodTablesOf,
  methodTableTitle,
  storeErrorWords,
  summaryOf,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { amountAxis, axisNote } from './axes.js'
import { asIs, type Figure, lookOf, methodDots, methodsIn, MUTED, type Panel } from './figure.js'

interface Spot {
  readonly method: string
  readonly name: string
  /** Size of the file in bytes; undefined if the method has no file. */
  readonly bytes: number | undefined
  readonly images: number
  /** Error of the stored embeddings, in words. */
  readonly error: string | undefined
  /** In percent. */
  readonly accuracy: number
  readonly interval: Interval
  readonly n: number
}

const MOST_PANELS = 3

export const fileSize: Figure = {
  id: 'file-size',
  title: "Accuracy against the size of the teacher's file",
  draw: ({ configurations }) => {
    const [table] = methodTablesOf(configurations, 1).tables
    if (table === undefined)
      return 'No setting that passes the filters has an accuracy of two methods.'
    const columns = table.columns
      .map((name, at) => ({ name, spots: spotsOf(table, at) }))
      .filter(({ spots }) => new Set(spots.flatMap(({ bytes }) => bytes ?? [])).size > 1)
    if (columns.length === 0) return 'No setting has files of embeddings of two sizes.'
    const shown = columns.slice(-MOST_PANELS)
    const rest = columns.length - shown.length
    return {
      caption:
        `Test accuracy (%, not from zero) with 95 % intervals against the size of the file of embeddings that stands for the teacher. ` +
        `Files differ in what they hold, centroids or an embedding for each image, and in the store of their numbers. Dashed lines are methods without a file. ` +
        `${methodTableTitle(table)}${rest > 0 ? `; ${counted(rest, 'more column')} left out` : ''}.`,
      panels: shown.map(({ name, spots }) => panelOf(name, spots)),
      legend: methodsIn(shown.flatMap(({ spots }) => spots)),
      columns: ['Labels', 'Method', 'File', 'Bytes an image', 'Error of a row', 'Accuracy', 'Runs'],
      rows: shown.flatMap(({ name, spots }) =>
        spots.map(({ bytes, images, ...spot }) => [
          name,
          spot.name,
          bytes === undefined ? 'no file' : formatBytes(bytes),
          bytes === undefined ? '–' : (bytes / images).toFixed(1),
          spot.error ?? '–',
          `${formatPercent(spot.accuracy / 100)} (${spot.interval.map((end) => end.toFixed(1)).join(' to ')})`,
          `${spot.n}`,
        ]),
      ),
    }
  },
}

/** Returns the configurations of a column that have an accuracy, the largest file first. */
function spotsOf({ rows }: MethodTable, column: number): Spot[] {
  const spots = rows.flatMap(({ name, cells }): Spot[] => {
    const item = cells[column]?.configuration
    const found = item && summaryOf(item, accuracy)
    if (item === undefined || found === undefined) return []
    const [low, high] = intervalOf(item, accuracy) ?? [found.mean, found.mean]
    const [first] = finished(item)
    return [
      {
        method: item.method,
        name,
        bytes: summaryOf(item, embeddingBytes)?.mean,
        images: first?.embeddings?.images ?? 0,
        error: first && storeErrorWords(first),
        accuracy: 100 * found.mean,
        interval: [100 * low, 100 * high],
        n: found.n,
      },
    ]
  })
  return spots.sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0))
}

function panelOf(title: string, spots: readonly Spot[]): Panel {
  const files = spots.flatMap((spot) =>
    spot.bytes === undefined ? [] : { ...spot, kilobytes: spot.bytes / 1000 },
  )
  const others = spots.filter(({ bytes }) => bytes === undefined)
  type File = (typeof files)[number]
  const sizes = files.map(({ kilobytes }) => kilobytes)
  return {
    title,
    plot: (width) => ({
      height: Math.min(340, Math.max(260, width * 0.7)),
      marginLeft: 46,
      marginRight: 56,
      insetTop: 10,
      x: amountAxis(sizes, `Kilobytes${axisNote(sizes)} →`),
      y: { label: null, grid: true, ticks: 5, domain: domainOf(spots) },
      marks: [
        ...others.map(({ method, accuracy }) =>
          Plot.ruleY([accuracy], { stroke: lookOf(method).color, strokeDasharray: '4 4' }),
        ),
        Plot.ruleX(files, {
          x: 'kilobytes',
          y1: ({ interval }: File) => interval[0],
          y2: ({ interval }: File) => interval[1],
          stroke: asIs(({ method }: File) => lookOf(method).color),
          strokeOpacity: 0.45,
          strokeWidth: 2,
        }),
        methodDots(files, { x: 'kilobytes', y: 'accuracy', r: 4.5 }),
        Plot.text(files, {
          x: 'kilobytes',
          y: 'accuracy',
          text: ({ name }: File) => labelOf(name),
          textAnchor: 'start',
          dx: 9,
          fill: MUTED,
          stroke: 'var(--paper)',
          strokeWidth: 3,
        }),
        Plot.tip(
          files,
          Plot.pointer({
            x: 'kilobytes',
            y: 'accuracy',
            title: ({ name, bytes, accuracy, error, n }: File) =>
              `${name}\n${accuracy.toFixed(2)} % with ${formatBytes(bytes!)}${error ? `\nerror of a row ${error}` : ''}\n${counted(n, 'seed')}`,
          }),
        ),
      ],
    }),
  }
}

/** Returns the store of a row's name, which is all that differs between dots of one method. */
const labelOf = (name: string): string => /store (\w+)/.exec(name)?.[1] ?? ''

function domainOf(spots: readonly Spot[]): [number, number] {
  const low = Math.min(...spots.map(({ interval }) => interval[0]))
  const high = Math.max(...spots.map(({ interval }) => interval[1]))
  const room = Math.max(high - low, 1)
  return [Math.max(0, low - 0.1 * room), high + 0.2 * room]
}
