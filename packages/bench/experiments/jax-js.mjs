// Times the step of `embed-kd step --student paper` in jax-js on WebAssembly: the same shapes, Embed-KD's loss without dropout, AdamW.
//   npm install --no-save @jax-js/jax@0.1.25
//   node packages/bench/experiments/jax-js.mjs [--batch 8] [--samples 5]
//   npm run bench:beside -w packages/backend-tfjs -- --student paper --batch 8 --steps 5
// The last command times it on tfjs:wasm, on ort:wasm and with TensorFlow.js' gradient tape, by turns.
// jax-js uses several threads if it finds the browser's Worker, which Node lacks: as it is shipped, it uses one here.
import { parseArgs } from 'node:util'

import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '8' },
    samples: { type: 'string', default: '5' },
  },
})
const [batch, samples] = [Number(values.batch), Number(values.samples)]
const [WIDTH, LAYERS, HEADS, HIDDEN, CLASSES, TEACHER] = [256, 6, 8, 1024, 10, 768]
const [TOKENS, PATCH] = [64 + 1, 4 * 4]

await init('wasm')
defaultDevice('wasm')
let seed = 1
const draw = (shape, scale = 0.02) => {
  const count = shape.reduce((a, b) => a * b, 1)
  const data = Float32Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return (seed / 0x7fffffff - 0.5) * scale
  })
  return np.array(data).reshape(shape)
}
const linear = (to, from) => ({ weight: draw([from, to]), bias: draw([to], 0) })
const norm = () => ({ weight: draw([WIDTH], 0).add(1), bias: draw([WIDTH], 0) })
const parameters = {
  patch: linear(WIDTH, PATCH),
  token: draw([1, 1, WIDTH]),
  positions: draw([1, TOKENS, WIDTH]),
  blocks: Array.from({ length: LAYERS }, () => ({
    norm1: norm(),
    qkv: linear(3 * WIDTH, WIDTH),
    out: linear(WIDTH, WIDTH),
    norm2: norm(),
    up: linear(HIDDEN, WIDTH),
    down: linear(WIDTH, HIDDEN),
  })),
  normPre: norm(),
  normPost: norm(),
  classifier: linear(CLASSES, WIDTH),
  teacher: linear(WIDTH, TEACHER),
}
const images = draw([batch, TOKENS - 1, PATCH], 2)
const targets = nn.oneHot(
  np.array(
    Int32Array.from({ length: batch }, (_, i) => i % CLASSES),
    { dtype: np.int32 },
  ),
  CLASSES,
)
const centroids = draw([CLASSES, TEACHER], 2)

const apply = (x, { weight, bias }) => np.matmul(x, weight.ref).add(bias.ref)
const normalise = (x, { weight, bias }) => nn.standardize(x, -1).mul(weight.ref).add(bias.ref)
const quickGelu = (x) => x.ref.mul(nn.sigmoid(x.mul(1.702)))
const unit = (x) => x.ref.div(np.sqrt(x.ref.mul(x).sum(-1, { keepdims: true }).add(1e-6)))

/** Products alone: dotProductAttention uses an iterator helper that Node 20 lacks. */
function attend(x, { qkv, out }) {
  const heads = apply(x, qkv).reshape([batch, TOKENS, 3, HEADS, WIDTH / HEADS])
  const [q, k, v] = np
    .split(heads.transpose([2, 0, 3, 1, 4]), 3)
    .map((part) => part.reshape([batch, HEADS, TOKENS, WIDTH / HEADS]))
  const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul((WIDTH / HEADS) ** -0.5)
  const mixed = np.matmul(nn.softmax(scores, -1), v).transpose([0, 2, 1, 3])
  return apply(mixed.reshape([batch, TOKENS, WIDTH]), out)
}

function lossOf(p, images, targets, centroids) {
  const token = np.tile(p.token.ref, [batch, 1, 1])
  let x = np.concatenate([token, apply(images, p.patch)], 1).add(p.positions.ref)
  x = normalise(x, p.normPre)
  for (const block of p.blocks) {
    x = x.ref.add(attend(normalise(x, block.norm1), block))
    x = x.ref.add(apply(quickGelu(apply(normalise(x, block.norm2), block.up)), block.down))
  }
  const first = np.split(x, [1], 1)[0].reshape([batch, WIDTH])
  const embedding = normalise(first, p.normPost)
  const crossEntropy = (scores) =>
    nn
      .logSoftmax(scores, -1)
      .mul(targets.ref)
      .sum()
      .mul(-1 / batch)
  const anchors = unit(apply(centroids, p.teacher))
  const cosines = np.matmul(unit(embedding.ref), anchors.transpose())
  return crossEntropy(apply(embedding, p.classifier)).add(crossEntropy(cosines.mul(1 / 0.07)))
}

/** Learning rate, its momentum's decay, that of the second moment, weight decay, and what keeps the quotient finite. */
const [RATE, BETA1, BETA2, DECAY, EPSILON] = [1e-4, 0.9, 0.999, 0.01, 1e-8]
const step = jit((p, m, v, images, targets, centroids) => {
  const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), images, targets, centroids)
  const first = tree.map((m, g) => m.mul(BETA1).add(g.ref.mul(1 - BETA1)), m, gradients)
  const second = tree.map((v, g) => v.mul(BETA2).add(g.ref.mul(g).mul(1 - BETA2)), v, gradients)
  const updated = tree.map(
    (p, m, v) => p.mul(1 - RATE * DECAY).sub(m.ref.div(np.sqrt(v.ref).add(EPSILON)).mul(RATE)),
    p,
    first,
    second,
  )
  return [updated, first, second, loss]
})

const zeros = () => tree.map((x) => np.zeros(x.shape), parameters)
let [p, m, v] = [parameters, zeros(), zeros()]
const times = []
const losses = []
for (let i = 0; i < 2 + samples; i++) {
  const start = performance.now()
  const [p1, m1, v1, loss] = step(p, m, v, images.ref, targets.ref, centroids.ref)
  ;[p, m, v] = [p1, m1, v1]
  losses.push(await loss.jsAsync())
  if (i >= 2) times.push(performance.now() - start)
}
const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]
console.log(
  `jax-js on wasm, batch ${batch}: ${median.toFixed(0)} ms a step, losses ${losses.map((x) => x.toFixed(3)).join(' ')}`,
)
