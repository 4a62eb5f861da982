// Makes the studio's own data: a part of MNIST as one gzip file, and the centroids of a teacher trained on all of it.
//   embed-kd train-teacher --dataset mnist --shape trained-m --out teacher
//   embed-kd embed --dataset mnist --teacher teacher/teacher --per-class 100 --out centroids.safetensors
//   node make-data.js centroids.safetensors
// The gzip file holds the labels of the training images, their pixels, then the same of the test images, all as bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

import { formatSafetensors, parseSafetensors } from '@embed-kd/core'
import { loadDataset } from '@embed-kd/distill/node'

const TRAIN = 6000
const TEST = 1000

/** Name of the teacher in records: the file of centroids has its directory in this place. */
const TEACHER = 'trained-m'

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
const asset = (name) => new URL(`src/assets/${name}`, import.meta.url)
writeFileSync(asset('mnist.bin.gz'), gzipSync(bytes, { level: 9 }))
const { tensors, metadata } = parseSafetensors(readFileSync(centroids))
writeFileSync(
  asset('mnist-centroids.safetensors'),
  formatSafetensors(tensors, { ...metadata, teacher: TEACHER }),
)
