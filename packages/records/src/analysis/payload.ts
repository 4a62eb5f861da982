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
  readonly records: readonly PackedRecord[]
  readonly before: readonly PackedRecord[]
  readonly trials: readonly Omit<Trial, 'seed'>[]
  readonly environments: readonly Environment[]
  readonly costs: readonly Cost[]
}

/** Records to a piece of text and to a chunk of details: a trial's own page parses one chunk. */
const CHUNK = 64

/**
 * Yields the JSON text of a payload in pieces, so that the text of many records is never in memory as a whole. The lists
 * of what records share come last, since they are complete then.
 */
export function* payloadText({ title, records, before = [] }: Content): Generator<string> {
  const trials = new Interned<Omit<Trial, 'seed'>>()
  const environments = new Interned<Environment>()
  const costs = new Interned<Cost>()
  const packed = (record: BenchRecord): PackedRecord => {
    const { schemaVersion: _version, trial, environment, cost, time, ...others } = record
    const { curves: _curves, graph: _graph, testResults: _images, ...rest } = others
    const { seed, ...template } = trial
    const { stepSeconds: _steps, ...figures } = time ?? {}
    return {
      ...rest,
      trial: trials.place(template),
      seed,
      environment: environments.place(environment),
      ...(cost && { cost: costs.place(cost) }),
      ...(time && { time: figures as Omit<Time, 'stepSeconds'> }),
      has: Object.keys(detailsOf(record)) as (keyof Details)[],
    }
  }
  const schemaVersion = (records[0] ?? before[0])?.schemaVersion
  yield `{"title":${JSON.stringify(title)},"schemaVersion":${schemaVersion ?? null}`
  for (const [name, items] of [
    ['records', records],
    ['before', before],
  ] as const) {
    yield `,"${name}":[`
    for (let at = 0; at < items.length; at += CHUNK) {
      const part = JSON.stringify(items.slice(at, at + CHUNK).map(packed)).slice(1, -1)
      yield at === 0 ? part : `,${part}`
    }
    yield ']'
  }
  for (const [name, { items }] of Object.entries({ trials, environments, costs }))
    yield `,"${name}":${JSON.stringify(items)}`
  yield '}'
}

/** Yields the JSON text of each chunk of details: those of all records, then those of the earlier ones. */
export function* detailTexts({ records, before = [] }: Content): Generator<string> {
  const all = [...records, ...before]
  for (let at = 0; at < all.length; at += CHUNK)
    yield JSON.stringify(all.slice(at, at + CHUNK).map(detailsOf))
}

function detailsOf({ time, curves, graph, testResults }: BenchRecord): Details {
  return {
    ...(time && { stepSeconds: time.stepSeconds }),
    ...(curves && { curves }),
    ...(graph && { graph }),
    ...(testResults && { testResults }),
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
  const detailsAt = (position: number) =>
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
        lazily(figures, 'stepSeconds', () => detailsAt(position).stepSeconds)
      whole['time'] = figures
    }
    for (const name of ['curves', 'graph', 'testResults'] as const) {
      if (has.includes(name)) lazily(whole, name, () => detailsAt(position)[name])
    }
    return whole as unknown as BenchRecord
  }
  return {
    title,
    records: records.map(unpacked),
    ...(before.length > 0 && {
      before: before.map((record, at) => unpacked(record, records.length + at)),
    }),
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
