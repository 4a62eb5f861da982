// The readers that are fuzzed: for each a small valid set of files, made by code, and the function that reads them.
// A directory is written anew for each try, and one of its files is damaged: any of them, or one of those in `damaged`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { formatSafetensors, hostTensor, op, parseSafetensors, spec, trace } from '@embed-kd/core'
import { exportBatch, exportOnnx } from '@embed-kd/backend-ort/onnx'
import { parseRecords } from '@embed-kd/records'
import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'

import {
  SafetensorsReader,
  describeHfTeacher,
  loadDataset,
  loadHfTeacher,
} from '../dist/node/index.js'
import { readCheckpoint, writeCheckpoint } from '../dist/node/run/checkpoint.js'
import { readOnnxFile } from '../dist/node/teachers/onnx-file.js'

const repository = (path) => new URL(`../../../${path}`, import.meta.url)
const golden = (name) => readFileSync(repository(`golden/${name}`))

const floats = (count) => Float32Array.from({ length: count }, (_, i) => Math.sin(i))
const tensors = () =>
  new Map([
    ['weight', hostTensor('float32', [4, 8], floats(32))],
    ['bias', hostTensor('float32', [8], floats(8))],
  ])

function idx(dimensions, bytes) {
  const header = Buffer.alloc(4 + 4 * dimensions.length)
  header[2] = 8
  header[3] = dimensions.length
  dimensions.forEach((n, i) => header.writeUInt32BE(n, 4 + 4 * i))
  return Buffer.concat([header, bytes])
}

const noise = (length) => Buffer.from(Array.from({ length }, (_, i) => (i * 37 + (i >> 3)) & 255))
const labels = (count) => Buffer.from(Array.from({ length: count }, (_, i) => i % 3))

const idxFiles = () =>
  Object.fromEntries(
    [
      ['train', 12],
      ['t10k', 6],
    ].flatMap(([split, count]) => [
      [`${split}-images-idx3-ubyte`, idx([count, 8, 8], noise(count * 64))],
      [`${split}-labels-idx1-ubyte`, idx([count], labels(count))],
    ]),
  )

function cifarFiles() {
  const images = Buffer.concat(
    Array.from({ length: 10 }, (_, i) => Buffer.concat([Buffer.of(i), noise(3072)])),
  )
  const names = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`)
  return {
    ...Object.fromEntries([...names, 'test_batch.bin'].map((name) => [name, images])),
    'batches.meta.txt': Buffer.from('a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n'),
  }
}

/** The Python version of CIFAR: a pickle of a dictionary with a list and a NumPy array. */
function cifarPickles() {
  const bytes = noise(10 * 3072)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  const text = (words) => Buffer.from(words, 'latin1')
  const pickle = Buffer.concat([
    text('\x80\x02}q\x01(U\x06labelsq\x02]q\x03('),
    ...Array.from({ length: 10 }, (_, i) => Buffer.of(0x4b, i)),
    text('eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06'),
    text('K\x00\x85U\x01b\x87R(K\x01K\x0aM\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R'),
    text('(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T'),
    length,
    bytes,
    text('tbu.'),
  ])
  const names = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}`)
  return Object.fromEntries([...names, 'test_batch'].map((name) => [name, pickle]))
}

const picture = (format, side = 16) =>
  sharp(noise(side * side * 3), { raw: { width: side, height: side, channels: 3 } })
    .toFormat(format)
    .toBuffer()

async function imageFiles() {
  const files = {}
  for (const split of ['train', 'test'])
    for (const name of ['cat', 'dog'])
      for (const format of ['png', 'jpeg', 'webp', 'gif'])
        files[`${split}/${name}/0.${format}`] = await picture(format)
  return files
}

async function parquetFiles() {
  const image = await picture('png')
  const table = (rows) => {
    const columnData = [
      {
        name: 'image',
        data: Array.from({ length: rows }, () => new Uint8Array(image)),
        type: 'BYTE_ARRAY',
      },
      { name: 'label', data: Array.from({ length: rows }, (_, i) => i % 2), type: 'INT32' },
    ]
    return Buffer.from(parquetWriteBuffer({ columnData }))
  }
  return { 'train-00000-of-00001.parquet': table(6), 'test-00000-of-00001.parquet': table(4) }
}

/** One member of a tar archive (ustar). */
function tarMember(name, bytes) {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('        0ustar\u000000', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

async function tarFiles() {
  const image = await picture('jpeg')
  const archive = (count) =>
    Buffer.concat([
      ...Array.from({ length: count }, (_, i) => [
        tarMember(`${i}.jpg`, image),
        tarMember(`${i}.cls`, Buffer.from(`${i % 2}`)),
      ]).flat(),
      Buffer.alloc(1024),
    ])
  return { 'train-000000.tar': archive(4), 'test-000000.tar': archive(2) }
}

const huggingFaceFiles = () => ({
  'config.json': golden('hf-vit/config.json'),
  'model.safetensors': golden('hf-vit/model.safetensors'),
})

const dataset = (format) => (directory, cache) => loadDataset(`${format}:${directory}`, { cache })

export const targets = {
  'safetensors in memory': {
    files: () => ({ 'x.safetensors': Buffer.from(formatSafetensors(tensors())) }),
    read: (directory) => parseSafetensors(readFileSync(join(directory, 'x.safetensors'))),
  },
  'safetensors file': {
    files: () => ({ 'x.safetensors': Buffer.from(formatSafetensors(tensors())) }),
    read: (directory) => {
      const reader = new SafetensorsReader(join(directory, 'x.safetensors'))
      try {
        for (const name of reader.entries.keys()) reader.read(name)
      } finally {
        reader.close()
      }
    },
  },
  checkpoints: {
    files: async (directory) => {
      const file = join(directory, 'made.safetensors')
      const progress = { epochs: [], bestEpoch: 0 }
      writeCheckpoint(file, { state: tensors(), progress, epochs: 3 }, '{"seed":1}')
      return { 'checkpoint.safetensors': readFileSync(file) }
    },
    read: (directory) => readCheckpoint(join(directory, 'checkpoint.safetensors'), '{"seed":1}'),
  },
  records: {
    files: () => ({
      'records.jsonl': Buffer.from(
        readFileSync(repository('docs/results/quick.jsonl'), 'utf8')
          .split('\n')
          .slice(0, 2)
          .join('\n'),
      ),
    }),
    read: (directory) => parseRecords(readFileSync(join(directory, 'records.jsonl'), 'utf8')),
  },
  'onnx files': {
    files: () => ({
      'model.onnx': Buffer.from(
        exportOnnx(
          trace('double', { x: spec([exportBatch, 3]) }, ({ x }) => ({ y: op.mul(x, 2) })),
        ),
      ),
    }),
    read: (directory) => readOnnxFile(join(directory, 'model.onnx')),
  },
  'hugging face configurations': {
    files: huggingFaceFiles,
    damaged: ['config.json'],
    read: (directory) => describeHfTeacher(directory),
  },
  'hugging face weights': {
    files: huggingFaceFiles,
    damaged: ['model.safetensors'],
    read: (directory) => loadHfTeacher(directory),
  },
  idx: { files: idxFiles, read: dataset('idx') },
  cifar: { files: cifarFiles, read: dataset('cifar10') },
  'cifar pickles': { files: cifarPickles, read: dataset('cifar10') },
  images: { files: imageFiles, read: dataset('images') },
  parquet: { files: parquetFiles, read: dataset('parquet') },
  webdataset: { files: tarFiles, read: dataset('webdataset') },
}
