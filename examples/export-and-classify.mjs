// Shows a student leave the library: it is trained, and classifies images in ONNX Runtime alone and in transformers.js
// (npm install onnxruntime-node @huggingface/transformers). Run it with: node examples/export-and-classify.mjs mnist
import { dirname, resolve } from 'node:path'

import { datasetBatches, distill, loadDataset } from '@embed-kd/distill/node'
import * as hub from '@huggingface/transformers'
import * as ort from 'onnxruntime-node'

const [spec = 'mnist', epochs = '1', out = 'runs/exported'] = process.argv.slice(2)
const { onnxFile } = await distill({
  method: 'supervised',
  dataset: spec,
  student: 'small',
  epochs: Number(epochs),
  normaliseInside: true,
  out,
})

// From here on, the library only reads the test images.
const { images, test } = datasetBatches(await loadDataset(spec))
const { channels, size } = images

// ONNX Runtime: pixels from 0 to 1 go in, a score of each class comes out.
const session = await ort.InferenceSession.create(onnxFile)
let [right, count] = [0, 0]
for await (const { pixels, labels } of test()) {
  const scaled = Float32Array.from(pixels, (byte) => byte / 255)
  const shape = [labels.length, channels, size, size]
  const { logits } = await session.run({ pixel_values: new ort.Tensor('float32', scaled, shape) })
  const classes = logits.dims[1]
  labels.forEach((label, i) => {
    const scores = logits.data.subarray(i * classes, (i + 1) * classes)
    if (scores.indexOf(Math.max(...scores)) === label) right++
  })
  count += labels.length
}
console.log(`ONNX Runtime classifies ${right} of ${count} test images correctly`)

// transformers.js: the directory of the model is its name, and an image comes back with its class.
hub.env.allowRemoteModels = false
const directory = resolve(dirname(onnxFile), '..')
const classify = await hub.pipeline('image-classification', directory, { dtype: 'fp32' })
for await (const { pixels, labels } of test()) {
  const planes = new hub.Tensor('uint8', pixels.slice(0, channels * size * size), [
    channels,
    size,
    size,
  ])
  const [{ label, score }] = await classify(hub.RawImage.fromTensor(planes), { top_k: 1 })
  console.log(
    `transformers.js says ${label} (${(100 * score).toFixed(0)} %) of an image of class ${labels[0]}`,
  )
  break
}
