// The reference kept to the backend contract: what it owns, what it refuses, and that state stays float64 between runs.
import { expect, it } from 'vitest'
import { hostTensor, op, referenceBackend, spec, trace, type HostTensor } from '../src/index.js'

const vector = (...data: number[]): HostTensor => hostTensor('float32', [data.length], data)

/** One step of x ← x + gradient, x donated. */
const step = trace('step', { x: spec([2], { donated: true }), gradient: spec([2]) }, (inputs) => ({
  x: op.add(inputs.x, inputs.gradient),
}))

it('consumes donated inputs, keeps the others, and counts what is alive', async () => {
  const backend = await referenceBackend.create('cpu')
  const executable = await backend.compile(step)
  const gradient = await backend.upload(vector(1, 2))
  let x = await backend.upload(vector(0, 0))
  for (let i = 0; i < 3; i++) {
    const before = x
    const outputs = await executable.run({ x, gradient })
    x = outputs.x!
    await expect(backend.read(before)).rejects.toThrow('was donated to an earlier run')
    expect(backend.memory()).toEqual({ buffers: 2, bytes: 32 })
  }
  expect(Array.from((await backend.read(x)).data)).toEqual([3, 6])
  x.dispose()
  x.dispose()
  gradient.dispose()
  expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 })
})

it('keeps state in float64 between runs', async () => {
  const backend = await referenceBackend.create('cpu')
  const executable = await backend.compile(step)
  const [gradient, x] = [
    await backend.upload(vector(2 ** -30, 0)),
    await backend.upload(vector(1, 0)),
  ]
  let state = x
  for (let i = 0; i < 2 ** 8; i++) state = (await executable.run({ x: state, gradient })).x!
  // 2^-30 is lost beside 1 in float32, however often it is added.
  expect((await backend.read(state)).data[0]).toBe(1 + 2 ** -22)
})

it('refuses what the contract says it refuses', async () => {
  const backend = await referenceBackend.create('cpu')
  const other = await referenceBackend.create('cpu')
  const executable = await backend.compile(step)
  const x = await backend.upload(vector(1, 2))
  const gradient = await backend.upload(vector(1, 2))
  const refused = [
    [{ x }, 'input gradient: f32[2] is missing'],
    [{ x, gradient, y: x }, 'there is no input y; its inputs are x, gradient'],
    [{ x, gradient: await other.upload(vector(1, 2)) }, 'upload it to reference:cpu'],
    [{ x, gradient: await backend.upload(vector(1)) }, 'input gradient must be f32[2], got f32[1]'],
    [{ x, gradient: x }, 'is donated'],
  ] as const
  for (const [inputs, message] of refused)
    await expect(executable.run({ ...inputs })).rejects.toThrow(message)
  // Nothing was consumed by a run that did not happen.
  const { x: next } = await executable.run({ x, gradient })
  gradient.dispose()
  await expect(executable.run({ x: next!, gradient })).rejects.toThrow('was disposed')
  await expect(
    backend.upload({ dtype: 'int32', shape: [2], data: new Int32Array(3) }),
  ).rejects.toThrow('data must be Int32Array of 2 elements, got Int32Array of 3')
  await executable.dispose()
  await expect(executable.run({ x: next!, gradient })).rejects.toThrow('executable was disposed')
  await backend.dispose()
  await expect(backend.upload(vector(1))).rejects.toThrow('upload: reference:cpu was disposed')
  await expect(referenceBackend.create('gpu')).rejects.toThrow('use reference:cpu')
})
