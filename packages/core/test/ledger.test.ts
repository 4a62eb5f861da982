// The buffer ledger: what is freed, when, and how often, whatever order uploads, runs, reads and disposals come in.
import { expect, it } from 'vitest'
import {
  BufferLedger,
  op,
  spec,
  trace,
  type DeviceBuffer,
  type Graph,
  type TensorType,
} from '../src/index.js'

const type: TensorType = { dtype: 'float32', shape: [2] }

/** x ← x + gradient; x is donated, gradient is kept. */
const step: Graph = trace(
  'step',
  { x: spec([2], { donated: true }), gradient: spec([2]) },
  (inputs) => ({ x: op.add(inputs.x, inputs.gradient) }),
)

/** A ledger of named memory that notes what it frees, in order. */
function ledgerOfNames() {
  const freed: string[] = []
  const ledger = new BufferLedger<string>('test:device', { free: (name) => freed.push(name) })
  return { ledger, freed }
}

/** A promise and the function that resolves it. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

it('frees donated memory that a run does not take, and keeps the rest', async () => {
  const { ledger, freed } = ledgerOfNames()
  const [x, gradient] = [ledger.add(type, 'x'), ledger.add(type, 'gradient')]
  const { x: next } = await ledger.run(step, { x, gradient }, async () => ['next'])
  expect(freed).toEqual(['x'])
  expect(ledger.use()).toEqual({ buffers: 2, bytes: 16 })
  await expect(ledger.read(x, () => 0)).rejects.toThrow('donated to an earlier run')
  expect(await ledger.read(next!, (name) => name)).toBe('next')
})

it('frees no memory that a run takes as an output', async () => {
  const { ledger, freed } = ledgerOfNames()
  const [x, gradient] = [ledger.add(type, 'x'), ledger.add(type, 'gradient')]
  await ledger.run(step, { x, gradient }, async ([loan]) => [loan!.take()])
  expect(freed).toEqual([])
  ledger.close()
  expect(freed.toSorted()).toEqual(['gradient', 'x'])
})

it('consumes donated inputs of a run that fails, and lends the others only', async () => {
  const { ledger, freed } = ledgerOfNames()
  const [x, gradient] = [ledger.add(type, 'x'), ledger.add(type, 'gradient')]
  const run = ledger.run(step, { x, gradient }, async ([, kept]) => [kept!.take()])
  await expect(run).rejects.toThrow('graph step: input gradient cannot be taken')
  expect(freed).toEqual(['x'])
  expect(ledger.use().buffers).toBe(1)
})

it.each<[string, (own: DeviceBuffer, other: DeviceBuffer) => DeviceBuffer, string]>([
  ['a buffer of another ledger', (_, other) => other, 'upload it to test:device'],
  ['an object that is no buffer', () => ({ ...type, dispose: () => {} }), 'another backend'],
  ['a disposed buffer', (own) => (own.dispose(), own), 'was disposed'],
])('refuses %s and consumes nothing', async (_, choose, message) => {
  const { ledger, freed } = ledgerOfNames()
  const x = ledger.add(type, 'x')
  const gradient = choose(ledger.add(type, 'own'), ledgerOfNames().ledger.add(type, 'other'))
  const before = [...freed]
  const run = ledger.run(step, { x, gradient }, async () => ['next'])
  await expect(run).rejects.toThrow(message)
  expect(freed).toEqual(before)
  expect(await ledger.read(x, (name) => name)).toBe('x')
})

it('frees memory that is read only after the last reader, but stops counting it at once', async () => {
  const { ledger, freed } = ledgerOfNames()
  const x = ledger.add(type, 'x')
  const gates = [gate(), gate()]
  const reads = gates.map(({ opened }) => ledger.read(x, () => opened))
  x.dispose()
  x.dispose()
  expect(ledger.use()).toEqual({ buffers: 0, bytes: 0 })
  gates[0]!.open()
  await reads[0]
  expect(freed).toEqual([])
  gates[1]!.open()
  await reads[1]
  await Promise.resolve()
  await Promise.resolve()
  expect(freed).toEqual(['x'])
})

it('a run waits with what it may overwrite until nobody reads it any more', async () => {
  const { ledger } = ledgerOfNames()
  const [x, gradient] = [ledger.add(type, 'x'), ledger.add(type, 'gradient')]
  const { open, opened } = gate()
  const order: string[] = []
  const read = ledger.read(x, async () => {
    await opened
    order.push('read')
  })
  const run = ledger.run(step, { x, gradient }, async () => {
    order.push('run')
    return ['next']
  })
  await Promise.resolve()
  open()
  await Promise.all([read, run])
  expect(order).toEqual(['read', 'run'])
})

it('a closed ledger says so', async () => {
  const { ledger } = ledgerOfNames()
  const x = ledger.add(type, 'x')
  ledger.close()
  expect(() => ledger.assertOpen('upload')).toThrow('upload: test:device was disposed')
  await expect(ledger.read(x, () => 0)).rejects.toThrow('read: test:device was disposed')
})
