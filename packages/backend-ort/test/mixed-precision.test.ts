// Steps in mixed precision on the CPU, which rounds to float16 what a GPU would, and on a WebGPU device with shader-f16.
import {
  evaluate,
  gradientGraph,
  hostTensor,
  hostScalar,
  inDtype,
  initialParameters,
  initialState,
  methodNames,
  paperAdamW,
  Random,
  studentSpecs,
  trainGraph,
  type Backend,
  type Graph,
  type HostTensor,
  type Method,
  type TrainConfig,
} from '@embed-kd/core'
import { conformanceCases, describeConformance } from '@embed-kd/conformance'
import { describe, expect, it } from 'vitest'
import { ortBackend } from '../src/index.js'
import * as small from '@embed-kd/conformance/small-models'
import { useFloat16Driver } from './float16-driver.js'

useFloat16Driver()

const student = { ...small.student, imageSize: 16, width: 32, classes: 10 }

const configOf = (method: Method): TrainConfig =>
  small.configOf(
    method,
    'corrected',
    {
      student,
      batch: 16,
      images: { channels: 1, size: 16 },
      optimizer: { ...paperAdamW, learningRate: 1e-3 },
      precision: 'mixed-float16',
    },
    { ...student, width: 24 },
  )

const FACTOR = 'state.loss_scale.factor'
type Tensors = Record<string, HostTensor>

function inputsOf(config: TrainConfig, { inputs, types }: Graph): Tensors {
  const random = new Random(5)
  const state = initialState(initialParameters(studentSpecs(config), new Random(1)), true)
  state.set(FACTOR, hostScalar(2 ** 8))
  return Object.fromEntries(
    inputs.map(({ name, value }) => {
      const known = state.get(name)
      if (known) return [name, known]
      const { dtype, shape } = types[value]!
      const tensor = hostTensor(dtype === 'int32' ? dtype : 'float32', shape)
      const scale = name.startsWith('teacher.') ? 0.2 : 1
      for (let i = 0; i < tensor.data.length; i++)
        tensor.data[i] = dtype === 'int32' ? i % 10 : scale * random.normal()
      return [name, tensor]
    }),
  )
}

/** Runs a graph `times` times, each on what it gave before. */
async function runOn(backend: Backend, graph: Graph, given: Tensors, times = 1): Promise<Tensors> {
  const executable = await backend.compile(graph)
  let tensors = given
  for (let run = 0; run < times; run++) {
    const feeds = Object.fromEntries(
      await Promise.all(
        graph.inputs.map(async ({ name, value }) => {
          const tensor = inDtype(tensors[name]!, graph.types[value]!.dtype)
          return [name, await backend.upload(tensor)] as const
        }),
      ),
    )
    const outputs = Object.entries(await executable.run(feeds))
    const read: Tensors = {}
    for (const [name, buffer] of outputs) {
      read[name] = await backend.read(buffer)
      buffer.dispose()
    }
    for (const buffer of Object.values(feeds)) buffer.dispose()
    tensors = { ...tensors, ...read }
  }
  await executable.dispose()
  return tensors
}

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values))

/** How far the gradients of all parameters are apart, as one vector, as a share of its length. */
function distance(
  graph: Graph,
  a: Tensors,
  b: Readonly<Record<string, { data: ArrayLike<number> }>>,
) {
  const names = graph.outputs
    .map(({ name }) => name)
    .filter((name) => name.startsWith('gradients.'))
  const squares = (of: (name: string) => number) =>
    Math.sqrt(names.reduce((sum, name) => sum + of(name) ** 2, 0))
  const apart = squares((name) => norm(Array.from(a[name]!.data, (x, i) => x - b[name]!.data[i]!)))
  return apart / squares((name) => norm(b[name]!.data))
}

for (const device of ['cpu', 'webgpu']) {
  const found = await ortBackend.probe(device)
  const backend = found.available ? await ortBackend.create(device) : undefined
  if (!backend?.capabilities.dtypes.includes('float16')) {
    const why = found.available ? 'this GPU has no shader-f16' : `${found.reason}; ${found.remedy}`
    console.warn(`skipped float16 on ort:${device}: ${why}`)
    continue
  }

  if (device === 'webgpu')
    describeConformance(
      { describe, it },
      backend,
      conformanceCases(backend.capabilities).filter(({ name }) => name.startsWith('float16/')),
    )

  describe(`mixed precision on ort:${device}`, () => {
    it.each(methodNames)('has gradients of %s near those of float32', async (method) => {
      const config = configOf(method)
      const graph = gradientGraph(config)
      const exact = gradientGraph({ ...config, precision: 'float32' })
      const given = inputsOf(config, graph)
      const taken = Object.fromEntries(exact.inputs.map(({ name }) => [name, given[name]!]))
      const error = distance(graph, await runOn(backend, graph, given), evaluate(exact, taken))
      console.log(`ort:${device} ${method}: gradients differ by ${error.toExponential(1)}`)
      expect(error).toBeLessThan(1e-2)
      // They are not those of float32 themselves.
      expect(error).toBeGreaterThan(1e-5)
    })

    it('trains as float32 does', async () => {
      const config = configOf('embed-kd')
      const losses = async (precision: TrainConfig['precision']) => {
        const graph = trainGraph({ ...config, ...(precision && { precision }) })
        const after = await runOn(backend, graph, inputsOf(config, graph), 20)
        return after['metrics.loss']!.data[0]!
      }
      const graph = trainGraph(config)
      const first = (await runOn(backend, graph, inputsOf(config, graph)))['metrics.loss']!.data[0]!
      const [mixed, wide] = [await losses('mixed-float16'), await losses('float32')]
      expect(wide).toBeLessThan(0.8 * first)
      expect(Math.abs(mixed - wide)).toBeLessThan(0.02 * first)
    })

    it('takes no step whose gradients overflow, and finds a factor for them', async () => {
      const config = configOf('embed-kd')
      const graph = trainGraph(config)
      const given: Tensors = { ...inputsOf(config, graph), [FACTOR]: hostScalar(2 ** 36) }
      const first = await runOn(backend, graph, given)
      expect(first['metrics.skipped']!.data[0]).toBe(1)
      for (const [name, { data }] of Object.entries(given))
        if (/^state\.(parameters|m|v|correction)/.test(name))
          expect(first[name]!.data, name).toEqual(data)
      const later = await runOn(backend, graph, given, 36)
      expect(later['metrics.skipped']!.data[0]).toBe(0)
      expect(later[FACTOR]!.data[0]).toBeGreaterThan(1)
    })
  })
}
