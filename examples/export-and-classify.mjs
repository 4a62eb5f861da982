// Shows a student leave the library: it is trained, exported to ONNX, and classifies images in ONNX Runtime alone.
// Run it with: node examples/export-and-classify.mjs mnist
import { arrayBatches, Trainer } from '@embed-kd/distill'
import { loadDataset, openBackend } from '@embed-kd/distill/node'
import { InferenceSession, Tensor } from 'onnxruntime-node'

const [spec = 'mnist', epochs = '1'] = process.argv.slice(2)
const { train, test, classes, channels, height: size, statistics } = await loadDataset(spec)
const backend = await openBackend('ort:cpu')
const trainer = await Trainer.create({
  backend,
  student: 'small',
  classes,
  images: { channels, size, ...statistics },
  method: 'supervised',
  batch: 32,
})
for await (const { epoch, trainLoss } of trainer.fit(arrayBatches(train, { channels, batch: 32 }), {
  epochs: Number(epochs),
}))
  console.log(`epoch ${epoch}: loss ${trainLoss.toFixed(3)}`)
const model = await trainer.export('onnx', { normalise: true })
await trainer.dispose()
await backend.dispose()

// From here on, nothing of this library is used: pixels from 0 to 1 go in, a score of each class comes out.
const session = await InferenceSession.create(model)
const count = Math.min(test.count, 500)
const pixels = Float32Array.from(
  test.images.subarray(0, count * channels * size * size),
  (byte) => byte / 255,
)
const { logits } = await session.run({
  pixel_values: new Tensor('float32', pixels, [count, channels, size, size]),
})
let right = 0
for (let i = 0; i < count; i++) {
  const scores = logits.data.slice(i * classes, (i + 1) * classes)
  if (scores.indexOf(Math.max(...scores)) === test.labels[i]) right++
}
console.log(
  `ONNX Runtime classifies ${right} of ${count} test images correctly (${model.length} bytes)`,
)
