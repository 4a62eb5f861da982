// The cost part of a record: FLOPs, bytes and planned memory of a training step, read off its graphs.
import {
  cost,
  countOperators,
  lower,
  planTogether,
  type Capabilities,
  type Cost,
  type Executable,
  type OperatorCounts,
  type Part,
  type Phase,
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
