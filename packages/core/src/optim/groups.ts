// Groups of parameters that the optimizer treats as one tensor. Most parameters of a vision transformer are small: starting an
// operator for each of them takes longer than its arithmetic. Large parameters stay alone, since joining them would copy them.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { flattenTree } from '../graph/tree.js'
import { isParameterSpec, type ParameterSpec } from '../nn/parameters.js'
import { sizeOf, type Shape } from '../tensor/tensor.js'

/** Elements above which a parameter stays alone. */
const LARGE = 2 ** 17
/** Elements of a group: half of the 128 MiB that every WebGPU device can bind. */
const LARGEST_GROUP = 2 ** 24

export interface ParameterGroup {
  /** `joined.0`, or the name of the only member. */
  readonly name: string
  /** Whether weight decay applies to the members. */
  readonly decays: boolean
  readonly members: readonly { readonly name: string; readonly shape: Shape }[]
}

type Member = ParameterGroup['members'][number]

/** Groups parameters, in their order: small ones of the same kind of decay are together, each large one is alone. */
export function groupParameters(
  specs: unknown,
  decays: (spec: ParameterSpec) => boolean,
): ParameterGroup[] {
  const groups: { name: string; decays: boolean; members: Member[]; size: number }[] = []
  const open = new Map<boolean, (typeof groups)[number]>()
  for (const [name, spec] of flattenTree(specs, isParameterSpec)) {
    const { shape } = spec
    const [member, decay, size] = [{ name, shape }, decays(spec), sizeOf(shape)]
    const group = open.get(decay)
    if (size > LARGE) groups.push({ name, decays: decay, members: [member], size })
    else if (group && group.size + size <= LARGEST_GROUP) {
      group.members.push(member)
      group.size += size
    } else {
      const first = { name, decays: decay, members: [member], size }
      groups.push(first)
      open.set(decay, first)
    }
  }
  let joined = 0
  return groups.map(({ name, decays, members }) => ({
    name: members.length > 1 ? `joined.${joined++}` : name,
    decays,
    members,
  }))
}

/**
 * Shapes of members as parts of their group's tensor: rows as long as those of most matrices, which then need no reshape, if all
 * members are made of such rows; else vectors. The only member of a group keeps its shape.
 */
function partShapes({ members }: ParameterGroup): Shape[] {
  if (members.length === 1) return [members[0]!.shape]
  const lengths = members.flatMap(({ shape }) => (shape.length === 2 ? [shape[1]!] : []))
  const votes = (length: number) => lengths.filter((other) => other === length).length
  const [columns] = lengths.toSorted((a, b) => votes(b) - votes(a))
  const sizes = members.map(({ shape }) => sizeOf(shape))
  return columns !== undefined && sizes.every((size) => size % columns === 0)
    ? sizes.map((size) => [size / columns, columns])
    : sizes.map((size) => [size])
}

/** Shape of a group's tensors: its members one after another. */
export function groupShape(group: ParameterGroup): Shape {
  const [first, ...rest] = partShapes(group) as [Shape, ...Shape[]]
  return rest.length === 0
    ? first
    : [rest.reduce((rows, [own]) => rows + own!, first[0]!), ...first.slice(1)]
}

/** Puts tensors of a group's members one after another. */
export function join(group: ParameterGroup, tensorOf: (name: string) => Tensor): Tensor {
  const shapes = partShapes(group)
  const parts = group.members.map(({ name }, i) => op.reshape(tensorOf(name), shapes[i]!))
  return op.concat(parts as [Tensor, ...Tensor[]], 0)
}

/** Returns the groups without parameters that have no gradient. */
export const trainedGroups = (
  groups: readonly ParameterGroup[],
  gradients: ReadonlyMap<string, unknown>,
): ParameterGroup[] =>
  groups
    .map((group) => ({
      ...group,
      members: group.members.filter(({ name }) => gradients.get(name)),
    }))
    .filter(({ members }) => members.length > 0)

/** Joins tensors by parameter to tensors by group. */
export const joinAll = (
  groups: readonly ParameterGroup[],
  tensors: ReadonlyMap<string, Tensor | undefined>,
): Map<string, Tensor> =>
  new Map(groups.map((group) => [group.name, join(group, (name) => tensors.get(name)!)]))

/** Cuts a group's tensor into those of its members, by their names. */
export function cut(group: ParameterGroup, joined: Tensor): Map<string, Tensor> {
  const { members } = group
  const rows = partShapes(group).map(([own]) => own!)
  const parts = members.length === 1 ? [joined] : op.split(joined, 0, rows)
  return new Map(members.map(({ name, shape }, i) => [name, op.reshape(parts[i]!, shape)]))
}
