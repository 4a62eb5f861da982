// Cases of buffers: uploaded data comes back unchanged, live buffers are counted, and disposed buffers are refused.
import { op } from '@embed-kd/core'
import { spec, trace } from '@embed-kd/core'
import { bytesOf, hostScalar, hostTensor, type HostTensor } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { exactly } from './define.js'
import { procedure } from './session.js'

const special = exactly(0, -0, Infinity, -Infinity, NaN, (2 - 2 ** -23) * 2 ** 127, 2 ** -126, 0.1)

/** Tensors that must come back unchanged after an upload. */
const roundTrips: readonly (readonly [string, HostTensor])[] = [
  ['special values', special],
  ['a float scalar', hostScalar(0.1)],
  ['an int32 scalar', hostScalar(-(2 ** 31), 'int32')],
  ['a bool scalar', hostScalar(1, 'bool')],
  ['int32', hostTensor('int32', [2, 2], [0, -1, 2 ** 31 - 1, -(2 ** 31)])],
  ['bool', hostTensor('bool', [5], [1, 0, 0, 1, 1])],
  ['no floats', hostTensor('float32', [0])],
  ['no integers', hostTensor('int32', [2, 0, 3])],
  ['no bools', hostTensor('bool', [0, 1])],
  ['rank 5', hostTensor('float32', [1, 2, 1, 2, 1], [1, 2, 3, 4])],
]

/** Host tensors whose data does not fit their type. */
const misfits: readonly (readonly [string, HostTensor])[] = [
  ['too few elements', { dtype: 'float32', shape: [3], data: new Float32Array(2) }],
  ['too many elements', { dtype: 'int32', shape: [], data: new Int32Array(2) }],
  [
    'elements for a shape of size 0',
    { dtype: 'float32', shape: [2, 0], data: new Float32Array(2) },
  ],
  [
    'floats as int32',
    { dtype: 'int32', shape: [2], data: new Float32Array(2) } as unknown as HostTensor,
  ],
  [
    'int32 as bool',
    { dtype: 'bool', shape: [2], data: new Int32Array(2) } as unknown as HostTensor,
  ],
]

const double = trace('double', { x: spec([2]) }, ({ x }) => ({ y: op.add(x, x) }))

/** A graph whose outputs need no computation: inputs passed through, a value twice, a constant, a reshaped input. */
const handed = trace('hand through', { a: spec([2]), b: spec([2]) }, ({ a, b }) => {
  const sum = op.add(a, b)
  return {
    a,
    sum,
    again: sum,
    reshaped: op.reshape(b, [2, 1]),
    constant: a.tracer.constant(exactly(7, 8)),
  }
})

export const bufferCases = (): ProcedureCase[] => [
  ...roundTrips.map(([variant, tensor]) =>
    procedure(`buffer/round trip/${variant}`, 'B1', async (session) => {
      await session.holds('what was uploaded', await session.upload(tensor), tensor)
    }),
  ),
  procedure('buffer/upload copies', 'B1', async (session) => {
    const tensor = exactly(1, 2, 3)
    const buffer = await session.upload(tensor)
    tensor.data.fill(9)
    await session.holds('the buffer, after its source was changed,', buffer, exactly(1, 2, 3))
  }),
  procedure('buffer/read copies', 'B1', async (session) => {
    const buffer = await session.upload(exactly(1, 2, 3))
    const first = await session.backend.read(buffer)
    first.data.fill(9)
    await session.holds('the buffer, after its copy was changed,', buffer, exactly(1, 2, 3))
  }),
  ...misfits.map(([variant, tensor]) =>
    procedure(`buffer/upload refuses/${variant}`, 'B2', async (session) => {
      await session.refuses(variant, () => session.upload(tensor))
    }),
  ),
  procedure('buffer/memory counts', 'B3', async (session) => {
    const { backend } = session
    const before = backend.memory()
    const tensors = [exactly(1, 2, 3), hostTensor('int32', [5]), hostTensor('bool', [7])]
    for (const [i, tensor] of tensors.entries()) {
      const { bytes } = backend.memory()
      await session.upload(tensor)
      const after = backend.memory()
      session.check(
        after.buffers === before.buffers + i + 1,
        `${after.buffers - before.buffers} more buffers are counted after ${i + 1} uploads`,
      )
      session.check(
        after.bytes - bytes >= bytesOf(tensor),
        `an upload of ${bytesOf(tensor)} bytes counts as ${after.bytes - bytes}`,
      )
    }
  }),
  procedure('buffer/memory counts outputs', 'B3', async (session) => {
    const { backend } = session
    const executable = await session.compile(double)
    const x = await session.upload(exactly(1, 2))
    const before = backend.memory()
    const { y } = await session.run(executable, { x })
    session.check(
      backend.memory().buffers === before.buffers + 1,
      `a run with one output made ${backend.memory().buffers - before.buffers} buffers`,
    )
    y!.dispose()
    const after = backend.memory()
    session.check(
      after.buffers === before.buffers && after.bytes === before.bytes,
      `after its output was disposed a run still holds ${after.bytes - before.bytes} bytes`,
    )
  }),
  procedure('buffer/dispose twice', 'B4', async (session) => {
    const kept = await session.upload(exactly(1))
    const buffer = await session.upload(exactly(2))
    buffer.dispose()
    const { buffers } = session.backend.memory()
    buffer.dispose()
    session.check(session.backend.memory().buffers === buffers, 'disposing again changed memory()')
    await session.holds('another buffer', kept, exactly(1))
  }),
  procedure('buffer/read after dispose', 'B4', async (session) => {
    const buffer = await session.upload(exactly(1))
    buffer.dispose()
    await session.refuses('reading a disposed buffer', () => session.backend.read(buffer))
  }),
  procedure('buffer/run after dispose', 'B4', async (session) => {
    const executable = await session.compile(double)
    const x = await session.upload(exactly(1, 2))
    x.dispose()
    await session.refuses('running on a disposed buffer', () => session.run(executable, { x }))
  }),
  procedure('buffer/a disposed output', 'B4', async (session) => {
    const executable = await session.compile(double)
    const { y } = await session.run(executable, { x: await session.upload(exactly(1, 2)) })
    y!.dispose()
    await session.refuses('reading a disposed output', () => session.backend.read(y!))
  }),
  ...(['a', 'sum', 'again', 'reshaped', 'constant'] as const).map((first) =>
    procedure(`buffer/outputs are their own/${first} disposed first`, 'B7', async (session) => {
      const executable = await session.compile(handed)
      const [a, b] = [await session.upload(exactly(1, 2)), await session.upload(exactly(3, 4))]
      const expected: Record<string, HostTensor> = {
        a: exactly(1, 2),
        sum: exactly(4, 6),
        again: exactly(4, 6),
        reshaped: hostTensor('float32', [2, 1], [3, 4]),
        constant: exactly(7, 8),
      }
      for (let run = 0; run < 2; run++) {
        const outputs = await session.run(executable, { a, b })
        outputs[first]!.dispose()
        for (const [name, tensor] of Object.entries(expected))
          if (name !== first)
            await session.holds(`${name} after ${first} was disposed`, outputs[name]!, tensor)
        await session.holds('input a', a, exactly(1, 2))
        await session.holds('input b', b, exactly(3, 4))
      }
    }),
  ),
  procedure('buffer/outputs outlive inputs', 'B7', async (session) => {
    const executable = await session.compile(handed)
    const [a, b] = [await session.upload(exactly(1, 2)), await session.upload(exactly(3, 4))]
    const outputs = await session.run(executable, { a, b })
    a.dispose()
    b.dispose()
    await session.holds('input a, handed through,', outputs.a!, exactly(1, 2))
    await session.holds(
      'input b, reshaped,',
      outputs.reshaped!,
      hostTensor('float32', [2, 1], [3, 4]),
    )
  }),
]
