// Runs one epoch of `embed-kd distill` on data that is large in one way or another, and prints speed, peak memory and the share of the
// time that the step waited for images.
//   node packages/bench/experiments/large-data.js webdataset --from FOLDER [--images 100000] [--out DIR]
//     FOLDER has folders of JPEGs, one a class, such as CIFAR-10's train/; its images are repeated in shards of 1,000.
//   node packages/bench/experiments/large-data.js photos [--images 128] [--batch 32] [--out DIR]
//     photos of 12 megapixels that are decoded whenever they are read, as without room for a cache; and the same at 224 pixels.
// Memory does not depend on the machine's load; speed and waiting share do. Peaks are of the whole process (VmHWM, so Linux alone).
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import sharp from 'sharp'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string' },
    images: { type: 'string' },
    batch: { type: 'string' },
    out: { type: 'string' },
  },
})
const cli = fileURLToPath(new URL('../../cli/dist/cli.js', import.meta.url))
const out = values.out ?? mkdtempSync(join(tmpdir(), 'large-data-'))
mkdirSync(out, { recursive: true })

/** Returns a ustar header and the content of a file, in whole blocks. */
function member(name, bytes) {
  const header = Buffer.alloc(512)
  header.write(name)
  header.write('0000644\0', 100)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
}

const SHARD = 1000

/** Writes shards of images and labels: `count` training images, and a shard of test images. */
function writeShards(from, count, directory) {
  mkdirSync(directory, { recursive: true })
  const classes = readdirSync(from).sort()
  const files = classes.flatMap((name, label) =>
    readdirSync(join(from, name)).map((file) => ({ path: join(from, name, file), label })),
  )
  // Classes are mixed, in the same order each time.
  const order = files
    .map((file, i) => ({ file, key: createHash('md5').update(`${i}`).digest('hex') }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ file }) => file)
  const shard = (split, index, length) => {
    const blocks = []
    for (let i = index * SHARD; i < index * SHARD + length; i++) {
      const { path, label } = order[i % order.length]
      const key = `${i}`.padStart(8, '0')
      blocks.push(
        ...member(`${key}.jpg`, readFileSync(path)),
        ...member(`${key}.cls`, Buffer.from(`${label}`)),
      )
    }
    const name = `${split}-${`${index}`.padStart(6, '0')}.tar`
    writeFileSync(join(directory, name), Buffer.concat([...blocks, Buffer.alloc(1024)]))
  }
  for (let i = 0; i * SHARD < count; i++) shard('train', i, Math.min(SHARD, count - i * SHARD))
  shard('test', 0, Math.min(SHARD, count))
}

/** Writes one photo under many names, in two classes. */
async function writePhotos(width, height, count, directory) {
  // Stripes, so that the file has the size of a photo.
  const tile = { width: 64, height: 64, channels: 3 }
  const pixels = Buffer.from(Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * i * 31) % 251))
  const stripes = await sharp(pixels, { raw: tile }).png().toBuffer()
  const create = { width, height, channels: 3, background: { r: 90, g: 140, b: 30 } }
  const jpeg = await sharp({ create })
    .composite([{ input: stripes, tile: true }])
    .jpeg()
    .toBuffer()
  for (const split of ['train', 'test'])
    for (const name of ['a', 'b']) {
      mkdirSync(join(directory, split, name), { recursive: true })
      const first = join(directory, split, name, '0.jpg')
      writeFileSync(first, jpeg)
      const each = split === 'train' ? count / 2 : 8
      for (let i = 1; i < each; i++) linkSync(first, join(directory, split, name, `${i}.jpg`))
    }
}

/** Distils for an epoch; prints what the command prints, and returns its lines and the peak memory of its process. */
function distill(dataset, options) {
  const words = `--method supervised --epochs 1 --held-out 0 ${options}`.split(' ')
  const args = ['distill', '--dataset', dataset, ...words, '--out', join(out, 'run')]
  rmSync(join(out, 'run'), { recursive: true, force: true })
  console.log(`$ embed-kd ${args.join(' ')}`)
  const cache = join(out, 'cache')
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, XDG_CACHE_HOME: cache },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let peak = 0
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peak = Math.max(peak, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
    } catch {
      // It has ended.
    }
  }, 200)
  const lines = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      console.log(line)
    })
  return new Promise((resolve, reject) =>
    child.on('close', (code) => {
      clearInterval(look)
      if (code === 0) resolve({ lines, peak })
      else reject(new Error(`embed-kd ${args[0]} ended with ${code}`))
    }),
  )
}

const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`

async function webdataset() {
  const count = Number(values.images ?? 100_000)
  const directory = join(out, 'shards')
  rmSync(directory, { recursive: true, force: true })
  writeShards(values.from, count, directory)
  const began = performance.now()
  const { lines, peak } = await distill(
    `webdataset:${directory}`,
    `--student small-32 --batch ${values.batch ?? 128} --json`,
  )
  const seconds = (performance.now() - began) / 1000
  const [epoch] = JSON.parse(lines.find((line) => line.startsWith('{'))).epochs
  console.log(`images: ${count}`)
  console.log(`whole run: ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} images/s`)
  console.log(`epoch: ${epoch.seconds.toFixed(1)} s, ${Math.round(count / epoch.seconds)} images/s`)
  console.log(`waiting for images: ${(100 * epoch.dataWaitShare).toFixed(1)} % of the epoch`)
  console.log(`peak resident memory: ${megabytes(peak)}`)
}

/** A student so small that images need most of the memory. */
const STUDENT_224 = 'vit:width=64,layers=2,heads=2,patch=32,image=224'

async function photos() {
  const count = Number(values.images ?? 128)
  const batch = values.batch ?? '32'
  const peaks = []
  for (const [width, height] of [
    [4000, 3000],
    [224, 224],
  ]) {
    const directory = join(out, `photos-${width}`)
    rmSync(directory, { recursive: true, force: true })
    await writePhotos(width, height, count, directory)
    const { peak } = await distill(
      `images:${directory}`,
      `--data-size 224 --cache-limit 1 --student ${STUDENT_224} --batch ${batch}`,
    )
    peaks.push(`${width}x${height}: ${megabytes(peak)}`)
  }
  console.log(`peak resident memory at batch ${batch}, photos of ${peaks.join(', of ')}`)
}

const kinds = { webdataset, photos }
const kind = kinds[positionals[0]]
if (!kind || (kind === webdataset && !values.from)) {
  console.error('give webdataset --from FOLDER, or photos')
  process.exit(1)
}
await kind()
if (values.out === undefined) rmSync(out, { recursive: true })
