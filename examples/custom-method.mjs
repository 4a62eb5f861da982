// Shows a method of your own: its loss is a few lines of ops, and gradients, micro-batches and every backend follow from it.
// Use it in commands: npx embed-kd distill --method ./examples/custom-method.mjs --embeddings centroids.safetensors …
// npx embed-kd bench --method embed-kd,./examples/custom-method.mjs --epochs 1
// or in a program, as at the end of this file: node examples/custom-method.mjs
import { pathToFileURL } from 'node:url'

import { defineMethod } from '@embed-kd/core'

/** Pulls each embedding to the centroid of its class: 1 minus the cosine of the angle between them. */
const method = defineMethod({
  label: 'Pull-KD',
  description: 'pulls each embedding to the centroid of its class',
  teacher: 'centroids',
  // A projection from the teacher's width to the student's, trained beside the student.
  parameters: ({ studentWidth, teacherWidth }) => ({
    pull: { shape: [studentWidth, teacherWidth], initial: { std: 0.02 }, decay: true },
  }),
  loss({ embedding, anchors, labels, parameters, op }) {
    const unit = (x) =>
      op.div(x, op.sqrt(op.add(op.sum(op.mul(x, x), { axes: [1], keepDims: true }), 1e-6)))
    const targets = op.matmul(anchors, parameters.pull, { transposeB: true })
    const cosines = op.matmul(unit(embedding), unit(targets), { transposeB: true })
    const own = op.sum(op.mul(cosines, op.oneHot(labels, anchors.shape[0])), { axes: [1] })
    return op.sub(1, op.mean(own))
  },
})
export default method

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { centroidsOf, Trainer } = await import('@embed-kd/distill')
  const { openBackend } = await import('@embed-kd/distill/node')
  const backend = await openBackend('ort:cpu')
  // Two classes of 8x8 images: dark ones and bright ones.
  const labels = Int32Array.from({ length: 16 }, (_, i) => i % 2)
  const images = Uint8Array.from({ length: 16 * 64 }, (_, i) => 200 * labels[i >> 6] + (i % 50))
  const trainer = await Trainer.create({
    backend,
    student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
    classes: 2,
    images: { channels: 1, size: 8 },
    method,
    teacher: {
      centroids: centroidsOf([Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 0)], [0, 1]),
    },
    batch: 16,
  })
  for await (const { epoch, trainLoss } of trainer.fit({ images, labels }, { epochs: 20 }))
    if (epoch % 5 === 0) console.log(`epoch ${epoch}: loss ${trainLoss.toFixed(4)}`)
  await trainer.dispose()
  await backend.dispose()
}
