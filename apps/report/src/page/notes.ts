// How the figures of the report were computed, in words; every definition a reader needs to dispute one.
import { formatBytes, formatPercent, formatSeconds, PAPER } from '@embed-kd/records'
import { element } from './dom.js'

export function notes(): HTMLElement {
  const { teacherKd, embedKd } = PAPER
  const entries: [string, string][] = [
    [
      'Ratios',
      'Memory and time: Teacher-KD divided by Embed-KD, so that more is less spent. Accuracy: Embed-KD divided by Teacher-KD. Only runs of the same setting (backend, precision, machine, data, preset, student, teacher, batch, training length, learning rate, weight decay, dropout) and equal seed are divided; the ratio shown is the geometric mean of these pairs.',
    ],
    [
      'Intervals',
      "All are 95 %. Over two or more runs: Student's t on the logarithms of the paired ratios, or on the values for a mean. A percentile bootstrap of so few seeds would be far too narrow. With a single run of each: from the bootstrap intervals of the median step that both records carry; this says how steady the steps were, not how the next run would differ. What is read off the graph is exact and has no interval.",
    ],
    [
      'Resident and peak',
      'Resident bytes stay between two steps: weights, optimizer state, and the teacher or the embeddings. Peak bytes are the most that lives at one time, activations included. They are never divided by each other.',
    ],
    [
      'Planned and measured',
      'Planned bytes and FLOPs follow from the graph and are the same on every machine. Measured on the host is the high-water mark of the process minus its baseline, taken after the runtime was loaded and before anything was made. Measured on the device is what the backend or the driver reported.',
    ],
    [
      'Time',
      'The median of the timed steps of a run, after its warm-up; outliers stay in. Where an epoch was not run, it is the median step times the steps of an epoch, without evaluation.',
    ],
    [
      'Break-even',
      'The time that making the embeddings took once, divided by the time that an epoch of Embed-KD takes less than one of Teacher-KD.',
    ],
    [
      'Which setting answers',
      'Of all settings that both methods finished, the one with the largest teacher, and of these the largest batch, since the paper speaks of large teachers. The filters change which settings there are.',
    ],
    [
      'Cost only',
      'Teachers with random weights cost what trained ones do and teach nothing. Their runs count for time and memory and have no accuracy.',
    ],
    [
      'The paper',
      `${PAPER.setting}: ${formatBytes(teacherKd.memoryBytes)} and ${formatSeconds(teacherKd.epochSeconds)} an epoch with ${formatPercent(teacherKd.accuracy)} against ${formatBytes(embedKd.memoryBytes)} and ${formatSeconds(embedKd.epochSeconds)} with ${formatPercent(embedKd.accuracy)}; in its words ${PAPER.memoryRatio}x less memory, ${PAPER.timeRatio}x less time, ${PAPER.accuracyRatio}x the accuracy. It does not say how memory was measured and compares different teachers, so that its ratios are a landmark here, not a target.`,
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
