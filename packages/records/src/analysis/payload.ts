// What travels from Node into the page: the records, and what the caller says about them. Printed graphs are long and
// repeat from seed to seed, so each travels once; nothing else is changed and nothing computed.
import type { BenchRecord } from '../schema.js'

export interface Content {
  readonly title: string
  readonly records: readonly BenchRecord[]
  /** An earlier set of records to compare with. */
  readonly before?: readonly BenchRecord[]
}

interface PackedRecord extends Omit<BenchRecord, 'graph'> {
  /** `text` is the place of the text in `graphs`. */
  readonly graph?: { readonly digest?: string | undefined; readonly text?: number }
}

/** A `Content` as it is written into the page. */
export interface Payload {
  readonly title: string
  readonly graphs: readonly string[]
  readonly records: readonly PackedRecord[]
  readonly before?: readonly PackedRecord[]
}

export function pack({ title, records, before }: Content): Payload {
  const places = new Map<string, number>()
  const packed = ({ graph, ...record }: BenchRecord): PackedRecord => {
    if (graph === undefined) return record
    const { text, ...rest } = graph
    if (text === undefined) return { ...record, graph: rest }
    if (!places.has(text)) places.set(text, places.size)
    return { ...record, graph: { ...rest, text: places.get(text)! } }
  }
  const all = { records: records.map(packed), ...(before && { before: before.map(packed) }) }
  return { title, graphs: [...places.keys()], ...all }
}

export function unpack({ title, graphs, records, before }: Payload): Content {
  const unpacked = ({ graph, ...record }: PackedRecord): BenchRecord => {
    if (graph === undefined) return record
    const { text, ...rest } = graph
    return { ...record, graph: text === undefined ? rest : { ...rest, text: graphs[text]! } }
  }
  return { title, records: records.map(unpacked), ...(before && { before: before.map(unpacked) }) }
}
