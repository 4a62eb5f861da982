// The cost part of a record: FLOPs, bytes and planned memory of a training step, read off its graphs.
import {
  bytesOf,
  cost,
  countOperators,
  lower,
  planTogether,
  type Capabilities,
  type Cost,
  type Executable,
  type Graph,
  type OperatorCounts,
  type Part,
  type Phase,
  type RunMemory,
  type StepPart,
} from '@embed-kd/core'
import type { BenchRecord } from '@embed-kd/records'

/** A graph of a step and what its backend made of it. */
export interface ExecutedPart extends StepPart {
  readonly executable: Pick<Executable, 'graph'>
}

/** Counts what the executables really run; `capabilities` are those of their backend. */
export function costOf(
  parts: readonly ExecutedPart[],
  { composites, reusesDonated }: Pick<Capabilities, 'composites' | 'reusesDonated'>,
  runtimePeakBytes?: number,
): NonNullable<BenchRecord['cost']> {
  const lowered = ({ graph, times }: StepPart) => ({ graph: lower(graph, { composites }), times })
  const executed = parts.map(({ executable: { graph }, times }) => ({ graph, times }))
  const flops = total(executed, (part) => part.flops)
  const teacherFlops = total(executed, ({ parts }) => parts.teacher?.flops ?? 0)
  const keeping = parts.map(({ graph: { rematerialise: _again, ...graph }, times }) => ({
    graph,
    times,
  }))
  const flopsOf = (steps: readonly StepPart[]) => total(steps.map(lowered), (part) => part.flops)
  const recomputed = flopsOf(parts) - flopsOf(keeping)
  const { residentBytes, peakBytes, activationBytes, inputBytes } = planTogether(
    executed.map(({ graph }) => graph),
    { reusesDonated },
  )
  const { parameter, optimizer, teacher, batch } = inputBytes
  // Where old and new state are held at once, both halves of it grow alike.
  const state = peakBytes - activationBytes - teacher - batch
  const parametersBytes = Math.round((state * parameter) / (parameter + optimizer))
  return {
    stepFlops: flops,
    studentFlops: flops - teacherFlops,
    ...(teacherFlops === 0 ? {} : { teacherFlops }),
    ...(recomputed === 0 ? {} : { recomputedFlops: recomputed }),
    bytesMoved: total(executed, ({ bytes }) => bytes),
    operators: addCounts(executed),
    planned: {
      residentBytes,
      peakBytes,
      ...(runtimePeakBytes === undefined ? {} : { runtimePeakBytes }),
      peakSplit: {
        parametersBytes,
        optimizerBytes: state - parametersBytes,
        activationsBytes: activationBytes,
        teacherBytes: teacher,
        dataBytes: batch,
      },
    },
  }
}

/** Returns the greatest sum of all tensors in a step as the runtime manages its memory; undefined if the backend does not know. */
export async function planRuntimePeak(
  executables: readonly Pick<Executable, 'graph' | 'planMemory'>[],
): Promise<number | undefined> {
  const plans = await Promise.all(executables.map((executable) => executable.planMemory?.()))
  return peakOf(
    executables.map(({ graph }) => graph),
    plans,
  )
}

/** Returns the greatest sum of all tensors in a step as the backend counted them; undefined if it does not count. */
export const countedPeak = (
  executables: readonly Pick<Executable, 'graph' | 'countedMemory'>[],
): number | undefined =>
  peakOf(
    executables.map(({ graph }) => graph),
    executables.map((executable) => executable.countedMemory?.()),
  )

/** Returns the peak of graphs that run in turn. While one of them runs, what only the others read stays. */
function peakOf(
  graphs: readonly Graph[],
  runs: readonly (RunMemory | undefined)[],
): number | undefined {
  const kept = new Map<string, number>()
  for (const { inputs, types } of graphs)
    for (const { name, value, role } of inputs)
      if (role !== 'batch') kept.set(name, bytesOf(types[value]!))
  let resident = 0
  for (const run of runs) {
    if (!run) return undefined
    resident += run.residentBytes
  }
  const peaks = graphs.map(({ inputs }, i) => {
    const own = new Set(inputs.map(({ name }) => name))
    const others = [...kept].reduce((sum, [name, bytes]) => sum + (own.has(name) ? 0 : bytes), 0)
    const { peakBytes, residentBytes } = runs[i]!
    return peakBytes - residentBytes + others
  })
  return resident + Math.max(...peaks)
}

/** Adds up the operators of graphs that a step runs so many times. */
function addCounts(steps: readonly StepPart[]): OperatorCounts {
  const sum: Partial<Record<Part, Partial<Record<Phase, number>>>> = {}
  for (const { graph, times } of steps)
    for (const [part, byPhase] of Object.entries(countOperators(graph)))
      for (const [phase, count] of Object.entries(byPhase)) {
        const ofPart = (sum[part as Part] ??= {})
        ofPart[phase as Phase] = (ofPart[phase as Phase] ?? 0) + times * count
      }
  return sum
}

const total = (parts: readonly StepPart[], pick: (part: Cost) => number): number =>
  parts.reduce((sum, { graph, times }) => sum + times * pick(cost(graph)), 0)
