// A record's summary: the same trial without the parts that only its own page, curves and image-by-image tests read.
// A report of very many records holds summaries, so that it stays small enough to open.
import type { BenchRecord } from './schema.js'

/**
 * Returns a record without step times, curves, graph, results of single images and last words. Every mean, median and
 * interval of the record stays.
 */
export function summarize(record: BenchRecord): BenchRecord {
  const {
    curves: _curves,
    graph: _graph,
    testResults: _images,
    lastWords: _words,
    ...rest
  } = record
  const { time } = rest
  if (time === undefined) return rest
  return { ...rest, time: { ...time, stepSeconds: [], timedSteps: stepCount(time) } }
}

/** Notice for readers of a page of summaries. */
export const SUMMARY_NOTICE =
  'These are summaries. Step times, curves, graphs and results of single images are left out, because the records are too large for one page. Means and medians are those of the whole records; intervals of differences in accuracy are wider, since methods cannot be compared image by image.'

/** Returns whether a record is a summary that `summarize` made of a timed trial. */
export const isSummary = ({ time }: BenchRecord): boolean => time?.timedSteps !== undefined

/** Returns the number of steps that were timed, whether or not the record holds their times. */
export const stepCount = (time: NonNullable<BenchRecord['time']>): number =>
  time.timedSteps ?? time.stepSeconds.length
