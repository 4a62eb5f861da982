// The plan of a run's memory: the runtime's reuse of buffers, and the shapes that are hidden from it so that it frees them.
import { hostScalar, hostTensor, op, spec, trace, type Tensor } from '@embed-kd/core'
import { expect, test } from 'vitest'
import { cpu } from '../src/devices/cpu.js'
import { readModel } from '../src/onnx/read.js'
import { ownInterface, translate } from '../src/onnx/translate.js'
import { planBuffers } from '../src/memory/reuse.js'
import { planSession } from '../src/memory/plan-session.js'
import { planRun } from '../src/plan.js'
import { lowerForRuntime } from '../src/lowering.js'
import { ortBackend } from '../src/index.js'
import { loadOrt } from '../src/runtime.js'

/** One tensor of 2^16 float32. */
const KIB = 256
const N = [256, 256]

const graphOf = (body: (x: Tensor) => Record<string, Tensor>, shape: number[] = N) =>
  trace('t', { x: spec(shape) }, ({ x }) => body(x))

async function planOf(
  body: (x: Tensor) => Record<string, Tensor>,
  { hidesShapes = true, shape = N } = {},
): Promise<number> {
  const plan = planRun(lowerForRuntime(graphOf(body, shape), cpu.capabilities.composites), cpu)
  const { model } = translate(plan, cpu.emitters, { ...ownInterface, hidesShapes })
  const memory = await planSession(await loadOrt(), plan, model, cpu.sessionOptions)
  return Math.round((memory!.peakBytes - memory!.residentBytes) / 1024)
}

const sum = (x: Tensor) => op.sum(x)

test.each<[string, (x: Tensor) => Tensor, number]>([
  ['arithmetic is not done in place', (x) => sum(op.exp(op.sin(x))), 3],
  ['softmax is', (x) => sum(op.softmax(op.sin(x), 1)), 2],
  ['a view is no copy', (x) => sum(op.reshape(op.exp(x), [65536])), 2],
  ['select has two temporaries', (x) => sum(op.select(op.less(x, 0), x, op.sin(x))), 5.25],
])('%s', async (_, body, tensors) => {
  expect(await planOf((x) => ({ y: body(x) }), { hidesShapes: false })).toBe(
    Math.round(tensors * KIB),
  )
})

test('the binding copies outputs while the runtime still holds them', async () => {
  expect(await planOf((x) => ({ y: op.exp(x) }))).toBe(3 * KIB)
})

const zeros = (x: Tensor) => op.broadcastTo(x.tracer.constant(hostScalar(0)), [4])

test('a graph of constants alone is planned', async () => {
  expect(await planOf((x) => ({ zeros: zeros(x) }))).toBe(KIB)
})

test('an output that the runtime folds to a constant has its size', async () => {
  expect(await planOf((x) => ({ y: op.exp(x), zeros: zeros(x) }))).toBe(3 * KIB)
})

/** Two tensors of one shape, one before and one after a peak of another shape. */
const early = (x: Tensor) => {
  const twice = (y: Tensor) => sum(op.sin(op.exp(op.concat([y, y], 0))))
  const before = sum(op.cos(op.reshape(x, [512, 128])))
  const peak = twice(op.mul(x, before))
  return { y: sum(op.sin(op.reshape(op.mul(x, peak), [512, 128]))) }
}

test('a tensor of known shape is held for a later one, a tensor of hidden shape is freed', async () => {
  const [known, hidden] = [await planOf(early, { hidesShapes: false }), await planOf(early)]
  expect(hidden).toBeLessThan(known)
})

test('a buffer lives until the last tensor that took it is used', () => {
  const typeOf = (name: string) => ({ key: name === 'c' ? 'c' : 'k', bytes: 1, isScalar: false })
  const node = (operator: string, inputs: string[], outputs: string[]) => ({
    op: operator,
    name: '',
    inputs,
    outputs,
  })
  const buffers = planBuffers(
    {
      nodes: [
        node('Exp', ['x'], ['a']),
        node('ReduceSum', ['a'], ['c']),
        node('Exp', ['x'], ['b']),
        node('Mul', ['b', 'c'], ['y']),
      ],
      inputs: ['x'],
      outputs: ['y'],
      initializers: new Map(),
    },
    typeOf,
  )
  expect(buffers.map(({ from, to, output }) => [from, to, output])).toEqual([
    [0, 3, undefined],
    [1, 3, undefined],
    [3, 3, 'y'],
  ])
})

test('shapes are hidden in models of the CPU alone, and of large results alone', () => {
  const inputsOf = (hidesShapes: boolean, shape: number[]) => {
    const plan = planRun(
      lowerForRuntime(
        graphOf((x) => ({ y: op.exp(op.reshape(x, shape.toReversed())) }), shape),
        cpu.capabilities.composites,
      ),
      cpu,
    )
    return readModel(translate(plan, cpu.emitters, { ...ownInterface, hidesShapes }).model).inputs
  }
  expect(inputsOf(true, [128, 256])).toHaveLength(2)
  expect(inputsOf(true, [4, 8])).toHaveLength(1)
  expect(inputsOf(false, [128, 256])).toHaveLength(1)
})

test('an executable plans its memory', async () => {
  const backend = await ortBackend.create('cpu')
  const executable = await backend.compile(graphOf((x) => ({ y: sum(op.exp(x)) })))
  const { peakBytes, residentBytes } = (await executable.planMemory!())!
  // The input, its exponentials and their sum.
  expect(peakBytes - residentBytes).toBe(2 * KIB * 1024 + 4)
  await backend.dispose()
})

/** Mebibytes that a process holds after a run with tensors of 64 MiB, beyond those before it. */
async function heldAfterRun(keepsMemory: boolean): Promise<number> {
  const backend = await ortBackend.create('cpu', { keepsMemory })
  const executable = await backend.compile(
    graphOf((x) => ({ y: sum(op.exp(op.sin(op.broadcastTo(x, [256, ...N])))) }), [1, ...N]),
  )
  const x = await backend.upload(hostTensor('float32', [1, ...N]))
  const before = process.memoryUsage.rss()
  await executable.run({ x })
  const held = process.memoryUsage.rss() - before
  await backend.dispose()
  return held / 2 ** 20
}

test('memory of a run is kept for the next one, unless the backend is opened not to', async () => {
  expect(await heldAfterRun(false)).toBeLessThan(8)
  expect(await heldAfterRun(true)).toBeGreaterThan(64)
})
