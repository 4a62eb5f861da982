// The loss of multinomial logistic regression and its gradient: as a graph on a backend, or in JavaScript in double precision.
import {
  crossEntropy,
  gradients,
  hostTensor,
  op,
  spec,
  trace,
  type Backend,
  type DeviceBuffer,
} from '@embed-kd/core'

import type { Evaluated } from './lbfgs.js'
import { rowCount, type LabelledRows } from './rows.js'

/** The mean cross-entropy over labelled rows as a function of parameters `[classes · width + classes]`: weights, then biases. */
export interface LogisticLoss {
  evaluate(parameters: Float64Array): Promise<Evaluated>
  dispose(): Promise<void>
}

/** Rows in one run of the graph. */
const BLOCK = 4096

/** Computes the loss on a backend, in float32, with the rows kept on its device. */
export async function lossOn(
  backend: Backend,
  rows: LabelledRows,
  classes: number,
): Promise<LogisticLoss> {
  const { width, vectors, labels } = rows
  const count = rowCount(rows)
  const block = Math.min(BLOCK, count)
  const inputs = {
    rows: spec([block, width]),
    labels: spec([block], { dtype: 'int32' }),
    weights: spec([classes, width]),
    biases: spec([classes]),
  }
  const graph = trace('linear probe', inputs, ({ rows, labels, weights, biases }) => {
    const scores = op.add(op.matmul(rows, weights, { transposeB: true }), biases)
    const loss = crossEntropy(scores, op.oneHot(labels, classes))
    const [weightGradient, biasGradient] = gradients(loss, [weights, biases])
    return { loss, weightGradient: weightGradient!, biasGradient: biasGradient! }
  })
  const executable = await backend.compile(graph)
  const blocks: { rows: DeviceBuffer; labels: DeviceBuffer }[] = []
  for (let first = 0; first < count; first += block) {
    const part = hostTensor('float32', [block, width])
    part.data.set(vectors.subarray(first * width, (first + block) * width))
    // Padding has no class, so that its row of the one-hot matrix, its loss and its gradient are 0.
    const classOf = hostTensor('int32', [block]).data.map((_, i) => labels[first + i] ?? -1)
    blocks.push({
      rows: await backend.upload(part),
      labels: await backend.upload(hostTensor('int32', [block], classOf)),
    })
  }
  // The graph has the mean over a block.
  const scale = block / count
  return {
    async evaluate(parameters) {
      const split = classes * width
      const own = {
        weights: await backend.upload(
          hostTensor('float32', [classes, width], Float32Array.from(parameters.subarray(0, split))),
        ),
        biases: await backend.upload(
          hostTensor('float32', [classes], Float32Array.from(parameters.subarray(split))),
        ),
      }
      const gradient = new Float64Array(parameters.length)
      let value = 0
      for (const part of blocks) {
        const outputs = await executable.run({ ...part, ...own })
        const read = async (name: string) =>
          (await backend.read(outputs[name]!)).data as Float32Array
        value += scale * (await read('loss'))[0]!
        const [weights, biases] = [await read('weightGradient'), await read('biasGradient')]
        for (let i = 0; i < split; i++) gradient[i]! += scale * weights[i]!
        for (let i = 0; i < classes; i++) gradient[split + i]! += scale * biases[i]!
        for (const buffer of Object.values(outputs)) buffer.dispose()
      }
      own.weights.dispose()
      own.biases.dispose()
      return { value, gradient }
    },
    async dispose() {
      for (const part of blocks) {
        part.rows.dispose()
        part.labels.dispose()
      }
      await executable.dispose()
    },
  }
}

/** Computes the loss in JavaScript, in double precision. */
export function lossHere(rows: LabelledRows, classes: number): LogisticLoss {
  const { width, vectors, labels } = rows
  const count = rowCount(rows)
  return {
    async evaluate(parameters) {
      const biases = classes * width
      const gradient = new Float64Array(parameters.length)
      const scores = new Float64Array(classes)
      let value = 0
      for (let row = 0; row < count; row++) {
        const at = row * width
        for (let c = 0; c < classes; c++) {
          let score = parameters[biases + c]!
          for (let k = 0; k < width; k++) score += parameters[c * width + k]! * vectors[at + k]!
          scores[c] = score
        }
        const highest = scores.reduce((a, b) => Math.max(a, b))
        const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0)
        const label = labels[row]!
        value += highest + Math.log(total) - scores[label]!
        for (let c = 0; c < classes; c++) {
          const error = Math.exp(scores[c]! - highest) / total - (c === label ? 1 : 0)
          gradient[biases + c]! += error / count
          for (let k = 0; k < width; k++)
            gradient[c * width + k]! += (error / count) * vectors[at + k]!
        }
      }
      return { value: value / count, gradient }
    },
    async dispose() {},
  }
}
