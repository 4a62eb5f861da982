// The options that say which data a command works on, and opening the data with progress on the terminal.
import {
  datasetSpecs,
  loadDataset,
  type DataProgress,
  type Dataset,
  type DatasetOptions,
} from '@embed-kd/distill/node'
import type { Command } from 'commander'

import { bytes, count } from './options.js'
import type { ProgressDisplay } from '../progress.js'

export interface DataOptions {
  readonly dataset: string
  readonly dataSize?: number | undefined
  readonly skipCorrupt?: boolean | undefined
  readonly maxMegapixels?: number | undefined
  readonly imageColumn?: string | undefined
  readonly labelColumn?: string | undefined
  readonly cacheLimit?: number | undefined
}

export const addDataOptions = (command: Command): Command =>
  command
    .requiredOption(
      '--dataset <spec>',
      `data set, one of ${datasetSpecs.join(', ')}; DIR may be s3://BUCKET/DIR`,
    )
    .option('--data-size <pixels>', 'side in pixels to which encoded images are resized', count)
    .option('--skip-corrupt', 'skip images that cannot be decoded, and name them')
    .option(
      '--max-megapixels <n>',
      'largest image that is decoded, in megapixels (default: 100)',
      count,
    )
    .option('--image-column <name>', 'column of images of a parquet table (default: a common name)')
    .option('--label-column <name>', 'column of labels of a parquet table (default: a common name)')
    .option(
      '--cache-limit <size>',
      'bytes that all decoded images may take in the cache; images that do not fit are decoded whenever they are read ' +
        '(default: half of what is free)',
      bytes,
    )

/** Returns the options that make another command work on the same images. */
export function dataWords({
  dataset,
  dataSize,
  skipCorrupt,
}: Pick<DataOptions, 'dataset' | 'dataSize' | 'skipCorrupt'>): string {
  const size = dataSize === undefined ? '' : ` --data-size ${dataSize}`
  return `--dataset ${dataset}${size}${skipCorrupt ? ' --skip-corrupt' : ''}`
}

/** Opens the data set of a command, with progress on the terminal. */
export function openDataset(
  { dataset, dataSize, skipCorrupt, ...rest }: DataOptions,
  display: ProgressDisplay,
): Promise<Dataset> {
  return observeData(display, `data set ${dataset}`, (observer) =>
    loadDataset(dataset, {
      ...(dataSize === undefined ? {} : { imageSize: dataSize }),
      ...(rest.maxMegapixels === undefined ? {} : { maxMegapixels: rest.maxMegapixels }),
      ...(rest.imageColumn === undefined ? {} : { imageColumn: rest.imageColumn }),
      ...(rest.labelColumn === undefined ? {} : { labelColumn: rest.labelColumn }),
      ...(rest.cacheLimit === undefined ? {} : { cacheLimit: rest.cacheLimit }),
      corrupt: skipCorrupt ? 'skip' : 'fail',
      ...observer,
    }),
  )
}

/** Callbacks for what a command prints while data is opened, and the signal that interrupts it. */
export type DataObserver = Pick<DatasetOptions, 'warn' | 'progress' | 'signal'>

/**
 * Calls `work`, which opens data sets. Ctrl-C while images are decoded removes what is unfinished, and ends the process.
 * @param activity what the display says is going on.
 */
export async function observeData<T>(
  display: ProgressDisplay,
  activity: string,
  work: (observer: DataObserver) => Promise<T>,
): Promise<T> {
  const interruption = new AbortController()
  let isDecoding = false
  const interrupt = () => {
    if (!isDecoding) process.exit(INTERRUPTED)
    interruption.abort()
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, interrupt)
  display.begin(activity)
  const show = createProgress(display)
  try {
    return await work({
      warn: (message) => display.line(message),
      progress(progress) {
        isDecoding = progress.done < progress.total
        show(progress)
      },
      signal: interruption.signal,
    })
  } catch (error) {
    if (!interruption.signal.aborted) throw error
    display.line('interrupted: no decoded images were kept; the same command decodes them again')
    return process.exit(INTERRUPTED)
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
    display.end()
  }
}

/** Exit code of a process that Ctrl-C ended. */
const INTERRUPTED = 130

/** Milliseconds between two updates of the display, and before the first estimate of the time that is left. */
const UPDATE_MS = 200
const ESTIMATE_MS = 2000

/** Returns a function that shows count, images a second and the time left. */
function createProgress(display: ProgressDisplay): (progress: DataProgress) => void {
  const started = performance.now()
  let shown = 0
  return ({ phase, done, total }) => {
    const now = performance.now()
    if (now - shown < UPDATE_MS && done < total) return
    shown = now
    const seconds = (now - started) / 1000
    const rate = done / seconds
    const left = done > 0 && now - started > ESTIMATE_MS ? (total - done) / rate : undefined
    display.update(
      { phase: `${phase} ${done}/${total} (${rate.toFixed(0)} images/s)`, done, total },
      left,
    )
  }
}
