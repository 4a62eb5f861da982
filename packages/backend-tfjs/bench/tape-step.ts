// The same training step as a user of TensorFlow.js would write it: tf ops in a function, tf.variableGrads, and AdamW on
// variables, all under tf.tidy. Dense kernels are [in, out], as in tf.layers, so that forward products are plain ones.
import type { ClassifierConfig, HostTensor } from '@embed-kd/core'
import * as tf from '@tensorflow/tfjs-core'
import type { Workload } from './workload.js'

/** One step at each call; resolves to the loss of the batch before the step. */
export interface TapeStep {
  step(): tf.Scalar
  dispose(): void
}

const fromHost = ({ data, shape, dtype }: HostTensor) =>
  tf.tensor(data, shape as number[], dtype as 'float32' | 'int32')

export function tapeStep({ config, parameters, inputs }: Workload): TapeStep {
  const { student, batch, optimizer, settings } = config
  const { width, heads, layers, patchSize, imageSize, channels, epsilon } = student
  const { classes } = student as ClassifierConfig
  const rows = imageSize / patchSize
  const tokens = rows ** 2 + 1
  const headWidth = width / heads

  const variables = new Map<string, tf.Variable>()
  const moments = new Map<string, readonly [tf.Variable, tf.Variable]>()
  for (const [name, value] of parameters) {
    const variable = tf.tidy(() => {
      const tensor = fromHost(value)
      // Dense kernels, stored [out, in] in checkpoints.
      const isKernel = value.shape.length === 2 && name !== 'pos_embed'
      const flat = value.shape.length === 4 ? tf.reshape(tensor, [width, -1]) : tensor
      return tf.variable(isKernel || flat !== tensor ? tf.transpose(flat) : flat, true)
    })
    variables.set(name, variable)
    moments.set(name, [
      tf.variable(tf.zeros(variable.shape), false),
      tf.variable(tf.zeros(variable.shape), false),
    ])
  }
  const get = (name: string): tf.Tensor => variables.get(name)!

  const [images, labels, centroids] = ['batch.images', 'batch.labels', 'teacher.centroids'].map(
    (name) => fromHost(inputs.get(name)!),
  ) as [tf.Tensor, tf.Tensor1D, tf.Tensor2D]

  const linear = (x: tf.Tensor, kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor => {
    const flat = tf.reshape(x, [-1, x.shape.at(-1)!])
    const y = tf.matMul(flat, kernel)
    return tf.reshape(bias ? tf.add(y, bias) : y, [...x.shape.slice(0, -1), kernel.shape[1]!])
  }
  const layerNorm = (x: tf.Tensor, name: string): tf.Tensor => {
    const { mean, variance } = tf.moments(x, -1, true)
    const normalised = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)))
    return tf.add(tf.mul(normalised, get(`${name}.weight`)), get(`${name}.bias`))
  }
  const attention = (x: tf.Tensor, context: tf.Tensor, name: string): tf.Tensor => {
    const part = (index: number, from: tf.Tensor) => {
      const kernel = tf.slice(get(`${name}.in_proj_weight`), [0, index * width], [width, width])
      const bias = tf.slice(get(`${name}.in_proj_bias`), [index * width], [width])
      const split = tf.reshape(linear(from, kernel, bias), [batch, -1, heads, headWidth])
      return tf.transpose(split, [0, 2, 1, 3])
    }
    const scores = tf.mul(tf.matMul(part(0, x), part(1, context), false, true), headWidth ** -0.5)
    const mixed = tf.matMul(tf.softmax(scores), part(2, context))
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, -1, width])
    return linear(joined, get(`${name}.out_proj.weight`), get(`${name}.out_proj.bias`))
  }
  const quickGelu = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702)))
  const crossEntropy = (scores: tf.Tensor, targets: tf.Tensor): tf.Scalar =>
    tf.mul(tf.sum(tf.mul(targets, tf.logSoftmax(scores))), -1 / batch)
  const normalise = (x: tf.Tensor) =>
    tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24)))

  const loss = (): tf.Scalar => {
    const split = tf.reshape(images, [batch, channels, rows, patchSize, rows, patchSize])
    const patches = tf.reshape(tf.transpose(split, [0, 2, 4, 1, 3, 5]), [batch, tokens - 1, -1])
    const token = tf.tile(tf.reshape(get('class_token'), [1, 1, width]), [batch, 1, 1])
    const embedded = tf.concat([token, linear(patches, get('patch_embed.weight'))], 1)
    let x = layerNorm(tf.add(embedded, get('pos_embed')), 'norm_pre')
    for (let layer = 0; layer < layers; layer++) {
      const name = `blocks.${layer}`
      const context = layerNorm(x, `${name}.norm1`)
      // Only the class token leaves the last block.
      const first = (y: tf.Tensor) =>
        layer === layers - 1 ? tf.slice(y, [0, 0, 0], [batch, 1, width]) : y
      x = tf.add(first(x), attention(first(context), context, `${name}.attn`))
      const normed = layerNorm(x, `${name}.norm2`)
      const hidden = quickGelu(linear(normed, get(`${name}.fc1.weight`), get(`${name}.fc1.bias`)))
      x = tf.add(x, linear(hidden, get(`${name}.fc2.weight`), get(`${name}.fc2.bias`)))
    }
    const embedding = layerNorm(tf.reshape(x, [batch, width]), 'norm_post')
    const scores = linear(embedding, get('classifier.weight'), get('classifier.bias'))
    const targets = tf.cast(tf.oneHot(labels, classes), 'float32')
    const anchors = linear(centroids, get('teacher_proj.weight'), get('teacher_proj.bias'))
    const cosine = tf.matMul(normalise(embedding), normalise(anchors), false, true)
    const distillation = tf.mul(crossEntropy(cosine, targets), settings.kdWeight)
    return tf.add(crossEntropy(tf.softmax(scores), targets), distillation)
  }

  const { learningRate, weightDecay, beta1, beta2, epsilon: adamEpsilon } = optimizer
  let steps = 0
  return {
    step: () =>
      tf.tidy(() => {
        steps++
        const { value, grads } = tf.variableGrads(loss, [...variables.values()])
        for (const [name, variable] of variables) {
          const gradient = grads[variable.name]!
          const [m, v] = moments.get(name)!
          m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)))
          v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)))
          const root = tf.sqrt(tf.div(v, 1 - beta2 ** steps))
          const direction = tf.div(tf.div(m, 1 - beta1 ** steps), tf.add(root, adamEpsilon))
          const decayed = tf.mul(variable, 1 - learningRate * weightDecay)
          variable.assign(tf.sub(decayed, tf.mul(direction, learningRate)))
        }
        return value
      }),
    dispose() {
      tf.dispose([
        images,
        labels,
        centroids,
        ...variables.values(),
        ...[...moments.values()].flat(),
      ])
    },
  }
}
