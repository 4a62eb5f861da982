// Shows training from a few kilobytes: one vector for each class stands for the teacher, and any function from images to vectors
// can be that teacher. Run it with: node examples/train-from-centroids.mjs mnist
import { readFileSync, writeFileSync } from 'node:fs'

import {
  arrayBatches,
  centroidsOf,
  readCentroids,
  Trainer,
  writeEmbeddings,
} from '@embed-kd/distill'
import { loadDataset, openBackend } from '@embed-kd/distill/node'

const [spec = 'mnist', epochs = '2', file = 'centroids.safetensors'] = process.argv.slice(2)
const { train, test, classes, channels, height: size, statistics } = await loadDataset(spec)

// The "teacher" of this example: the brightness of each row and each column of an image.
function embed(image) {
  const vector = new Float32Array(2 * size)
  image.forEach((pixel, i) => {
    vector[i % size] += pixel / 255
    vector[size + (Math.floor(i / size) % size)] += pixel / 255
  })
  return vector
}

// Embed some images once, and keep the means of each class. The teacher is not needed after this line.
const count = Math.min(train.count, 1000)
const each = channels * size * size
const embeddings = Array.from({ length: count }, (_, i) =>
  embed(train.images.subarray(i * each, (i + 1) * each)),
)
writeFileSync(
  file,
  writeEmbeddings(centroidsOf(embeddings, train.labels.subarray(0, count), { classes })),
)

const backend = await openBackend('ort:cpu')
const trainer = await Trainer.create({
  backend,
  student: 'small',
  classes,
  images: { channels, size, ...statistics },
  method: 'embed-kd',
  teacher: { centroids: await readCentroids(readFileSync(file), file) },
  batch: 32,
})
const validation = arrayBatches(test, { channels, order: 'as given' })
const batches = arrayBatches(train, { channels, batch: 32 })
for await (const epoch of trainer.fit(batches, { epochs: Number(epochs), validation }))
  console.log(
    `epoch ${epoch.epoch}: loss ${epoch.trainLoss.toFixed(3)}, accuracy ${epoch.accuracy}`,
  )
writeFileSync(
  file.replace('.safetensors', '.onnx'),
  await trainer.export('onnx', { normalise: true }),
)
await trainer.dispose()
await backend.dispose()
