// Cases of executables and runs: wrong inputs are refused, and executables and runs do not disturb each other.
import type { DeviceBuffer } from '@embed-kd/core'
import { op } from '@embed-kd/core'
import { spec, trace } from '@embed-kd/core'
import { Random } from '@embed-kd/core'
import { hostTensor, type HostTensor } from '@embed-kd/core'
import { ReferenceBackend } from '@embed-kd/core/reference'
import type { ProcedureCase } from '../case.js'
import { exactly, floats } from './define.js'
import { procedure, type Session } from './session.js'

/** A step x ← x + 2 gradient with x donated. A refused run must not consume x. */
const step = trace('step', { x: spec([2], { donated: true }), gradient: spec([2]) }, (inputs) => ({
  x: op.add(inputs.x, op.mul(inputs.gradient, 2)),
}))

type Inputs = Record<string, DeviceBuffer>

/** Functions that turn good inputs into inputs that a run must refuse. */
const refused: Record<string, (good: Inputs, session: Session) => Promise<Inputs> | Inputs> = {
  'a missing input': ({ x }) => ({ x: x! }),
  'an unknown input': async (good, session) => ({
    ...good,
    z: await session.upload(exactly(1, 2)),
  }),
  'another shape': async (good, session) => ({
    ...good,
    gradient: await session.upload(exactly(1)),
  }),
  'another rank': async (good, session) => ({
    ...good,
    gradient: await session.upload(hostTensor('float32', [1, 2])),
  }),
  'another dtype': async (good, session) => ({
    ...good,
    gradient: await session.upload(hostTensor('int32', [2])),
  }),
  'a disposed input': async (good, session) => {
    const gradient = await session.upload(exactly(1, 2))
    gradient.dispose()
    return { ...good, gradient }
  },
  'a buffer of another backend': async (good) => ({
    ...good,
    gradient: await new ReferenceBackend().upload(exactly(1, 2)),
  }),
  'an object that is no buffer': (good) => ({
    ...good,
    gradient: { dtype: 'float32', shape: [2], dispose: () => {} },
  }),
  'a donated buffer given twice': ({ x }) => ({ x: x!, gradient: x! }),
}

/** Returns a graph of y = x · factor + Σ x, so that each executable has its own factor. */
const scaled = (factor: number) =>
  trace(`scale by ${factor}`, { x: spec([3]) }, ({ x }) => ({
    y: op.add(op.mul(x, factor), op.sum(x)),
  }))

/** Returns the result of `scaled` for x = 1, 2, 3. */
const scaledResult = (factor: number): HostTensor =>
  exactly(...[1, 2, 3].map((x) => x * factor + 6))

const large = (seed: number) => floats([64, 64], -1, 1)(new Random(seed))

/** A graph whose result depends on the order of additions, which the device chooses. */
const rounding = trace('rounding', { a: spec([64, 64]), b: spec([64, 64]) }, ({ a, b }) => {
  const product = op.matmul(a, b)
  return { product, total: op.sum(op.softmax(product)), rows: op.sum(product, { axes: [0] }) }
})

async function sameTwice(session: Session, again: 'run' | 'compile'): Promise<void> {
  if (!session.backend.capabilities.deterministic) return
  const inputs = { a: await session.upload(large(1)), b: await session.upload(large(2)) }
  const executable = await session.compile(rounding)
  const first = await session.run(executable, inputs)
  const second = await session.run(
    again === 'run' ? executable : await session.compile(rounding),
    inputs,
  )
  for (const [name, buffer] of Object.entries(first))
    await session.holds(
      `${name} of the second run`,
      second[name]!,
      await session.backend.read(buffer),
    )
}

export const runCases = (): ProcedureCase[] => [
  ...Object.entries(refused).map(([variant, spoil]) =>
    procedure(`run/refuses/${variant}`, 'B6', async (session) => {
      const executable = await session.compile(step)
      const good = {
        x: await session.upload(exactly(1, 2)),
        gradient: await session.upload(exactly(3, 4)),
      }
      const bad = await spoil(good, session)
      await session.refuses(variant, () => session.run(executable, bad))
      // Nothing was consumed, and the executable still works.
      const { x } = await session.run(executable, good)
      await session.holds('the run after a refused one', x!, exactly(7, 10))
    }),
  ),
  procedure('run/one buffer for two inputs', 'B8', async (session) => {
    const sum = trace('sum', { a: spec([2]), b: spec([2]) }, ({ a, b }) => ({ y: op.add(a, b) }))
    const x = await session.upload(exactly(1, 2))
    const { y } = await session.run(await session.compile(sum), { a: x, b: x })
    await session.holds('a + b', y!, exactly(2, 4))
    await session.holds('the input', x, exactly(1, 2))
  }),
  procedure('run/outputs feed another executable', 'B10', async (session) => {
    const [first, second] = [await session.compile(scaled(2)), await session.compile(scaled(3))]
    const { y } = await session.run(first, { x: await session.upload(exactly(1, 2, 3)) })
    const { y: z } = await session.run(second, { x: y! })
    await session.holds('the second result', z!, exactly(54, 60, 66))
  }),
  procedure('run/an unused input', 'B15', async (session) => {
    const graph = trace('unused', { x: spec([2]), unused: spec([3]) }, ({ x }) => ({
      y: op.neg(x),
    }))
    const inputs = {
      x: await session.upload(exactly(1, 2)),
      unused: await session.upload(exactly(1, 2, 3)),
    }
    const { y } = await session.run(await session.compile(graph), inputs)
    await session.holds('y', y!, exactly(-1, -2))
  }),
  procedure('run/no inputs', 'B15', async (session) => {
    const graph = trace('no inputs', {}, (_, tracer) => ({
      y: op.add(tracer.constant(exactly(1, 2)), 1),
    }))
    const { y } = await session.run(await session.compile(graph), {})
    await session.holds('y', y!, exactly(2, 3))
  }),
  procedure('run/awkward names', 'B15', async (session) => {
    const names = ['blocks.0.attn.in_proj_weight', 'a b', 'ü/%3', '0', 'constructor', 'y'] as const
    const graph = trace(
      'awkward "names"',
      Object.fromEntries(names.map((name) => [name, spec([1])])),
      (inputs) => Object.fromEntries(names.map((name, i) => [name, op.add(inputs[name]!, i)])),
    )
    const inputs: Inputs = {}
    for (const name of names) inputs[name] = await session.upload(exactly(1))
    const outputs = await session.run(await session.compile(graph), inputs)
    for (const [i, name] of names.entries())
      await session.holds(`output ${name}`, outputs[name]!, exactly(1 + i))
  }),
  procedure('run/many executables alive', 'B10', async (session) => {
    const factors = Array.from({ length: 24 }, (_, i) => i + 1)
    const x = await session.upload(exactly(1, 2, 3))
    const executables = []
    for (const factor of factors) executables.push(await session.compile(scaled(factor)))
    for (const [i, factor] of [...factors.entries()].toReversed()) {
      const { y } = await session.run(executables[i]!, { x })
      await session.holds(`executable ${factor}`, y!, scaledResult(factor))
    }
  }),
  procedure('run/concurrent runs of one executable', 'B10', async (session) => {
    const executable = await session.compile(scaled(5))
    const inputs = []
    for (let i = 0; i < 16; i++) inputs.push(await session.upload(exactly(i, 0, 1)))
    const outputs = await Promise.all(inputs.map((x) => session.run(executable, { x })))
    for (const [i, { y }] of outputs.entries())
      await session.holds(`run ${i}`, y!, exactly(6 * i + 1, i + 1, i + 6))
  }),
  procedure('run/concurrent runs of several executables', 'B10', async (session) => {
    const x = await session.upload(exactly(1, 2, 3))
    const factors = [1, 2, 3, 4, 5, 6, 7, 8]
    const executables = await Promise.all(factors.map((factor) => session.compile(scaled(factor))))
    const outputs = await Promise.all(
      executables.map((executable) => session.run(executable, { x })),
    )
    for (const [i, factor] of factors.entries())
      await session.holds(`executable ${factor}`, outputs[i]!.y!, scaledResult(factor))
  }),
  procedure('run/buffers outlive their executable', 'B10', async (session) => {
    const [first, second] = [await session.compile(scaled(2)), await session.compile(scaled(3))]
    const x = await session.upload(exactly(1, 2, 3))
    const { y } = await session.run(first, { x })
    await first.dispose()
    await session.holds('an output of a disposed executable', y!, scaledResult(2))
    const { y: other } = await session.run(second, { x })
    await session.holds('another executable', other!, scaledResult(3))
  }),
  procedure('run/after the executable was disposed', 'B11', async (session) => {
    const executable = await session.compile(scaled(2))
    const x = await session.upload(exactly(1, 2, 3))
    await executable.dispose()
    await session.refuses('running a disposed executable', () => session.run(executable, { x }))
  }),
  procedure('run/synchronize', 'B15', async (session) => {
    const { y } = await session.run(await session.compile(scaled(2)), {
      x: await session.upload(exactly(1, 2, 3)),
    })
    await session.backend.synchronize()
    await session.holds('y', y!, scaledResult(2))
  }),
  procedure('run/1,000 runs leave nothing behind', 'B3', async (session) => {
    const executable = await session.compile(scaled(2))
    const x = await session.upload(exactly(1, 2, 3))
    const before = session.backend.memory()
    for (let i = 0; i < 1000; i++) {
      const { y } = await executable.run({ x })
      y!.dispose()
    }
    const after = session.backend.memory()
    session.check(
      after.buffers === before.buffers && after.bytes === before.bytes,
      `before there were ${before.buffers} buffers of ${before.bytes} bytes, after ${after.buffers} of ${after.bytes}`,
    )
  }),
  procedure('run/the same bits again', 'B12', (session) => sameTwice(session, 'run')),
  procedure('run/the same bits compiled again', 'B12', (session) => sameTwice(session, 'compile')),
]
