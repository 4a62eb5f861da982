// The cost part of a record: FLOPs, bytes and planned memory of a training graph, read off the graph.
import { cost, lower, planMemory, type Capabilities, type Graph } from '@embed-kd/core'
import type { BenchRecord } from '@embed-kd/record'

/** @param graph as it was compiled; what counts is what a backend with these capabilities executes. */
export function costOf(
  graph: Graph,
  { composites, reusesDonated }: Pick<Capabilities, 'composites' | 'reusesDonated'>,
): NonNullable<BenchRecord['cost']> {
  const executed = lower(graph, { composites })
  const { flops, bytes, flopsByScope } = cost(executed)
  const { residentBytes, peakBytes, activationBytes, inputBytes } = planMemory(executed, {
    reusesDonated,
  })
  const { parameter, optimizer, teacher, batch } = inputBytes
  // Where old and new state are held at once, both halves of it grow alike.
  const state = peakBytes - activationBytes - teacher - batch
  const parametersBytes = Math.round((state * parameter) / (parameter + optimizer))
  return {
    stepFlops: flops,
    studentFlops: flops - (flopsByScope['teacher'] ?? 0),
    ...(flopsByScope['teacher'] === undefined ? {} : { teacherFlops: flopsByScope['teacher'] }),
    bytesMoved: bytes,
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
