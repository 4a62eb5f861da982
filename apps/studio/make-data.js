// Makes the studio's own file: the centroids of a teacher trained on all of MNIST, under the teacher's name.
//   embed-kd train-teacher --dataset mnist --shape trained-m --out teacher
//   embed-kd embed --dataset mnist --teacher teacher/teacher --per-class 100 --out centroids.safetensors
//   node make-data.js centroids.safetensors
import { readFileSync, writeFileSync } from 'node:fs'

import { formatSafetensors, parseSafetensors } from '@embed-kd/core'

/** Name of the teacher in records: the file of centroids has its directory in this place. */
const TEACHER = 'trained-m'

const [centroids] = process.argv.slice(2)
if (centroids === undefined) {
  process.stderr.write('give the file of centroids that embed-kd embed wrote\n')
  process.exit(1)
}
const { tensors, metadata } = parseSafetensors(readFileSync(centroids))
writeFileSync(
  new URL('src/assets/mnist-centroids.safetensors', import.meta.url),
  formatSafetensors(tensors, { ...metadata, teacher: TEACHER }),
)
