// Packed state: parameters, moments and averages of a group in one buffer. A runtime spends more time on handing over a tensor than
// on the arithmetic of a small one. Graphs are traced with a tensor for each parameter, and checkpoints keep them; only buffers of a
// running training are packed.
import type { Graph, GraphInput, ValueId } from '../graph/graph.js'
import { Tracer, type Tensor } from '../graph/trace.js'
import { hostTensor, sizeOf, type HostTensor } from '../tensor/tensor.js'
import { cut, groupShape, join, type ParameterGroup } from './groups.js'

/** Prefixes of the state's inputs and outputs, before the names of parameters. */
const statePrefixes: readonly string[] = ['state.parameters.', 'state.m.', 'state.v.']

/** Groups of more than one parameter, at each prefix. */
const packsOf = (groups: readonly ParameterGroup[], prefixes = statePrefixes) =>
  groups
    .filter(({ members }) => members.length > 1)
    .flatMap((group) => prefixes.map((prefix) => ({ group, prefix })))

/**
 * Returns an equal graph that takes and gives one tensor for each group: `state.m.joined.0` instead of `state.m.` and the names of
 * the members. A graph that takes only some members takes the whole group.
 * @param prefixes what precedes the names of parameters (default: the prefixes of a training state).
 */
export function packGraph(
  graph: Graph,
  groups: readonly ParameterGroup[],
  prefixes = statePrefixes,
): Graph {
  const tracer = new Tracer()
  const values = new Map<ValueId, Tensor>()
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]))
  const packs = packsOf(groups, prefixes).map(({ group, prefix }) => ({
    group,
    prefix,
    taken: group.members.flatMap(({ name }) => inputs.get(`${prefix}${name}`) ?? []),
  }))
  const packOf = new Map(packs.flatMap((pack) => pack.taken.map(({ name }) => [name, pack])))
  const place = { part: 'student', phase: 'forward' } as const
  const made = new Set<unknown>()
  const take = (input: GraphInput) => {
    const { name, value, role, donated } = input
    const pack = packOf.get(name)
    if (!pack) {
      values.set(value, tracer.input(name, { ...graph.types[value]!, role, donated }))
      return
    }
    if (made.has(pack)) return
    made.add(pack)
    const { group, prefix, taken } = pack
    const spec = { dtype: 'float32', shape: groupShape(group), role, donated } as const
    const joined = tracer.input(`${prefix}${group.name}`, spec)
    const parts = tracer.at(place, () => cut(group, joined))
    for (const { name, value } of taken) values.set(value, parts.get(name.slice(prefix.length))!)
  }
  graph.inputs.forEach(take)
  for (const node of graph.nodes) {
    const made = tracer.at(node.place, () =>
      tracer.emit(
        node.op,
        node.inputs.map((value) => values.get(value)!),
        node.attrs,
      ),
    )
    node.outputs.forEach((value, i) => values.set(value, made[i]!))
  }
  const outputs = new Map(graph.outputs.map(({ name, value }) => [name, values.get(value)!]))
  for (const { group, prefix } of packs) {
    const given = group.members.map(({ name }) => `${prefix}${name}`)
    if (!given.every((name) => outputs.has(name))) continue
    const joined = tracer.at({ ...place, part: 'optimizer' }, () =>
      join(group, (name) => outputs.get(`${prefix}${name}`)!),
    )
    for (const name of given) outputs.delete(name)
    outputs.set(`${prefix}${group.name}`, joined)
  }
  const { name, rematerialise } = graph
  return { ...tracer.finish(name, outputs), ...(rematerialise ? { rematerialise } : {}) }
}

type Tensors = ReadonlyMap<string, HostTensor>

/**
 * Puts float32 tensors of each group into one, under the names that `packGraph` gives them. If only some members are given, the
 * others are zeros.
 */
export function packTensors(tensors: Tensors, groups: readonly ParameterGroup[]) {
  const packed = new Map(tensors)
  for (const { group, prefix } of packsOf(groups)) {
    const names = group.members.map(({ name }) => `${prefix}${name}`)
    if (!names.some((name) => tensors.has(name))) continue
    const joined = hostTensor('float32', groupShape(group))
    let next = 0
    for (const [i, { shape }] of group.members.entries()) {
      const name = names[i]!
      const tensor = tensors.get(name)
      if (tensor) joined.data.set(tensor.data, next)
      next += sizeOf(shape)
      packed.delete(name)
    }
    packed.set(`${prefix}${group.name}`, joined)
  }
  return packed
}

/** Undoes `packTensors`. The tensors are views of the packed ones. */
export function unpackTensors(packed: Tensors, groups: readonly ParameterGroup[]) {
  const packs = new Map(
    packsOf(groups).map(({ group, prefix }) => [`${prefix}${group.name}`, { group, prefix }]),
  )
  const tensors = new Map<string, HostTensor>()
  for (const [packedName, tensor] of packed) {
    const pack = packs.get(packedName)
    if (!pack) tensors.set(packedName, tensor)
    let next = 0
    for (const { name, shape } of pack?.group.members ?? []) {
      const data = (tensor.data as Float32Array).subarray(next, (next += sizeOf(shape)))
      tensors.set(`${pack!.prefix}${name}`, { dtype: 'float32', shape, data })
    }
  }
  return tensors
}
