// How the figures of the report were computed, in words; every definition a reader needs to dispute one.
import {
  formatBytes,
  formatPercent,
  formatSeconds,
  MARGIN,
  MATCHED_RULE,
  PAPER,
} from '@embed-kd/records'
import { element } from './dom.js'
import { withTerms } from './terms.js'

export function notes(): HTMLElement {
  const { teacherKd, embedKd } = PAPER
  const entries: [string, string][] = [
    [
      'One setting answers',
      `${MATCHED_RULE} A larger teacher that was measured for its cost alone is shown separately.`,
    ],
    [
      'What is compared',
      'Runs are compared only if every axis of the trial, the machine, the version of the code and the runtime agree. Runs of one seed are divided by each other; a trial that was run several times gives several pairs. The ratio is the geometric mean over the pairs, and the two values beside it are geometric means of the same pairs; figures and the table of trials show arithmetic means over all runs. Memory and time: Teacher-KD divided by Embed-KD. Accuracy: Embed-KD minus Teacher-KD, in percentage points.',
    ],
    [
      'Intervals',
      "All intervals are 95 %. Over two or more runs they are Student's t, on the logarithms of the paired ratios, on differences, or on values for a mean. A percentile bootstrap of so few seeds would be far too narrow. With a single run of each side, the interval comes from the bootstrap intervals of the median step: it says how steady the steps were, not how the next run may differ. Quantities of the graph are exact and have no interval. Ranges reach from the lowest to the highest value and are called ranges.",
    ],
    [
      'Accuracy',
      `Methods are tested on the same images with the same seeds, so that they are compared image by image if the records say which images were right. The standard error of a difference has two parts: the spread over seeds, with Student's t, and the sampling of the test images. Images and seeds are crossed; the part of the images is their variance beyond what the seeds already show (two-way random effects, the closed form of a bootstrap over images × seeds). Both add in quadrature, which covers at least 95 of 100 in simulations with two or more seeds; a percentile bootstrap of three seeds covers as few as 89. Without results of single images, the binomial errors of both sides take the place of the second part, and the interval is wider. A seed that was run twice counts once.`,
    ],
    [
      'Tests',
      `The p-value of a difference is the level at which its interval just reaches 0. In a table of methods it is corrected after Holm over all methods that are tested against the same baseline in the same column; columns and tables are families of their own. For each seed there is also McNemar's test (mid-p) of the images that one side alone got right; it speaks of these students on these images, not of the next seed, and is never pooled over seeds, since the same images would count several times. With one seed it is the test.`,
    ],
    [
      'Claims',
      `Embed-KD counts as at least as accurate if the whole interval of its difference to Teacher-KD lies above −${MARGIN * 100} point (non-inferiority at the level 2.5 %), and as less accurate if it lies below. Anything else is inconclusive, and so is a single seed. Against training without a teacher the claim is a gain: the interval must lie above 0. The margin and both comparisons were fixed before any record was read, so that the card's intervals are not corrected; tables of methods, which test everything, are.`,
    ],
    [
      'Controls and searches',
      "Controls replace the teacher's centroids by vectors without its knowledge. They and the trials of a search for hyperparameters stand in their own tables alone. A search looks at training images that were held out, never at test images; methods that searched the same values are compared, each with the values it chose.",
    ],
    [
      'Resident and peak',
      'Resident bytes stay between two steps: weights, optimizer state, and the teacher or the embeddings. Peak bytes are the most that is alive at one time, activations included. The two are never divided by each other. Units are decimal: 1 MB is 1,000,000 bytes.',
    ],
    [
      'Planned and measured',
      "Planned bytes and FLOPs follow from the graph and are the same on every machine. Measured host memory is the highest resident size of the process minus its baseline, which was taken after the runtime was loaded and before anything was built. Measured device memory is the backend's or the driver's figure.",
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
      'A claim about memory or time is supported if the interval of the ratio lies above 1, refuted if below, and inconclusive if it includes 1; what speaks against the measurement stands beside it: a noisy machine, warnings, few timed steps. A front of accuracy against cost joins only gains that the intervals support. Ratios in the table have a colour only if an interval over runs excludes 1; of twenty such ratios, chance alone would colour one.',
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
        element('div', {}, element('dt', {}, name), element('dd', {}, ...withTerms(text))),
      ),
    ),
    element('h3', { id: 'terms' }, 'Terms'),
    part('glossary'),
    element(
      'details',
      { class: 'data' },
      element('summary', {}, 'Licences of the packages in this page'),
      element(
        'pre',
        { class: 'licences', tabindex: '0', 'aria-label': 'Licences' },
        part('licences'),
      ),
    ),
  )
}

/** Returns a copy of a part that the build added to the page. */
function part(id: string): Node {
  return document.querySelector<HTMLTemplateElement>(`template#${id}`)!.content.cloneNode(true)
}
