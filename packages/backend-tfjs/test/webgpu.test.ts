// What tfjs:webgpu adds to the contract: the device's own errors fail the run that caused them, its memory is told, and
// a process that used it ends by itself.
import { spawnSync } from 'node:child_process'
import { hostTensor, op, spec, trace } from '@embed-kd/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { TfjsBackend } from '../src/backend.js'
import type { Device } from '../src/devices/device.js'
import { openDevice } from '../src/devices/registry.js'
import { tfjsBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

const usable = (await usableDevices()).includes('webgpu')

const square = trace('square', { x: spec([4]) }, ({ x }) => ({ y: op.mul(x, x) }))
const numbers = hostTensor('float32', [4], [1, 2, 3, 4])

describe.skipIf(!usable)('tfjs:webgpu', () => {
  let device: Device
  let backend: TfjsBackend
  beforeAll(async () => {
    device = await openDevice('webgpu')
    backend = new TfjsBackend('tfjs:webgpu', device)
    return () => backend.dispose()
  })

  test('a validation error fails the run that caused it, and leaves the others alone', async () => {
    const broken = new TfjsBackend('tfjs:webgpu', {
      ...device,
      emitters: {
        ...device.emitters,
        mul:
          (_, tf) =>
          ([x]) =>
            tf.run('Tile', { x: x! }, { reps: [2 ** 30] }),
      },
    })
    const x = await broken.upload(numbers)
    const executable = await broken.compile(square)
    await expect(executable.run({ x })).rejects.toThrow(/^tfjs:webgpu: /)
    expect(broken.memory().buffers).toBe(1)
    x.dispose()
    await executable.dispose()

    const input = await backend.upload(numbers)
    const right = await backend.compile(square)
    const { y } = await right.run({ x: input })
    expect([...(await backend.read(y!)).data]).toEqual([1, 4, 9, 16])
    y!.dispose()
    input.dispose()
    await right.dispose()
  })

  test('its pool of buffers is told beside the bytes that are held', async () => {
    const x = await backend.upload(hostTensor('float32', [1 << 16]))
    const { bytes, reservedBytes } = backend.memory()
    expect(bytes).toBe(4 << 16)
    expect(reservedBytes).toBeGreaterThanOrEqual(bytes)
    x.dispose()
    expect(backend.memory().bytes).toBe(0)
  })

  test('a read does not keep the values on the host', async () => {
    const x = await backend.upload(numbers)
    const first = await backend.read(x)
    first.data.fill(0)
    expect([...(await backend.read(x)).data]).toEqual([1, 2, 3, 4])
    x.dispose()
  })

  test('the loss of the device fails what comes after', async () => {
    const lost = await openDevice('webgpu')
    const other = new TfjsBackend('tfjs:webgpu', lost)
    const x = await other.upload(numbers)
    const executable = await other.compile(square)
    lost.dispose()
    await expect(executable.run({ x }).then(async ({ y }) => other.read(y!))).rejects.toThrow()
  })

  test.each(['disposed', 'left open'])('a process ends by itself with the backend %s', (how) => {
    const script = `
      import { hostTensor } from '@embed-kd/core'
      import { backend } from '@embed-kd/backend-tfjs'
      const webgpu = await backend.create('webgpu')
      const x = await webgpu.upload(hostTensor('float32', [2], [1, 2]))
      console.log([...(await webgpu.read(x)).data].join())
      ${how === 'disposed' ? 'await webgpu.dispose()' : ''}`
    const { status, stdout, signal } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: import.meta.dirname, encoding: 'utf8', timeout: 30_000 },
    )
    expect({ status, signal, stdout }).toEqual({ status: 0, signal: null, stdout: '1,2\n' })
  })
})

test('an unknown device is refused with the names of those there are', async () => {
  await expect(tfjsBackend.create('tpu')).rejects.toThrow(
    'tfjs has no device "tpu"; choose one of cpu, wasm, webgpu, node, node-gpu',
  )
  expect(await tfjsBackend.probe('tpu')).toMatchObject({ available: false })
})
