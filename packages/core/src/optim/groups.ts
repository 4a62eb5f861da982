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

/** Shape of a group's tensors: that of its only member, or a vector. */
export const groupShape = ({ members }: ParameterGroup): Shape =>
  members.length > 1
    ? [members.reduce((total, { shape }) => total + sizeOf(shape), 0)]
    : members[0]!.shape

/** Puts tensors of a group's members one after another. */
export function join({ members }: ParameterGroup, tensorOf: (name: string) => Tensor): Tensor {
  const tensors = members.map(({ name }) => tensorOf(name))
  if (tensors.length === 1) return tensors[0]!
  const flat = tensors.map((x) => op.reshape(x, [sizeOf(x.shape)]))
  return op.concat(flat as [Tensor, ...Tensor[]], 0)
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
export function cut({ members }: ParameterGroup, joined: Tensor): Map<string, Tensor> {
  const parts =
    members.length === 1
      ? [joined]
      : op.split(
          joined,
          0,
          members.map(({ shape }) => sizeOf(shape)),
        )
  return new Map(members.map(({ name, shape }, i) => [name, op.reshape(parts[i]!, shape)]))
}
