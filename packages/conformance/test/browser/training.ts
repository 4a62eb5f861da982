// A few training steps of a small student on any backend: the same code in Node and in the page.
import {
  hostTensor,
  initialParameters,
  initialState,
  paperAdamW,
  presets,
  Random,
  sizeOf,
  studentSpecs,
  trainGraph,
  type Backend,
  type DeviceBuffer,
  type HostTensor,
  type TrainConfig,
} from '@embed-kd/core'

const config: TrainConfig = {
  method: 'embed-kd',
  student: {
    imageSize: 16,
    patchSize: 4,
    channels: 1,
    width: 32,
    layers: 2,
    heads: 4,
    classes: 10,
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout: 0,
  },
  batch: 8,
  images: { channels: 1, size: 16 },
  teacher: { kind: 'stored', width: 48 },
  settings: presets.corrected,
  optimizer: { ...paperAdamW, learningRate: 1e-2 },
  schedule: { kind: 'cosine', warmupSteps: 0, totalSteps: 5 },
}

/** Inputs beside the state, the same wherever they are made. */
function inputs(): Record<string, HostTensor> {
  const random = new Random(5)
  const noise = (...shape: number[]) =>
    hostTensor(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    )
  return {
    'batch.images': noise(8, 1, 16, 16),
    'batch.labels': hostTensor(
      'int32',
      [8],
      Int32Array.from({ length: 8 }, () => random.int(10)),
    ),
    'teacher.centroids': noise(10, 48),
  }
}

/** Losses of the first steps; every buffer is disposed. */
export async function losses(backend: Backend, steps: number): Promise<number[]> {
  const upload = async (tensors: Iterable<[string, HostTensor]>) => {
    const buffers: Record<string, DeviceBuffer> = {}
    for (const [name, tensor] of tensors) buffers[name] = await backend.upload(tensor)
    return buffers
  }
  const executable = await backend.compile(trainGraph(config))
  const held = await upload(Object.entries(inputs()))
  let state = await upload(initialState(initialParameters(studentSpecs(config), new Random(6))))
  const found: number[] = []
  for (let step = 0; step < steps; step++) {
    const outputs = await executable.run({ ...state, ...held })
    found.push((await backend.read(outputs['metrics.loss']!)).data[0]!)
    state = {}
    for (const [name, buffer] of Object.entries(outputs))
      if (name.startsWith('state.')) state[name] = buffer
      else buffer.dispose()
  }
  for (const buffer of [...Object.values(state), ...Object.values(held)]) buffer.dispose()
  await executable.dispose()
  return found
}
