// Shows distillation from embeddings that another program made, such as embeddings.py beside this file: a safetensors file with
// `embeddings` [images, width] and `labels` [images], in the order of the training images. The labels are checked.
// Run it with: node distil.mjs embeddings.safetensors idx:DIR runs/mine
import { distill } from '@embed-kd/distill/node'

const [embeddings = 'embeddings.safetensors', dataset = 'mnist', out = 'runs/mine', epochs = '5'] =
  process.argv.slice(2)

const { summary, onnxFile } = await distill({
  method: 'cached-kd',
  embeddings,
  dataset,
  out,
  student: 'small',
  learningRate: 1e-3,
  epochs: Number(epochs),
  tell: console.log,
})
console.log(
  `accuracy ${summary.test_accuracy}, by guessing ${summary.chance_accuracy}; model: ${onnxFile}`,
)
