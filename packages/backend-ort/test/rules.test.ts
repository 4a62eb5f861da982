// The rules of core's backend contract: who owns buffers, what donation consumes, and what each misuse is told.
import { hostTensor, op, spec, trace, type Backend, type DeviceBuffer } from '@embed-kd/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ortBackend } from '../src/index.js'

let backend: Backend
beforeEach(async () => {
  backend = await ortBackend.create('cpu')
})
afterEach(() => backend.dispose())

const vector = (...values: number[]) =>
  backend.upload(hostTensor('float32', [values.length], values))
const values = async (buffer: DeviceBuffer) => [...(await backend.read(buffer)).data]

/** total <- total + x, keeping x; `scale` is never read. */
const accumulate = trace(
  'accumulate',
  {
    total: spec([2], { donated: true, role: 'optimizer' }),
    x: spec([2]),
    scale: spec([], { dtype: 'int32' }),
  },
  ({ total, x }) => ({ total: op.add(total, x), mean: op.mean(x) }),
)

test('state goes from step to step: donated inputs are consumed, others stay', async () => {
  const step = await backend.compile(accumulate)
  const scale = await backend.upload(hostTensor('int32', [], [1]))
  const x = await vector(1, 2)
  let total = await vector(0, 0)
  for (let i = 0; i < 3; i++) {
    const before = total
    const out = await step.run({ total, x, scale })
    await expect(backend.read(before)).rejects.toThrow('donated to an earlier run')
    total = out.total!
    out.mean!.dispose()
  }
  expect(await values(total)).toEqual([3, 6])
  expect(await values(x)).toEqual([1, 2])
  expect(backend.memory()).toEqual({ buffers: 3, bytes: 8 + 8 + 4 })
})

test('upload and read copy', async () => {
  const host = hostTensor('float32', [2], [1, 2])
  const buffer = await backend.upload(host)
  host.data[0] = 9
  const read = await backend.read(buffer)
  read.data[1] = 9
  expect(await values(buffer)).toEqual([1, 2])
})

test('disposing twice is allowed, using afterwards is not', async () => {
  const x = await vector(1, 2)
  x.dispose()
  x.dispose()
  expect(backend.memory().buffers).toBe(0)
  await expect(backend.read(x)).rejects.toThrow('read: the buffer (f32[2]) was disposed')
})

test('each wrong input is named, with what was expected and what was given', async () => {
  const step = await backend.compile(accumulate)
  const scale = await backend.upload(hostTensor('int32', [], [1]))
  const [total, x, long] = [await vector(0, 0), await vector(1, 2), await vector(1, 2, 3)]
  const fails = (inputs: Record<string, DeviceBuffer>, message: string) =>
    expect(step.run(inputs)).rejects.toThrow(message)
  await fails({ total, x }, 'graph accumulate: input scale: i32[] is missing')
  await fails({ total, x, scale, y: x }, 'there is no input y; its inputs are total, x, scale')
  await fails({ total, x: long, scale }, 'input x must be f32[2], got f32[3]')
  await fails({ total, x, scale: x }, 'input scale must be i32[], got f32[2]')
  await fails({ total: x, x, scale }, 'input total is donated')
  const other = await ortBackend.create('cpu')
  const foreign = await other.upload(hostTensor('float32', [2], [0, 0]))
  await fails({ total: foreign, x, scale }, 'input total (f32[2]) belongs to another backend')
  await other.dispose()
  x.dispose()
  await fails({ total, x, scale }, 'input x (f32[2]) was disposed')
  // Nothing was consumed by the runs that failed.
  expect(await values(total)).toEqual([0, 0])
})

test('a disposed executable or backend says so; its buffers are gone', async () => {
  const step = await backend.compile(accumulate)
  await step.dispose()
  await step.dispose()
  await expect(step.run({})).rejects.toThrow('graph accumulate: the executable was disposed')
  const x = await vector(1, 2)
  await backend.dispose()
  expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 })
  expect(() => x.dispose()).not.toThrow()
  await expect(vector(1)).rejects.toThrow('upload: ort:cpu was disposed')
  await expect(backend.compile(accumulate)).rejects.toThrow('compile: ort:cpu was disposed')
})

test('a device that does not exist is refused by name', async () => {
  await expect(ortBackend.create('abacus')).rejects.toThrow(
    'ort:abacus cannot be used: ort has no device "abacus" here; choose one of cpu, webgpu, cuda, wasm',
  )
  await expect(ortBackend.probe('abacus')).resolves.toMatchObject({ available: false })
})

test.each(ortBackend.devices)(
  'ort:%s opens, or says what is missing and where it is',
  async (device) => {
    const found = await ortBackend.probe(device)
    if (found.available) {
      const backend = await ortBackend.create(device)
      expect(backend.name).toBe(`ort:${device}`)
      await backend.dispose()
      return
    }
    // A file, a driver or an adapter, by name.
    expect(found.reason).toMatch(/lib\w+\.so|adapter|no CUDA provider/)
    expect(found.remedy).toMatch(/install|download|use ort:/)
    await expect(ortBackend.create(device)).rejects.toThrow(
      `ort:${device} cannot be used: ${found.reason}; ${found.remedy}`,
    )
  },
)
