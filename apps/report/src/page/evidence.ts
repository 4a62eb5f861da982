// A small table under an answer: the ratio or difference, related quantities and the paper's figure on one scale.
import {
  formatRange,
  formatRatio,
  type Finding,
  type Interval,
  MARGIN,
  methodName,
  PAPER_METHODS,
  ratioRange,
} from '@embed-kd/records'
import { element } from './dom.js'

interface Line {
  readonly kind: 'measured' | 'planned' | 'paper'
  readonly label: string
  readonly value: number
  readonly interval?: Interval | undefined
  readonly text: string
  readonly range?: string | undefined
}

const NAMES: Readonly<Record<string, readonly [Line['kind'], string]>> = {
  hostPeakBytes: ['measured', 'Peak, measured'],
  devicePeakBytes: ['measured', 'Peak, measured'],
  hostResidentBytes: ['measured', 'Resident, measured'],
  deviceResidentBytes: ['measured', 'Resident, measured'],
  plannedPeakBytes: ['planned', 'Peak, planned'],
  plannedResidentBytes: ['planned', 'Resident, planned'],
  epochSeconds: ['measured', 'Epoch, measured'],
  extrapolatedEpochSeconds: ['measured', 'Epoch, extrapolated'],
  stepSeconds: ['measured', 'Step, measured'],
  stepFlops: ['planned', 'FLOPs, planned'],
  accuracy: ['measured', 'Measured'],
}

/** Draws ratios on a logarithmic scale around 1. All of them speak in the direction of the headline. */
export function ratioEvidence({ measure, ratio, beside, paperRatio }: Finding): HTMLElement {
  const more = ratio.value < 1
  const line = (id: string, value: number, interval?: Interval): Line => {
    const [kind, label] = NAMES[id] ?? (['planned', id] as const)
    return { kind, label, ...directed(value, interval, more) }
  }
  const lines: Line[] = [
    line(measure.id, ratio.value, ratio.interval),
    ...beside.map(({ measure, ratio }) => line(measure.id, ratio.value, ratio.interval)),
    {
      kind: 'paper',
      label: 'Paper',
      value: more ? 1 / paperRatio : paperRatio,
      text: `${paperRatio}×${more ? ' less' : ''}`,
    },
  ]
  const [low, high] = ratioRange(
    [1, ...lines.map(({ value }) => value)],
    lines.flatMap(({ interval }) => interval ?? []),
  )
  const scale = (value: number) => Math.log(value / low) / Math.log(high / low)
  return table(lines, 1, scale, more ? 'Times more' : 'Times less')
}

/** Turns a ratio of "less" into the headline's direction; a ratio that points the other way says so. */
function directed(value: number, interval: Interval | undefined, more: boolean) {
  if (!more) {
    const text = value >= 1 ? formatRatio(value) : `${formatRatio(1 / value)} more`
    return { value, interval, text, range: interval && formatRange(interval) }
  }
  const turned: Interval | undefined = interval && [1 / interval[1], 1 / interval[0]]
  const text = value <= 1 ? formatRatio(1 / value) : `${formatRatio(value)} less`
  return { value: 1 / value, interval: turned, text, range: turned && formatRange(turned) }
}

/** Draws the differences in accuracy on a linear scale around 0, with the margin that counts as equal. */
export function differenceEvidence(
  { difference, withoutTeacher }: Finding,
  paper: number,
): HTMLElement {
  const say = (share: number) => {
    const digits = (share * 100).toFixed(2)
    return Number(digits) > 0 ? `+${digits}` : digits.replace('-', '−')
  }
  const line = (label: string, { value, interval }: NonNullable<Finding['difference']>): Line => ({
    kind: 'measured',
    label,
    value,
    interval,
    text: say(value),
    range: interval && `${say(interval[0])} to ${say(interval[1])}`,
  })
  const lines: Line[] = [
    line(`to ${methodName(PAPER_METHODS.replaced)}`, difference!),
    ...(withoutTeacher
      ? [line(`to ${methodName(PAPER_METHODS.without)}`, withoutTeacher.difference)]
      : []),
    { kind: 'paper', label: 'Paper', value: paper, text: say(paper) },
  ]
  const bounds = lines.flatMap(({ value, interval = [] }) => [value, ...interval])
  const values = [-MARGIN, MARGIN, ...bounds]
  const low = Math.min(...values)
  const span = Math.max(...values) - low
  return table(lines, 0, (value) => (value - low) / span, 'Percentage points', [-MARGIN, MARGIN])
}

function table(
  lines: readonly Line[],
  neutral: number,
  scale: (value: number) => number,
  unit: string,
  margin?: Interval,
): HTMLElement {
  const place = (value: number) => `${4 + 92 * Math.min(1, Math.max(0, scale(value)))}%`
  const head = ['Quantity', 'On a scale', `${unit}, with 95 % interval`]
  return element(
    'table',
    { class: 'evidence' },
    element('caption', { class: 'unseen' }, 'The answer and related quantities'),
    element(
      'thead',
      { class: 'unseen' },
      element('tr', {}, ...head.map((name) => element('th', { scope: 'col' }, name))),
    ),
    element(
      'tbody',
      {},
      ...lines.map(({ kind, label, value, interval, text, range }) =>
        element(
          'tr',
          { class: kind },
          element('th', { scope: 'row' }, label),
          element(
            'td',
            { class: 'track', 'aria-hidden': 'true' },
            margin === undefined
              ? undefined
              : element('i', {
                  class: 'margin',
                  style: `left: ${place(margin[0])}; right: calc(100% - ${place(margin[1])})`,
                }),
            element('i', { class: 'one', style: `left: ${place(neutral)}` }),
            interval === undefined
              ? undefined
              : element('i', {
                  class: 'whisker',
                  style: `left: ${place(interval[0])}; right: calc(100% - ${place(interval[1])})`,
                }),
            element('i', { class: 'dot', style: `left: ${place(value)}` }),
          ),
          element(
            'td',
            { class: 'value' },
            text,
            range === undefined ? undefined : element('span', { class: 'interval' }, ` ${range}`),
          ),
        ),
      ),
    ),
  )
}
