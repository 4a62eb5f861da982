// Cases of randomUniform. Backends may draw any numbers that are uniform, independent and repeatable.
import { op } from '@embed-kd/core'
import { spec, trace } from '@embed-kd/core'
import { hostTensor, sizeOf, type Shape } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { label } from './define.js'
import { procedure, type Session } from './session.js'

const draws = (shape: Shape, streams: readonly number[]) =>
  trace('draw', { key: spec([2], { dtype: 'int32' }) }, ({ key }) =>
    Object.fromEntries(
      streams.map((stream) => [`stream${stream}`, op.randomUniform(key, shape, stream)]),
    ),
  )

/** Returns the draws of several streams for a key. */
async function draw(
  session: Session,
  key: readonly [seed: number, step: number],
  shape: Shape,
  streams: readonly number[] = [0],
): Promise<Float32Array[]> {
  const executable = await session.compile(draws(shape, streams))
  const outputs = await session.run(executable, {
    key: await session.upload(hostTensor('int32', [2], key)),
  })
  const read = await Promise.all(
    streams.map((stream) => session.backend.read(outputs[`stream${stream}`]!)),
  )
  return read.map(({ data }) => data as Float32Array)
}

const one = async (session: Session, key: readonly [number, number], shape: Shape, stream = 0) =>
  (await draw(session, key, shape, [stream]))[0]!

const size = 65_536
/**
 * Maximum of a statistic, in standard deviations. A correct generator exceeds it with a probability of about 1e-9. Keys are fixed, so
 * a backend passes always or never.
 */
const deviations = 6

const mean = (values: ArrayLike<number>, f: (x: number, i: number) => number) => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += f(values[i]!, i)
  return sum / values.length
}

/** Returns the correlation of two uniform sequences, in standard deviations. */
const correlation = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  mean(a, (x, i) => 12 * (x - 0.5) * (b[i]! - 0.5)) * Math.sqrt(a.length)

function checkUniform(session: Session, what: string, values: Float32Array): void {
  const n = values.length
  const outside = values.findIndex((x) => !(x >= 0 && x < 1))
  session.check(outside < 0, `${what}: element ${outside} is ${values[outside]}, outside [0, 1)`)
  const near = (name: string, value: number) =>
    session.check(
      Math.abs(value) < deviations,
      `${what}: ${name} is off by ${value.toFixed(1)} standard deviations of ${n} uniforms`,
    )
  near('the mean', (mean(values, (x) => x) - 0.5) * Math.sqrt(12 * n))
  near('the variance', (mean(values, (x) => (x - 0.5) ** 2) - 1 / 12) * Math.sqrt(180 * n))
  // χ² of 64 equal bins has 63 degrees of freedom. Wilson & Hilferty's cube root makes it nearly normal.
  const bins = new Float64Array(64)
  for (const x of values) bins[Math.floor(x * 64)]!++
  const chi2 = bins.reduce((sum, count) => sum + (count - n / 64) ** 2 / (n / 64), 0)
  const spread = 2 / (9 * 63)
  near('χ² of 64 bins', (Math.cbrt(chi2 / 63) - (1 - spread)) / Math.sqrt(spread))
  for (const lag of [1, 2, 64, 256])
    near(
      `the correlation at distance ${lag}`,
      correlation(values.subarray(0, n - lag), values.subarray(lag)),
    )
  // The lowest bits must be random too: float32 has at least 2^23 values in [0, 1), so that few of these draws are equal.
  const distinct = new Set(values).size
  session.check(distinct > 0.98 * n, `${what}: only ${distinct} of ${n} values are distinct`)
}

const shapes: readonly Shape[] = [[], [0], [1], [7], [3, 5], [2, 3, 4, 5]]

export const randomCases = (): ProcedureCase[] => [
  ...shapes.map((shape) =>
    procedure(`random/shape ${label(shape)}`, 'B13', async (session) => {
      const values = await one(session, [1, 2], shape)
      session.check(values.length === sizeOf(shape), `there are ${values.length} values`)
      session.check(
        values.every((x) => x >= 0 && x < 1),
        `a value is outside [0, 1): ${values.join(', ')}`,
      )
    }),
  ),
  ...(
    [
      [0, 0],
      [1, 0],
      [0, 1],
      [42, 1000],
      [2 ** 31 - 1, 7],
      [-(2 ** 31), -1],
    ] as const
  ).map((key) =>
    procedure(`random/uniform for key ${key.join(', ')}`, 'B13', async (session) => {
      checkUniform(session, 'the draws', await one(session, key, [256, size / 256]))
    }),
  ),
  procedure('random/uniform over keys', 'B13', async (session) => {
    // One number is drawn for each of many neighbouring keys.
    const executable = await session.compile(draws([2], [0]))
    const values = new Float32Array(512)
    for (let i = 0; i < values.length; i++) {
      const key = await session.upload(hostTensor('int32', [2], [i % 2, i >> 1]))
      const { stream0 } = await executable.run({ key })
      values[i] = (await session.backend.read(stream0!)).data[0]!
      stream0!.dispose()
      key.dispose()
    }
    const error = (mean(values, (x) => x) - 0.5) * Math.sqrt(12 * values.length)
    session.check(
      Math.abs(error) < deviations,
      `first draws of 512 keys have a mean off by ${error.toFixed(1)} standard deviations`,
    )
    session.check(new Set(values).size > 500, 'first draws of 512 keys are not distinct')
  }),
  procedure('random/streams, seeds and steps are independent', 'B13', async (session) => {
    const [first, second, third] = (await draw(session, [3, 5], [size], [0, 1, 2])) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const others: readonly (readonly [string, Float32Array])[] = [
      ['the next stream', second],
      ['the stream after', third],
      ['the next seed', await one(session, [4, 5], [size])],
      ['the next step', await one(session, [3, 6], [size])],
      ['seed and step swapped', await one(session, [5, 3], [size])],
    ]
    for (const [name, values] of others) {
      const off = correlation(first, values)
      session.check(
        Math.abs(off) < deviations,
        `the draws and those of ${name} correlate by ${off.toFixed(1)} standard deviations`,
      )
      const shifted = correlation(first.subarray(1), values.subarray(0, size - 1))
      session.check(
        Math.abs(shifted) < deviations,
        `the draws are those of ${name}, shifted: ${shifted.toFixed(1)} standard deviations`,
      )
    }
  }),
  procedure('random/the same key again', 'B13', async (session) => {
    const shape = [33, 7]
    const type = { dtype: 'float32', shape } as const
    const executable = await session.compile(draws(shape, [0, 1]))
    const key = await session.upload(hostTensor('int32', [2], [7, 11]))
    const first = await session.run(executable, { key })
    const second = await session.run(executable, { key })
    for (const name of ['stream0', 'stream1'])
      await session.holds(
        `${name} of the second run`,
        second[name]!,
        await session.backend.read(first[name]!),
      )
    // A graph with only one of the streams draws the same numbers for this stream.
    const alone = await one(session, [7, 11], shape, 1)
    const beside = await session.backend.read(first.stream1!)
    session.same('stream 1 drawn alone', { ...type, data: alone }, beside)
  }),
]
