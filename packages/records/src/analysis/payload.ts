// How records travel from Node into the page. What many records share (trial, environment, cost) travels once, and what
// only single figures need (every step's time, curves, graphs, results of test images) travels in chunks that are parsed when they are read.
// Nothing is changed and nothing computed: the page has exactly the records that Node had.
import type { BenchRecord, Environment } from '../schema.js'
import type { Trial } from '../axes.js'

export interface Content {
  readonly title: string
  readonly records: readonly BenchRecord[]
  /** An earlier set of records to compare with. */
  readonly before?: readonly BenchRecord[]
}

type Cost = NonNullable<BenchRecord['cost']>
type Time = NonNullable<BenchRecord['time']>

/** The parts of a record that are parsed when they are read. */
interface Details {
  readonly stepSeconds?: Time['stepSeconds']
  readonly curves?: NonNullable<BenchRecord['curves']>
  readonly graph?: NonNullable<BenchRecord['graph']>
  readonly testResults?: NonNullable<BenchRecord['testResults']>
}

interface PackedRecord extends Omit<
  BenchRecord,
  'schemaVersion' | 'trial' | 'environment' | 'cost' | 'time' | 'curves' | 'graph' | 'testResults'
> {
  /** Positions in the payload's lists; the trial there has no seed. */
  readonly trial: number
  readonly seed: number
  readonly environment: number
  readonly cost?: number
  readonly time?: Omit<Time, 'stepSeconds'>
  /** Names of the details that the record has. */
  readonly has: readonly (keyof Details)[]
}

/** A `Content` as it is written into the page, details apart. */
export interface Payload {
  readonly title: string
  readonly schemaVersion: BenchRecord['schemaVersion']
  readonly trials: readonly Omit<Trial, 'seed'>[]
  readonly environments: readonly Environment[]
  readonly costs: readonly Cost[]
  readonly records: readonly PackedRecord[]
  readonly before?: readonly PackedRecord[]
}

export interface Packed {
  readonly payload: Payload
  /** Chunks of details, each an array of one entry a record; the last chunk holds the texts of graphs. */
  readonly chunks: readonly (readonly unknown[])[]
}

/** Records to a chunk: a trial's own page parses one chunk. */
const CHUNK = 64

export function pack({ title, records, before = [] }: Content): Packed {
  const trials = new Interned<Omit<Trial, 'seed'>>()
  const environments = new Interned<Environment>()
  const costs = new Interned<Cost>()
  const details: Details[] = []
  const packed = (record: BenchRecord): PackedRecord => {
    const {
      schemaVersion: _version,
      trial,
      environment,
      cost,
      time,
      curves,
      graph,
      testResults,
      ...rest
    } = record
    const { seed, ...template } = trial
    const { stepSeconds, ...figures } = time ?? {}
    const own: Details = {
      ...(stepSeconds && { stepSeconds }),
      ...(curves && { curves }),
      ...(graph && { graph }),
      ...(testResults && { testResults }),
    }
    details.push(own)
    return {
      ...rest,
      trial: trials.place(template),
      seed,
      environment: environments.place(environment),
      ...(cost && { cost: costs.place(cost) }),
      ...(time && { time: figures as Omit<Time, 'stepSeconds'> }),
      has: Object.keys(own) as (keyof Details)[],
    }
  }
  const packedRecords = records.map(packed)
  const packedBefore = before.map(packed)
  const chunks: (readonly unknown[])[] = []
  for (let at = 0; at < details.length; at += CHUNK) chunks.push(details.slice(at, at + CHUNK))
  return {
    payload: {
      title,
      schemaVersion: (records[0] ?? before[0])?.schemaVersion as BenchRecord['schemaVersion'],
      trials: trials.items,
      environments: environments.items,
      costs: costs.items,
      records: packedRecords,
      ...(before.length > 0 && { before: packedBefore }),
    },
    chunks,
  }
}

/** Gives equal things one place in a list. */
class Interned<T> {
  readonly items: T[] = []
  readonly #places = new Map<string, number>()

  place(item: T): number {
    const key = JSON.stringify(item)
    const known = this.#places.get(key)
    if (known !== undefined) return known
    this.#places.set(key, this.items.length)
    return this.items.push(item) - 1
  }
}

/**
 * Returns the records of a payload. Their details are parsed when they are first read.
 * @param chunkAt returns the JSON text of a chunk of details.
 */
export function unpack(payload: Payload, chunkAt: (index: number) => string): Content {
  const { title, records, before } = payload
  const parsed = new Map<number, readonly unknown[]>()
  const chunk = (index: number) => {
    let known = parsed.get(index)
    if (known === undefined) parsed.set(index, (known = JSON.parse(chunkAt(index)) as unknown[]))
    return known
  }
  const detailsOf = (position: number) =>
    chunk(Math.floor(position / CHUNK))[position % CHUNK] as Details
  const unpacked = (record: PackedRecord, position: number): BenchRecord => {
    const { trial, seed, environment, cost, time, has, ...rest } = record
    const whole: Record<string, unknown> = {
      schemaVersion: payload.schemaVersion,
      ...rest,
      trial: { ...payload.trials[trial]!, seed },
      environment: payload.environments[environment]!,
    }
    if (cost !== undefined) whole['cost'] = payload.costs[cost]!
    if (time !== undefined) {
      const figures: object = { ...time }
      if (has.includes('stepSeconds'))
        lazily(figures, 'stepSeconds', () => detailsOf(position).stepSeconds)
      whole['time'] = figures
    }
    for (const name of ['curves', 'graph', 'testResults'] as const) {
      if (has.includes(name)) lazily(whole, name, () => detailsOf(position)[name])
    }
    return whole as unknown as BenchRecord
  }
  return {
    title,
    records: records.map(unpacked),
    ...(before && { before: before.map((record, at) => unpacked(record, records.length + at)) }),
  }
}

/** Defines a property that computes its value when it is first read. */
function lazily(target: object, name: string, read: () => unknown): void {
  Object.defineProperty(target, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = read()
      Object.defineProperty(target, name, { value, enumerable: true })
      return value
    },
  })
}
