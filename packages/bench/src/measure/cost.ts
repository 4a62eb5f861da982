// The cost part of a record: FLOPs, bytes and planned memory of a training step, read off its graphs.
import {
  cost,
  lower,
  planTogether,
  type Capabilities,
  type Cost,
  type StepPart,
} from '@embed-kd/core'
import type { BenchRecord } from '@embed-kd/records'

/** @param parts as they were compiled; what counts is what a backend with these capabilities executes. */
export function costOf(
  parts: readonly StepPart[],
  { composites, reusesDonated }: Pick<Capabilities, 'composites' | 'reusesDonated'>,
): NonNullable<BenchRecord['cost']> {
  const lowered = ({ graph, times }: StepPart) => ({ graph: lower(graph, { composites }), times })
  const executed = parts.map(lowered)
  const flops = total(executed, (part) => part.flops)
  const teacherFlops = total(executed, ({ parts }) => parts.teacher?.flops ?? 0)
  const keeping = parts.map(({ graph: { rematerialise: _again, ...graph }, times }) => ({
    graph,
    times,
  }))
  const recomputed = flops - total(keeping.map(lowered), (part) => part.flops)
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

const total = (parts: readonly StepPart[], pick: (part: Cost) => number): number =>
  parts.reduce((sum, { graph, times }) => sum + times * pick(cost(graph)), 0)
