// How long each kind of operator takes in a step, and each part of the model, from a profile of single operators.
import type { OperatorTime } from '@embed-kd/core'

import { formatFlops, formatSeconds, formatShare, formatTable } from '@embed-kd/records/terminal'

/** Times of the operators in some steps. */
export interface StepProfile {
  readonly steps: number
  readonly operators: readonly OperatorTime[]
}

/** All operators of a group, in an average step. */
export interface OperatorShare {
  readonly name: string
  readonly calls: number
  readonly seconds: number
  /** Share of the time of all operators. */
  readonly share: number
  /** Speed of the group's matrix products, if it has some. */
  readonly flopsPerSecond?: number
}

/** Groups the operators of a step; those that take the most time come first. */
export function sharesOf(
  { steps, operators }: StepProfile,
  groupOf: (operator: OperatorTime) => string,
): OperatorShare[] {
  const groups = new Map<string, OperatorTime[]>()
  for (const operator of operators) {
    const name = groupOf(operator)
    const group = groups.get(name)
    if (group) group.push(operator)
    else groups.set(name, [operator])
  }
  const all = sumOf(operators, 'seconds')
  return [...groups]
    .map(([name, group]) => {
      const seconds = sumOf(group, 'seconds')
      const products = group.filter(({ flops }) => flops !== undefined)
      return {
        name,
        calls: group.length / steps,
        seconds: seconds / steps,
        share: seconds / all,
        ...(products.length > 0
          ? { flopsPerSecond: sumOf(products, 'flops') / sumOf(products, 'seconds') }
          : {}),
      }
    })
    .toSorted((a, b) => b.seconds - a.seconds)
}

const sumOf = (operators: readonly OperatorTime[], key: 'seconds' | 'flops'): number =>
  operators.reduce((sum, operator) => sum + operator[key]!, 0)

/** Names the part, layer and phase of an operator; all blocks of a model are one part: `student blocks mlp, backward`. */
function partOf({ place }: OperatorTime): string {
  if (!place) return '(added by the runtime)'
  const { part, block, layer, phase } = place
  const path = [part, block === undefined ? undefined : 'blocks', layer].filter(Boolean).join(' ')
  return phase === 'forward' ? path : `${path}, ${phase}`
}

const table = (title: string, shares: readonly OperatorShare[]): string =>
  formatTable(
    [title, 'calls', 'time', 'share', 'matrix products'],
    shares.map(({ name, calls, seconds, share, flopsPerSecond }) => [
      name,
      `${calls}`,
      formatSeconds(seconds),
      formatShare(share),
      flopsPerSecond === undefined ? '' : `${formatFlops(flopsPerSecond)}/s`,
    ]),
  )

/** Where the time of a step goes, as two tables. */
export const describeProfile = (profile: StepProfile): string =>
  [
    table(
      'operator',
      sharesOf(profile, ({ operator }) => operator),
    ),
    table('part', sharesOf(profile, partOf)),
  ].join('\n\n')
