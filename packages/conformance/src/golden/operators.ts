// PyTorch's operators as conformance cases: values and gradients that come from neither this repository's reference nor its rules.
import type { ConformanceCase } from '../index.js'
import { numericCase } from '../index.js'
import {
  gradients,
  op,
  spec,
  trace,
  type Capabilities,
  type HostTensor,
  type Tensor,
} from '@embed-kd/core'
import { goldenCases, goldenOperator, type OperatorEntry } from './golden.js'

/** Returns two cases for each golden operator: its result, and the gradients of its inputs for a given gradient of the result. */
export function goldenOperatorCases(capabilities: Capabilities): ConformanceCase[] {
  return goldenCases<OperatorEntry>('operator').map(({ entry, tensor, list }) => {
    const inputs: Record<string, HostTensor> = { gradient: tensor('grad_out') }
    list('in').forEach((input, i) => (inputs[`in${i}`] = input))
    const specs = Object.fromEntries(
      Object.entries(inputs).map(([name, { dtype, shape }]) => [name, spec(shape, { dtype })]),
    )
    const graph = trace(`golden ${entry.name}`, specs, ({ gradient, ...symbols }) => {
      const operands = Object.values<Tensor>(symbols)
      const out = goldenOperator(entry)(operands)
      const found = gradients(op.sum(op.mul(out, gradient!)), operands)
      return { out, grad: found.map((g) => g!) }
    })
    const given: Record<string, HostTensor> = { out: tensor('out') }
    list('grad').forEach((gradient, i) => (given[`grad.${i}`] = gradient))
    const definition = { name: `golden/${entry.op}`, contract: 'B15', graph, inputs }
    return numericCase(definition, capabilities, given)
  })
}
