// Shows training from a few kilobytes: one vector for each class stands for the teacher, and any function from images to vectors
// can be that teacher. Run it with: node examples/train-from-centroids.mjs mnist
import { writeFileSync } from 'node:fs'

import { centroidsOf, Trainer, writeEmbeddings } from '@embed-kd/distill'
import { datasetBatches, loadCentroids, loadDataset, openBackend } from '@embed-kd/distill/node'

const [spec = 'mnist', epochs = '2', file = 'centroids.safetensors'] = process.argv.slice(2)
const dataset = await loadDataset(spec)
const { images, train, test } = datasetBatches(dataset)
const { size } = images

// The "teacher" of this example: the brightness of each row and each column of an image.
function embed(pixels) {
  const vector = new Float32Array(2 * size)
  pixels.forEach((pixel, i) => {
    vector[i % size] += pixel / 255
    vector[size + (Math.floor(i / size) % size)] += pixel / 255
  })
  return vector
}

// Embed some images once, and keep the mean of each class. The teacher is not needed after these lines.
const [embeddings, labels] = [[], []]
for await (const batch of train(0)) {
  const each = batch.pixels.length / batch.labels.length
  batch.labels.forEach((label, i) => {
    embeddings.push(embed(batch.pixels.subarray(i * each, (i + 1) * each)))
    labels.push(label)
  })
  if (labels.length >= 1000) break
}
writeFileSync(file, writeEmbeddings(centroidsOf(embeddings, labels)))

const backend = await openBackend('ort:cpu')
const trainer = await Trainer.create({
  backend,
  student: 'small',
  classes: dataset.classes,
  images,
  method: 'embed-kd',
  teacher: { centroids: loadCentroids(file, dataset) },
})
const options = { epochs: Number(epochs), validation: test }
for await (const { epoch, trainLoss, accuracy } of trainer.fit(train, options))
  console.log(`epoch ${epoch}: loss ${trainLoss.toFixed(3)}, accuracy ${accuracy.toFixed(3)}`)
const model = await trainer.export('onnx', { normalise: true })
writeFileSync(file.replace('.safetensors', '.onnx'), model)
await trainer.dispose()
await backend.dispose()
