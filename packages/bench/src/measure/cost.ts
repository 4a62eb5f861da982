// The cost part of a record: FLOPs, bytes and planned memory of a training graph, read off the graph.
import { cost, planMemory, type Capabilities, type Graph } from '@embed-kd/core'
import type { BenchRecord } from '@embed-kd/record'

/** @param graph as the backend executes it. */
export function costOf(
  graph: Graph,
  { reusesDonated }: Pick<Capabilities, 'reusesDonated'>,
): NonNullable<BenchRecord['cost']> {
  const { flops, bytes, flopsByScope } = cost(graph)
  const { residentBytes, peakBytes, activationBytes, inputBytes } = planMemory(graph, {
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
