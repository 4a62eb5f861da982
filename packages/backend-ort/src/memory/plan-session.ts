// Plans the memory of a run of a session on the CPU, without an arena: the runtime's own plan of buffers, the temporaries of its
// operators, and what the binding for Node adds.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesOf, type Graph, type RunMemory } from '@embed-kd/core'
import type { InferenceSession } from 'onnxruntime-common'
import type { Ort } from '../devices/device.js'
import type { Plan } from '../plan.js'
import { outputName } from '../onnx/translate.js'
import { readModel, withOutputs, type ReadModel } from '../onnx/read.js'
import { planBuffers, type KnownType } from './reuse.js'

/** Temporaries of operators, in tensors of the size of their result. */
const TEMPORARIES: Readonly<Record<string, number>> = { Where: 2, BiasGelu: 1 }

/**
 * Plans a run of a planned graph and its model. Returns undefined if the runtime cannot infer the size of a tensor, or cannot write
 * the optimized model because the disk is full.
 */
export async function planSession(
  ort: Ort,
  { graph, overwritten }: Plan,
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<RunMemory | undefined> {
  const optimized = await optimize(ort, model, options)
  if (!optimized) return undefined
  const read = readModel(optimized)
  const types = await typesOf(ort, optimized, read)
  if (!types) return undefined
  // An output that the optimizer folded to a constant is made by no node.
  const constant = (name: string): KnownType => ({
    bytes: read.initializers.get(name)!,
    isScalar: false,
    key: undefined,
  })
  return planRun(graph, read, (name) => types.get(name) ?? constant(name), overwritten)
}

/**
 * Returns the model as the runtime executes it: optimized, its nodes in the order in which they run. Returns undefined if the
 * runtime cannot write this model to a file.
 */
async function optimize(
  ort: Ort,
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<Uint8Array | undefined> {
  let directory: string | undefined
  try {
    directory = mkdtempSync(join(tmpdir(), 'embed-kd-plan-'))
    const optimizedModelFilePath = join(directory, 'model.onnx')
    const session = await ort.InferenceSession.create(model, { ...options, optimizedModelFilePath })
    await session.release()
    return readFileSync(optimizedModelFilePath)
  } catch {
    // The same model was compiled before, so only the file can have failed.
    return undefined
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true })
  }
}

const elementBytes: Readonly<Record<string, number>> = {
  bool: 1,
  uint8: 1,
  int8: 1,
  float16: 2,
  float32: 4,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
}

/** Asks the runtime for the types of all values of a model; undefined if it cannot infer one. */
async function typesOf(
  ort: Ort,
  model: Uint8Array,
  { nodes, inputs, initializers }: ReadModel,
): Promise<ReadonlyMap<string, KnownType> | undefined> {
  const made = nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''))
  // Constants have known types, and the runtime makes no session of them alone.
  if (made.length === 0) return new Map()
  const infer = async (keepsInput: (name: string) => boolean) => {
    const session = await ort.InferenceSession.create(withOutputs(model, made, keepsInput), {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 3,
    })
    const found = [...session.inputMetadata, ...session.outputMetadata]
    await session.release()
    return new Map(found.map((metadata) => [metadata.name, metadata]))
  }
  const known = await infer(() => true)
  // A hidden shape is the default value of an input; without that input the value is a constant.
  const all = await infer((name) => !initializers.has(name))
  const types = new Map<string, KnownType>()
  for (const name of [...made, ...inputs.filter((input) => !initializers.has(input))]) {
    const metadata = all.get(name)
    if (!metadata?.isTensor) return undefined
    const { shape, type } = metadata
    const size = elementBytes[type]
    if (size === undefined || !isComplete(shape)) return undefined
    const inAdvance = known.get(name)
    types.set(name, {
      bytes: shape.reduce((product, n) => product * n, size),
      isScalar: shape.length === 0,
      key:
        inAdvance?.isTensor &&
        inAdvance.shape.length === shape.length &&
        isComplete(inAdvance.shape)
          ? `${size} ${shape.join()}`
          : undefined,
    })
  }
  return types
}

const isComplete = (shape: readonly (number | string)[]): shape is number[] =>
  shape.every((size) => typeof size === 'number')

function planRun(
  { inputs, types }: Graph,
  model: ReadModel,
  typeOf: (name: string) => KnownType,
  overwritten: ReadonlySet<string>,
): RunMemory {
  const { nodes, outputs, initializers } = model
  const given = new Set([...overwritten].map(outputName))
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)
  const residentBytes = sum(initializers.values())
  const inputBytes = sum(inputs.map(({ value }) => bytesOf(types[value]!)))
  const outputBytes = sum(outputs.map((name) => typeOf(name).bytes))

  const change = new Float64Array(nodes.length + 1)
  let kept = 0
  for (const { bytes, from, to, output } of planBuffers(model, typeOf)) {
    if (output !== undefined && given.has(output)) continue
    change[from]! += bytes
    if (output === undefined) change[to + 1]! -= bytes
    else kept += bytes
  }
  let live = 0
  let peak = 0
  nodes.forEach(({ op, outputs: [first] }, index) => {
    live += change[index]!
    const temporaries = TEMPORARIES[op] ?? 0
    peak = Math.max(peak, live + (temporaries === 0 ? 0 : temporaries * typeOf(first!).bytes))
  })
  // The binding returns copies of all outputs, and only then frees those that the runtime has allocated.
  const returning = kept + outputBytes
  return { residentBytes, peakBytes: residentBytes + inputBytes + Math.max(peak, returning) }
}
