// Accuracy against the size of the teacher's file of embeddings: how small may the file be? Methods without a file are lines.
import {
  type Configuration,
  counted,
  embeddingBytes,
  finished,
  formatBytes,
  formatPercent,
  storeErrorWords,
  summaryOf,
} from '@embed-kd/records'
import * as Plot from '@observablehq/plot'
import { amountAxis, axisNote } from './axes.js'
import { asIs, type Figure, lookOf, methodDots, methodsIn, MUTED, type Panel } from './figure.js'
import { methodColumns, type Spot } from './method-columns.js'

interface Stored extends Spot {
  /** Size of the file in bytes; undefined if the method has no file. */
  readonly bytes: number | undefined
  readonly images: number
  /** Error of the stored embeddings, in words. */
  readonly error: string | undefined
}

export const fileSize: Figure = {
  id: 'file-size',
  title: "Accuracy against the size of the teacher's file",
  draw: ({ configurations }) => {
    const found = methodColumns(
      configurations,
      storedOf,
      (spots) => new Set(spots.flatMap(({ bytes }) => bytes ?? [])).size > 1,
      'No setting has files of embeddings of two sizes.',
    )
    if (typeof found === 'string') return found
    const columns = found.columns.map(({ name, spots }) => ({
      name,
      spots: spots.toSorted((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0)),
    }))
    return {
      caption:
        `Test accuracy (%, not from zero) with 95 % intervals against the size of the file of embeddings that stands for the teacher. ` +
        `Files differ in what they hold, centroids or an embedding for each image, and in the store of their numbers. Dashed lines are methods without a file. ` +
        `${found.title}.`,
      panels: columns.map(({ name, spots }) => panelOf(`Test accuracy (%): ${name}`, spots)),
      legend: methodsIn(columns.flatMap(({ spots }) => spots)),
      columns: ['Labels', 'Method', 'File', 'Bytes an image', 'Error of a row', 'Accuracy', 'Runs'],
      rows: columns.flatMap(({ name, spots }) =>
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

function storedOf(spot: Spot, item: Configuration): Stored {
  const [first] = finished(item)
  return {
    ...spot,
    bytes: summaryOf(item, embeddingBytes)?.mean,
    images: first?.embeddings?.images ?? 0,
    error: first && storeErrorWords(first),
  }
}

function panelOf(title: string, spots: readonly Stored[]): Panel {
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
