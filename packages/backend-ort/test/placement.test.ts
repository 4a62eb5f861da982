// That no operator of a training step runs on the CPU when WebGPU was asked for, by the runtime's own log: each session that
// the backend makes is made again in another process, which logs everything. What steps compute is tested elsewhere.
import { spawnSync } from 'node:child_process'
import {
  methodDefinition,
  methodNames,
  op,
  presets,
  spec,
  stepGraphs,
  trace,
  type Graph,
  type Preset,
  type TrainConfig,
} from '@embed-kd/core'
import * as ort from 'onnxruntime-node'
import { expect, test, vi } from 'vitest'
import { OrtBackend } from '../src/backend.js'
import type { Device } from '../src/devices/device.js'
import { webgpu } from '../src/devices/node.js'
import { emitters } from '../src/onnx/emitters.js'
import { configOf, student } from '@embed-kd/conformance/small-models'
import { useFloat16Driver } from './float16-driver.js'

useFloat16Driver()
const found = await webgpu.probe(ort)
if (!found.available) console.warn(`skipped ort:webgpu: ${found.reason}; ${found.remedy}`)
const hasFloat16 = found.available && (await hasShaderF16())
if (!hasFloat16) console.warn('skipped mixed precision on ort:webgpu: this GPU has no shader-f16')

/** How many nodes of a session the runtime has placed on each provider; all of them are placed on some. */
type Placement = Record<string, number>

const script = `
  import { text } from 'node:stream/consumers'
  import ort from 'onnxruntime-node'
  for (const { model, options } of JSON.parse(await text(process.stdin)))
    await (await ort.InferenceSession.create(Buffer.from(model, 'base64'), options)).release()`

async function hasShaderF16(): Promise<boolean> {
  const backend = await OrtBackend.open(webgpu)
  const { dtypes } = backend.capabilities
  await backend.dispose()
  return dtypes.includes('float16')
}

/** Compiles graphs, and tells where the runtime says that it has placed their nodes. */
async function placementsOf(device: Device, graphs: readonly Graph[]): Promise<Placement[]> {
  const backend = await OrtBackend.open(device)
  const create = vi.spyOn(ort.InferenceSession, 'create')
  for (const graph of graphs) await (await backend.compile(graph)).dispose()
  const sessions = create.mock.calls.map(([model, options], i) => ({
    model: Buffer.from(model as unknown as Uint8Array).toString('base64'),
    options: { ...(options as object), logSeverityLevel: 0, logId: `graph ${i}` },
  }))
  create.mockRestore()
  await backend.dispose()

  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    {
      cwd: import.meta.dirname,
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      input: JSON.stringify(sessions),
      encoding: 'utf8',
      maxBuffer: Infinity,
    },
  )
  expect(status, stderr.slice(-2000)).toBe(0)
  const placements = sessions.map((): Placement => ({}))
  // "... [V:onnxruntime:graph 3, ...]  All nodes placed on [X]. Number of nodes: 9", or for each of several providers "Node(s) ...".
  const line =
    /:graph (\d+), .*\] +(?:All nodes|Node\(s\)) placed on \[(\w+)\]. Number of nodes: (\d+)/g
  for (const [, session, provider, nodes] of stderr.matchAll(line))
    placements[Number(session)]![provider!] = Number(nodes)
  return placements
}

const withDropout = { ...student, attentionDropout: 0.1 }

test.skipIf(!found.available).each(methodNames)(
  'every node of a step of %s is on WebGPU, also in micro-batches if it has them',
  async (method) => {
    const graphs = (Object.keys(presets) as Preset[]).flatMap((preset) => {
      const config = configOf(method, preset, { student: withDropout })
      const ways: TrainConfig[] = [config]
      if (!methodDefinition(method).relational) ways.push({ ...config, microBatch: 2 })
      if (hasFloat16) ways.push({ ...config, precision: 'mixed-float16' })
      return ways
        .flatMap((each) => stepGraphs(each).map(({ graph }) => graph))
        .map((graph) => ({ preset, graph }))
    })
    const placements = await placementsOf(
      webgpu,
      graphs.map(({ graph }) => graph),
    )
    placements.forEach((placement, i) => {
      const { preset, graph } = graphs[i]!
      const label = `${graph.name}, ${preset}`
      console.log(`${label}: nodes on ${JSON.stringify(placement)}`)
      expect(placement, label).toEqual({ WebGpuExecutionProvider: expect.any(Number) })
    })
  },
)

test.skipIf(!found.available)('an operator on the CPU would be seen', async () => {
  const lenient: Device = {
    ...webgpu,
    emitters: { ...webgpu.emitters, argmax: emitters.argmax },
    sessionOptions: {
      ...webgpu.sessionOptions,
      extra: { session: { disable_cpu_ep_fallback: '0' } },
    },
  }
  const graph = trace('t', { x: spec([2, 3]) }, ({ x }) => ({ y: op.argmax(op.exp(x), 1) }))
  // The cast from ArgMax's integers, and the copy to where it is: on WebGPU are Exp, ArgMax and the copy.
  expect(await placementsOf(lenient, [graph])).toEqual([
    { CPUExecutionProvider: 1, WebGpuExecutionProvider: 3 },
  ])
})
