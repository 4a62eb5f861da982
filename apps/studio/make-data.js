// Makes the studio's own data: a part of MNIST as one gzip file, and the centroids of a teacher trained on all of it.
//   node make-data.js CENTROIDS      CENTROIDS: a file that `embed-kd embed --dataset mnist` wrote
// The file holds the labels of the training images, their pixels, then the same of the test images, all as bytes.
import { copyFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

import { loadDataset } from '@embed-kd/distill/node'

const TRAIN = 6000
const TEST = 1000

const [centroids] = process.argv.slice(2)
if (centroids === undefined) {
  process.stderr.write('give the file of centroids that embed-kd embed wrote\n')
  process.exit(1)
}
const { train, test } = await loadDataset('mnist', {})
const part = ({ images, labels }, count) => [
  Uint8Array.from(labels.subarray(0, count)),
  images.subarray(0, count * 28 * 28),
]
const bytes = Buffer.concat([...part(train, TRAIN), ...part(test, TEST)])
writeFileSync(new URL('public/mnist.bin.gz', import.meta.url), gzipSync(bytes, { level: 9 }))
copyFileSync(centroids, new URL('public/mnist-centroids.safetensors', import.meta.url))
