// Cases of donation: donated buffers are consumed, other buffers stay, and reuse of memory never changes a result.
import type { DeviceBuffer } from '@embed-kd/core'
import { op } from '@embed-kd/core'
import { spec, trace } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { exactly } from './define.js'
import { procedure, type Session } from './session.js'

const donated = spec([4], { donated: true })
const kept = spec([4])

/** Graphs in which writing a result too early would spoil another, with their results for a = 1 2 3 4 and b = 5 6 7 8. */
const hazards = {
  'read after replaced': {
    graph: trace('read after replaced', { a: donated, b: kept }, ({ a, b }) => {
      const next = op.add(a, 1)
      // The other outputs read the old a after the new one was computed.
      return { a: next, old: op.mul(a, b), sum: op.add(next, a) }
    }),
    results: { a: [2, 3, 4, 5], old: [5, 12, 21, 32], sum: [3, 5, 7, 9] },
  },
  'two inputs swapped': {
    graph: trace('swap', { a: donated, b: donated }, ({ a, b }) => ({ a: b, b: a })),
    results: { a: [5, 6, 7, 8], b: [1, 2, 3, 4] },
  },
  'each from the other': {
    graph: trace('cross', { a: donated, b: donated }, ({ a, b }) => ({
      a: op.add(a, b),
      b: op.sub(a, b),
    })),
    results: { a: [6, 8, 10, 12], b: [-4, -4, -4, -4] },
  },
  'elements change places': {
    graph: trace('reverse', { a: donated, b: kept }, ({ a, b }) => ({
      a: op.concat([op.sliceAxis(a, 0, 2, 2), op.sliceAxis(a, 0, 0, 2)], 0),
      b: op.neg(b),
    })),
    results: { a: [3, 4, 1, 2], b: [-5, -6, -7, -8] },
  },
  'one element for all': {
    graph: trace('broadcast', { a: donated, b: kept }, ({ a }) => ({
      a: op.add(a, op.sliceAxis(a, 0, 0, 1)),
    })),
    results: { a: [2, 3, 4, 5] },
  },
  'handed through': {
    graph: trace('hand through', { a: donated, b: kept }, ({ a, b }) => ({ a, y: op.add(a, b) })),
    results: { a: [1, 2, 3, 4], y: [6, 8, 10, 12] },
  },
  'handed through and given again': {
    graph: trace('alias', { a: donated, b: kept }, ({ a, b }) => ({ a: op.add(a, b), before: a })),
    results: { a: [6, 8, 10, 12], before: [1, 2, 3, 4] },
  },
  'a reshaped view of it': {
    graph: trace('view', { a: donated, b: kept }, ({ a, b }) => {
      const view = op.reshape(a, [2, 2])
      return { a: op.mul(a, b), rows: op.sum(view, { axes: [1] }) }
    }),
    results: { a: [5, 12, 21, 32], rows: [3, 7] },
  },
  'its own product': {
    graph: trace('product', { a: donated, b: kept }, ({ a }) => {
      const matrix = op.reshape(a, [2, 2])
      return { a: op.reshape(op.matmul(matrix, matrix), [4]) }
    }),
    results: { a: [7, 10, 15, 22] },
  },
  'replaced by another': {
    graph: trace('replace', { a: donated, b: kept }, ({ b }) => ({ a: b })),
    results: { a: [5, 6, 7, 8] },
  },
} as const

const inputsOf = async (session: Session) => ({
  a: await session.upload(exactly(1, 2, 3, 4)),
  b: await session.upload(exactly(5, 6, 7, 8)),
})

/** state ← state + 1, beside a kept input. */
const counter = trace('count', { state: donated, one: kept }, ({ state, one }) => ({
  state: op.add(state, one),
  total: op.sum(state),
}))

async function count(session: Session, steps: number): Promise<DeviceBuffer> {
  const executable = await session.compile(counter)
  const one = await session.upload(exactly(1, 1, 1, 1))
  let state = await session.upload(exactly(0, 1, 2, 3))
  const before = session.backend.memory()
  for (let i = 0; i < steps; i++) {
    const outputs = await executable.run({ state, one })
    outputs.total!.dispose()
    state = outputs.state!
  }
  const after = session.backend.memory()
  session.check(
    after.buffers === before.buffers && after.bytes === before.bytes,
    `${steps} steps from state to state left ${after.buffers - before.buffers} more buffers and ` +
      `${after.bytes - before.bytes} more bytes`,
  )
  return state
}

export const donationCases = (): ProcedureCase[] => [
  ...Object.entries(hazards).map(([variant, { graph, results }]) =>
    procedure(`donation/${variant}`, 'B9', async (session) => {
      const inputs = await inputsOf(session)
      const outputs = await session.run(await session.compile(graph), inputs)
      for (const [name, values] of Object.entries(results))
        await session.holds(`output ${name}`, outputs[name]!, exactly(...values))
      for (const { name, donated } of graph.inputs)
        if (!donated)
          await session.holds(`kept input ${name}`, inputs[name as 'b'], exactly(5, 6, 7, 8))
    }),
  ),
  procedure('donation/consumed', 'B8', async (session) => {
    const { graph } = hazards['read after replaced']
    const executable = await session.compile(graph)
    const { a, b } = await inputsOf(session)
    await session.run(executable, { a, b })
    await session.refuses('reading a donated buffer', () => session.backend.read(a))
    await session.refuses('running on a donated buffer', () => session.run(executable, { a, b }))
    const { buffers } = session.backend.memory()
    a.dispose()
    session.check(
      session.backend.memory().buffers === buffers,
      'a donated buffer was still counted until it was disposed',
    )
  }),
  procedure('donation/kept input stays', 'B8', async (session) => {
    const executable = await session.compile(hazards['each from the other'].graph)
    const keeping = await session.compile(
      trace('kept', { a: kept, b: kept }, ({ a, b }) => ({ a: op.add(a, b), b: op.sub(a, b) })),
    )
    const { a, b } = await inputsOf(session)
    await session.run(keeping, { a, b })
    await session.holds('a', a, exactly(1, 2, 3, 4))
    const outputs = await session.run(executable, { a, b })
    await session.holds('a, donated later,', outputs.a!, exactly(6, 8, 10, 12))
  }),
  procedure('donation/1,000 steps', 'B3', async (session) => {
    const state = await count(session, 1000)
    try {
      await session.holds('the state', state, exactly(1000, 1001, 1002, 1003))
    } finally {
      state.dispose()
    }
  }),
  procedure('donation/two states interleaved', 'B10', async (session) => {
    const executable = await session.compile(counter)
    const one = await session.upload(exactly(1, 1, 1, 1))
    let states = [
      await session.upload(exactly(0, 0, 0, 0)),
      await session.upload(exactly(9, 9, 9, 9)),
    ]
    for (let i = 0; i < 3; i++)
      states = await Promise.all(
        states.map(async (state) => (await session.run(executable, { state, one })).state!),
      )
    await session.holds('the first state', states[0]!, exactly(3, 3, 3, 3))
    await session.holds('the second state', states[1]!, exactly(12, 12, 12, 12))
  }),
]
