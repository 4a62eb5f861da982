// Attributes of an op as text, in error messages and printed graphs.
import { valuesOf, type HostTensor } from '../tensor/tensor.js'

/** Returns attributes as text, without those that are false: `{transposeB, axes=[0,1]}`. */
export function formatAttrs(attrs: object): string {
  const parts = Object.entries(attrs).flatMap(([key, value]) => {
    if (value === false) return []
    if (value === true) return [key]
    if (typeof value === 'object' && 'data' in value) return [formatConstant(value as HostTensor)]
    return [`${key}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`]
  })
  return parts.length === 0 ? '' : `{${parts.join(', ')}}`
}

function formatConstant(tensor: HostTensor): string {
  const values = Array.from(valuesOf(tensor))
  return tensor.shape.length === 0
    ? String(Number(values[0]!.toPrecision(7)))
    : `${values.slice(0, 4).join(',')}${values.length > 4 ? ',…' : ''}`
}
