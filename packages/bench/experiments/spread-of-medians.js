// Prints how far the medians of repeated trials lie apart: what a comparison of single trials cannot resolve. Repetitions are
// trials that differ in their seed alone, for example of
//   embed-kd bench --method embed-kd --teacher vit-tiny-16 --student paper --batch 16 --steps 30 --seeds 10 --out results/repeated
//   node packages/bench/experiments/spread-of-medians.js results/repeated
import { configurationsOf, finished } from '@embed-kd/report'

import { formatSeconds, formatShare, formatTable } from '../dist/format.js'
import { median } from '../dist/measure/statistics.js'
import { describeConfiguration } from '../dist/sweep/progress.js'
import { readRecords } from '../dist/sweep/store.js'

const repeated = configurationsOf(process.argv.slice(2).flatMap(readRecords)).filter(
  (configuration) => finished(configuration).length > 1,
)
if (repeated.length === 0) throw new Error('give records of a sweep with --seeds')

console.log(
  formatTable(
    ['configuration', 'trials', 'noisy', 'median', 'lowest', 'highest', 'spread'],
    repeated.map((configuration) => {
      const runs = finished(configuration)
      const medians = runs.map(({ time }) => time.medianSeconds)
      const [low, high] = [Math.min(...medians), Math.max(...medians)]
      return [
        describeConfiguration(configuration.trial),
        `${runs.length}`,
        `${runs.filter(({ roofline }) => roofline.noisy).length}`,
        formatSeconds(median(medians)),
        formatSeconds(low),
        formatSeconds(high),
        formatShare((high - low) / median(medians)),
      ]
    }),
  ),
)
