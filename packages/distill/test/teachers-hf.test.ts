// Hugging Face checkpoints against transformers' own numbers (golden cases of kind "hf-teacher") on every backend there is, and
// what damaged or foreign checkpoints are answered.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  formatSafetensors,
  hostTensor,
  parseSafetensors,
  resizePositions,
  type Backend,
  type HostTensor,
  type Shape,
} from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  goldenCases,
  goldenDirectory,
  relativeError,
  type GoldenEntry,
} from '@embed-kd/conformance/golden'
import { openBackend } from '../src/node/index.js'
import { loadHfTeacher } from '../src/node/teachers/hf.js'
import { forward } from './hf-forward.js'
import { refusal } from './refusal.js'

interface TeacherEntry extends GoldenEntry {
  readonly checkpoint: string
  /** Which output is the embedding: `cls`, `image_embeds` or `logits`. */
  readonly embedding: string
}

const cases = goldenCases<TeacherEntry>('hf-teacher')

describe.each(['reference:cpu', 'ort:cpu', 'tfjs:wasm'])('hf teachers on %s', (name) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await openBackend(name.replace('reference:cpu', 'reference'))
  })
  afterAll(() => backend?.dispose())

  it.each(cases.map((golden) => [golden.entry.name, golden] as const))(
    'equals transformers: %s',
    async (_, { entry, tensor }) => {
      const teacher = loadHfTeacher(join(goldenDirectory, entry.checkpoint))
      const got = await forward(backend, teacher, tensor('in.images'))
      const expected = tensor(`out.${entry.embedding}`)
      expect(got.shape).toEqual(expected.shape)
      const error = relativeError(got.data as Float32Array, expected.data as Float32Array)
      expect(error).toBeLessThan(1e-4)
    },
  )
})

describe('loading a checkpoint', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hf-teacher-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  let copies = 0
  /** A copy of a golden checkpoint, to be spoilt. */
  const copy = (checkpoint: string): string => {
    const to = join(directory, `${copies++}`)
    cpSync(join(goldenDirectory, checkpoint), to, { recursive: true })
    return to
  }
  const edit = (at: string, change: (config: Record<string, unknown>) => void): void => {
    const path = join(at, 'config.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    change(config)
    writeFileSync(path, JSON.stringify(config))
  }

  it('reads shards as it reads the whole', () => {
    const at = copy('hf-vit')
    const { tensors } = parseSafetensors(readFileSync(join(at, 'model.safetensors')))
    const whole = loadHfTeacher(at)
    rmSync(join(at, 'model.safetensors'))
    const names = [...tensors.keys()]
    const weight_map: Record<string, string> = {}
    for (const shard of [0, 1, 2]) {
      const file = `model-0000${shard + 1}-of-00003.safetensors`
      const part = names.filter((_, i) => i % 3 === shard)
      writeFileSync(
        join(at, file),
        formatSafetensors(new Map(part.map((n) => [n, tensors.get(n)!]))),
      )
      for (const name of part) weight_map[name] = file
    }
    writeFileSync(join(at, 'model.safetensors.index.json'), JSON.stringify({ weight_map }))
    const sharded = loadHfTeacher(at)
    expect(sharded.weightFiles).toHaveLength(3)
    expect(sharded.parameters).toEqual(whole.parameters)
    rmSync(join(at, 'model-00002-of-00003.safetensors'))
    expect(() => loadHfTeacher(at)).toThrow('lacks the shard model-00002-of-00003.safetensors')
    writeFileSync(
      join(at, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { x: '../../etc/passwd' } }),
    )
    expect(() => loadHfTeacher(at)).toThrow('names the shard "../../etc/passwd"')
  })

  it('gives a model for other image sizes, with its position embeddings resized', () => {
    const at = copy('hf-dinov2')
    const { model, parameters, input } = loadHfTeacher(at, { imageSize: 24 })
    expect(model.imageSize).toBe(24)
    expect(input).toMatchObject({ height: 24, width: 24, interpolation: 'bicubic' })
    expect(parameters.get('pos_embed')!.shape).toEqual([1 + 6 * 6, 24])
    expect(() => loadHfTeacher(at, { imageSize: 23 })).toThrow(
      'patch size 4 does not divide image size 23',
    )
  })

  it('follows preprocessor_config.json', () => {
    const at = copy('hf-clip-vision')
    const write = (config: object) =>
      writeFileSync(join(at, 'preprocessor_config.json'), JSON.stringify(config))
    write({
      do_resize: true,
      size: { shortest_edge: 20 },
      crop_size: { height: 16, width: 16 },
      do_center_crop: true,
      resample: 3,
      rescale_factor: 1 / 127.5,
      image_mean: [1, 1, 1],
      image_std: [1, 1, 2],
    })
    const { input } = loadHfTeacher(at)
    expect(input).toMatchObject({
      height: 16,
      shorterSide: 20,
      interpolation: 'bicubic',
      fit: 'resize',
    })
    // p / 127.5 - 1 is (p / 255 - 1/2) / (1/2).
    input.mean.forEach((value) => expect(value).toBeCloseTo(0.5, 12))
    ;[0.5, 0.5, 1].forEach((value, i) => expect(input.std[i]).toBeCloseTo(value, 12))
    write({ resample: 6 })
    expect(() => loadHfTeacher(at)).toThrow("resample 6 is none of Pillow's filters")
    write({ do_center_crop: false, size: { height: 16, width: 20 }, image_mean: 0.5 })
    expect(loadHfTeacher(at).model).toMatchObject({ imageSize: 16, imageWidth: 20 })
  })

  /** Writes the weights anew, with other names or element types. */
  const rewrite = (
    at: string,
    change: (name: string, tensor: HostTensor) => [string, string, Shape, Uint8Array][],
  ): void => {
    const file = join(at, 'model.safetensors')
    const { tensors } = parseSafetensors(readFileSync(file))
    const parts = [...tensors].flatMap(([name, tensor]) => change(name, tensor))
    const header: Record<string, object> = {}
    let end = 0
    for (const [name, dtype, shape, bytes] of parts)
      header[name] = { dtype, shape, data_offsets: [end, (end += bytes.length)] }
    const json = Buffer.from(JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    writeFileSync(file, Buffer.concat([length, json, ...parts.map(([, , , bytes]) => bytes)]))
  }
  const bytesOf = ({ data }: HostTensor) =>
    new Uint8Array(Float32Array.from(data as Float32Array).buffer)

  it.each(['module.', '_orig_mod.', 'model.vit.', 'backbone.'])(
    'finds names behind %s',
    (prefix) => {
      const at = copy('hf-vit')
      const before = loadHfTeacher(at)
      rewrite(at, (name, tensor) => [[prefix + name, 'F32', tensor.shape, bytesOf(tensor)]])
      expect(loadHfTeacher(at).parameters).toEqual(before.parameters)
    },
  )

  it('says which names there are if none is known', () => {
    const at = copy('hf-vit')
    let number = 0
    rewrite(at, (_, tensor) => [[`x${number++}`, 'F32', tensor.shape, bytesOf(tensor)]])
    expect(() => loadHfTeacher(at)).toThrow(
      /no tensor ends in embeddings\.patch_embeddings\.projection\.weight; it has x\d+/,
    )
  })

  it('does not mind tensors that nothing reads, whatever their type', () => {
    const at = copy('hf-vit')
    const before = loadHfTeacher(at)
    let extra = ['U8', 'F4', 'C64', 'X9']
    rewrite(at, (name, tensor) => {
      const others = extra.map((dtype): [string, string, Shape, Uint8Array] => [
        `other.${dtype}`,
        dtype,
        [8],
        new Uint8Array(dtype === 'C64' ? 64 : dtype === 'F4' ? 4 : 8),
      ])
      extra = []
      return [[name, 'F32', tensor.shape, bytesOf(tensor)], ...others]
    })
    expect(loadHfTeacher(at).parameters).toEqual(before.parameters)
  })

  it('reads floats of eight bits, with their scales', () => {
    const at = copy('hf-vit')
    const scale = Uint8Array.from(new Uint8Array(Float32Array.of(0.5).buffer))
    // 0x38 is 1 with three bits of fraction, 0xbe is -1.5 with two.
    rewrite(at, (name, tensor) => {
      const values = (byte: number) => new Uint8Array(tensor.data.length).fill(byte)
      if (name.endsWith('layer.0.intermediate.dense.weight'))
        return [
          [name, 'F8_E4M3', tensor.shape, values(0x38)],
          [`${name}_scale`, 'F32', [1], scale],
        ]
      if (name.endsWith('layer.0.output.dense.weight'))
        return [[name, 'F8_E5M2', tensor.shape, values(0xbe)]]
      return [[name, 'F32', tensor.shape, bytesOf(tensor)]]
    })
    const { parameters } = loadHfTeacher(at)
    expect(new Set(parameters.get('blocks.0.fc1.weight')!.data)).toEqual(new Set([0.5]))
    expect(new Set(parameters.get('blocks.0.fc2.weight')!.data)).toEqual(new Set([-1.5]))
  })

  it('takes the vision tower out of a whole CLIP', () => {
    const at = copy('hf-clip-vision')
    const alone = loadHfTeacher(at)
    edit(at, (config) => {
      const { projection_dim, ...vision_config } = { ...config }
      for (const key of Object.keys(config)) delete config[key]
      Object.assign(config, { model_type: 'clip', projection_dim, vision_config })
    })
    const inside = loadHfTeacher(at)
    expect(inside.model).toEqual(alone.model)
    expect(inside.parameters).toEqual(alone.parameters)
  })

  it.each<[string, (at: string) => void, string]>([
    [
      'a model type unknown here',
      (at) => edit(at, (c) => (c.model_type = 'resnet')),
      'type "resnet" is not computed here; the types known are',
    ],
    [
      'an activation unknown here',
      (at) => edit(at, (c) => (c.hidden_act = 'mish')),
      'the activation mish is not computed here',
    ],
    ['another width', (at) => edit(at, (c) => (c.hidden_size = 48)), 'but config.json makes it'],
    [
      'more layers than weights',
      (at) => edit(at, (c) => (c.num_hidden_layers = 3)),
      'has no tensor encoder.layer.2.',
    ],
    [
      'fewer layers than weights',
      (at) => edit(at, (c) => (c.num_hidden_layers = 1)),
      'of 1 layers as in config.json does not read the tensor encoder.layer.1.',
    ],
    [
      'a wrong type in the configuration',
      (at) => edit(at, (c) => (c.hidden_size = 'wide')),
      'is not the configuration of a vit',
    ],
    [
      "timm's configuration",
      (at) => writeFileSync(join(at, 'config.json'), '{"architecture":"vit_tiny_patch16_224"}'),
      'is that of a timm model (vit_tiny_patch16_224), which is not computed here',
    ],
    [
      'a configuration of several lines that is not JSON',
      (at) => writeFileSync(join(at, 'config.json'), '<html>\n<body>\n'),
      'cannot be read as JSON',
    ],
    ['no configuration', (at) => rmSync(join(at, 'config.json')), 'cannot be read as JSON'],
    [
      'no weights',
      (at) => rmSync(join(at, 'model.safetensors')),
      'has neither model.safetensors nor',
    ],
    [
      'pickled weights',
      (at) => {
        rmSync(join(at, 'model.safetensors'))
        writeFileSync(join(at, 'pytorch_model.bin'), 'PK')
      },
      'a Python pickle, and loading one can run any code it carries',
    ],
    [
      'a pickle under another name',
      (at) => writeFileSync(join(at, 'model.safetensors'), 'PK\x03\x04 and the rest'),
      'this is a zip archive, as torch.save writes',
    ],
    [
      'truncated weights',
      (at) => {
        const path = join(at, 'model.safetensors')
        writeFileSync(path, readFileSync(path).subarray(0, -100))
      },
      'it is truncated',
    ],
  ])('refuses %s', async (_, spoil, message) => {
    const at = copy('hf-vit')
    spoil(at)
    expect(await refusal(() => loadHfTeacher(at))).toContain(message)
  })

  it('refuses an empty directory', () => {
    const at = join(directory, 'empty')
    mkdirSync(at)
    expect(() => loadHfTeacher(at)).toThrow('give a directory with config.json')
  })
})

describe('resizePositions', () => {
  const square = (side: number) => ({ rows: side, columns: side })
  const grid = (side: number, value: (x: number, y: number) => number) =>
    hostTensor(
      'float32',
      [1 + side * side, 1],
      [7, ...Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side)))],
    )

  it('keeps the class token, and a constant', () => {
    const { data } = resizePositions(
      grid(5, () => 3),
      square(5),
      square(13),
    )
    expect(data[0]).toBe(7)
    for (const value of data.subarray(1)) expect(value).toBeCloseTo(3, 6)
  })

  it("weighs by Keys's cubic with -0.75", () => {
    // At a distance of 1/4: 1.25 (1/4)³ - 2.25 (1/4)² + 1.
    const { data } = resizePositions(
      grid(8, (x) => (x === 3 ? 1 : 0)),
      square(8),
      square(16),
    )
    expect(data[1 + 8 * 16 + 7]).toBeCloseTo(1.25 / 64 - 2.25 / 16 + 1, 6)
  })

  it('refuses rows that are not those of the grid', () => {
    const positions = hostTensor('float32', [5 + 1, 2])
    expect(() => resizePositions(positions, square(2), square(4))).toThrow('of 6 tokens')
  })
})
