// How the figures of the report were computed, in words; every definition a reader needs to dispute one.
import { formatBytes, formatPercent, formatSeconds, MATCHED_RULE, PAPER } from '@embed-kd/records'
import { element } from './dom.js'

export function notes(): HTMLElement {
  const { teacherKd, embedKd } = PAPER
  const entries: [string, string][] = [
    [
      'One setting answers',
      `${MATCHED_RULE} A larger teacher that was measured for its cost alone is told apart.`,
    ],
    [
      'What is compared',
      'Runs are compared only if every axis of the trial, the machine, the version of the code and the runtime agree. Runs of one seed are divided by each other; a trial that was run several times gives several pairs. The ratio is the geometric mean over the pairs. Memory and time: Teacher-KD divided by Embed-KD. Accuracy: Embed-KD less Teacher-KD, in percentage points.',
    ],
    [
      'Intervals',
      "All intervals are 95 %. Over two or more runs they are Student's t, on the logarithms of the paired ratios, on differences, or on values for a mean. A percentile bootstrap of so few seeds would be far too narrow. With a single run of each side, the interval comes from the bootstrap intervals of the median step: it says how steady the steps were, not how the next run may differ. Quantities of the graph are exact and have no interval. Ranges reach from the lowest to the highest value and are called ranges.",
    ],
    [
      'Accuracy',
      'Test images are a sample. The binomial standard error of both accuracies widens the interval over seeds in quadrature; a single seed has this error alone. Both methods are tested on the same images, which makes the interval wider than it need be: records do not say which images were right. A seed that was run twice counts once.',
    ],
    [
      'Resident and peak',
      'Resident bytes stay between two steps: weights, optimizer state, and the teacher or the embeddings. Peak bytes are the most that is alive at one time, activations included. The two are never divided by each other. Units are decimal: 1 MB is 1,000,000 bytes.',
    ],
    [
      'Planned and measured',
      "Planned bytes and FLOPs follow from the graph and are the same on every machine. Measured host memory is the highest resident size of the process less its baseline, which was taken after the runtime was loaded and before anything was built. Measured device memory is the backend's or the driver's figure.",
    ],
    [
      'Time',
      'The time of an epoch is compared as it ran if both sides ran whole epochs. Otherwise it is extrapolated on both sides: the median step times the steps of an epoch, without evaluation. The median is over the timed steps of a run after its warm-up, outliers included.',
    ],
    [
      'Break-even',
      'The one-time cost of the embeddings divided by the time that an epoch, or a step, takes less with Embed-KD. If the teacher ran on a few batches only, its time was extrapolated, and the report says so.',
    ],
    [
      'Supported',
      'A ratio is supported if its interval over runs excludes 1 and nothing speaks against the measurement: a noisy machine, warnings, few timed steps. A front of accuracy against cost joins only gains that the intervals support. Ratios in the table have a colour only if an interval over runs excludes 1; of twenty such ratios, chance alone would colour one.',
    ],
    [
      'Cost only',
      'Teachers with random weights cost as much as trained ones and teach nothing. Their runs count for time and memory and have no accuracy.',
    ],
    [
      'The paper',
      `${PAPER.setting}: ${formatBytes(teacherKd.memoryBytes)} and ${formatSeconds(teacherKd.epochSeconds)} an epoch with ${formatPercent(teacherKd.accuracy)} against ${formatBytes(embedKd.memoryBytes)} and ${formatSeconds(embedKd.epochSeconds)} with ${formatPercent(embedKd.accuracy)}; in its words ${PAPER.memoryRatio}x less memory, ${PAPER.timeRatio}x less time, ${PAPER.accuracyRatio}x the accuracy. It does not say how memory was measured and compares different teachers, so that its figures are a landmark here, not a target.`,
    ],
  ]
  return element(
    'section',
    { id: 'notes', tabindex: '-1', 'aria-labelledby': 'notes-title' },
    element('h2', { id: 'notes-title' }, 'How it was computed'),
    element(
      'dl',
      { class: 'notes' },
      ...entries.map(([name, text]) =>
        element('div', {}, element('dt', {}, name), element('dd', {}, text)),
      ),
    ),
  )
}
