// Checks that every backend makes before it uses a device, so that a mistake gives the same error on all backends. The ledger
// (ledger.ts) checks whether a buffer is alive.
import type { Graph } from '../graph/graph.js'
import { formatType, sameType, sizeOf, type HostTensor } from '../tensor/tensor.js'
import type { Capabilities, DeviceBuffer } from './backend.js'

const arrayNames = {
  float32: 'Float32Array',
  float16: 'Uint16Array',
  int32: 'Int32Array',
  bool: 'Uint8Array',
}

/**
 * @throws if the backend does not declare the dtype, or if `data` is not of the dtype's array class or not of the shape's size.
 */
export function checkHostTensor(tensor: HostTensor, { dtypes }: Capabilities): void {
  const { dtype, shape, data } = tensor
  if (!dtypes.includes(dtype))
    throw new Error(
      `tensor ${formatType(tensor)}: this backend has no ${dtype}, but ${dtypes.join(', ')}`,
    )
  const expected = `${arrayNames[dtype]} of ${sizeOf(shape)} elements`
  const given = `${data.constructor.name} of ${data.length}`
  if (expected !== `${given} elements`)
    throw new Error(`tensor ${formatType(tensor)}: data must be ${expected}, got ${given}`)
}

/**
 * @throws if an input of the graph is missing or of another type, if a name is not an input of the graph, or if a donated buffer is
 * given twice.
 */
export function checkInputs(graph: Graph, inputs: Readonly<Record<string, DeviceBuffer>>): void {
  const fail = (message: string) => {
    throw new Error(`graph ${graph.name}: ${message}`)
  }
  for (const { name, value } of graph.inputs) {
    const buffer = inputs[name]
    const type = graph.types[value]!
    if (!buffer) fail(`input ${name}: ${formatType(type)} is missing`)
    else if (!sameType(buffer, type))
      fail(`input ${name} must be ${formatType(type)}, got ${formatType(buffer)}`)
  }
  const known = graph.inputs.map(({ name }) => name)
  for (const name of Object.keys(inputs))
    if (!known.includes(name))
      fail(`there is no input ${name}; its inputs are ${known.join(', ') || '(none)'}`)
  for (const { name } of graph.inputs.filter(({ donated }) => donated))
    for (const [other, buffer] of Object.entries(inputs))
      if (other !== name && buffer === inputs[name])
        fail(`input ${name} is donated, so its buffer cannot be given as ${other} too`)
}
