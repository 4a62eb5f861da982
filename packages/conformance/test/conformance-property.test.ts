// Random graphs: every list of numbers is a valid one, the reference and its decompositions agree on them, and a mistake in a
// kernel shrinks to the few nodes that show it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { graphFromChoices, numericCase, runCase } from '../src/index.js'
import { lower, opNames, print, verify, type Backend } from '@embed-kd/core'
import { ReferenceBackend } from '@embed-kd/core/reference'
import { wrapped } from './broken-backends.js'
import { brokenKernels } from './broken-kernels.js'

const choices = fc.array(fc.nat({ max: 2 ** 16 }), { maxLength: 80, size: 'max' })
const reference = new ReferenceBackend()

const run = (backend: Backend, numbers: readonly number[]) => {
  const { graph, inputs } = graphFromChoices(numbers)
  const definition = { name: 'random', contract: 'B15', graph, inputs }
  return runCase(backend, numericCase(definition, backend.capabilities))
}

it('every list of numbers is a valid graph', () => {
  const used = new Set<string>()
  fc.assert(
    fc.property(choices, (numbers) => {
      const { graph } = graphFromChoices(numbers)
      verify(graph)
      verify(lower(graph))
      for (const node of graph.nodes) used.add(node.op)
    }),
    { numRuns: 500 },
  )
  // Draws differ between backends; an optimizer step is a case of its own.
  const left = new Set(['randomUniform', 'bernoulli', 'iota', 'adamw'])
  expect(opNames.filter((name) => !used.has(name) && !left.has(name))).toEqual([])
})

it('composites and their decompositions agree', async () => {
  const decomposing = wrapped(reference, { compile: (graph) => reference.compile(lower(graph)) })
  await fc.assert(
    fc.asyncProperty(choices, async (numbers) => {
      expect(await run(decomposing, numbers)).toMatchObject({ status: 'passed' })
    }),
    { numRuns: 200 },
  )
})

describe('a mistake shrinks to what shows it', () => {
  const found = [
    'transpose by the inverse',
    'softmax along the last axis',
    'less as lessEqual',
    'matmul that ignores transposeB of square matrices',
  ]
  it.each(found)('%s', async (name) => {
    const broken = new ReferenceBackend(brokenKernels[name])
    const { failed, counterexample } = await fc.check(
      fc.asyncProperty(
        choices,
        async (numbers) => (await run(broken, numbers)).status === 'passed',
      ),
      { numRuns: 500, seed: 1 },
    )
    expect(failed, name).toBe(true)
    const { graph } = graphFromChoices(counterexample![0])
    expect(graph.nodes.length, print(graph)).toBeLessThanOrEqual(4)
  })
})
