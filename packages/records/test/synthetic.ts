// SYNTHETIC records for tests only. Their figures come from a crude cost model and a seeded generator: nothing here
// was measured, and the machine's name says so wherever such a record is shown.
import {
  SCHEMA_VERSION,
  type BenchRecord,
  type Method,
  packResults,
  type Preset,
} from '../src/index.js'

interface TeacherShape {
  readonly name: string
  readonly parameterCount: number
  readonly width: number
  readonly patch: number
  readonly imageSize: number
  /** FLOPs of one forward pass over one image. */
  readonly forwardFlops: number
  readonly accuracy?: number
}

export const TEACHERS: readonly TeacherShape[] = [
  shape('vit-mini', 0.8e6, 128, 4, 28, 0.11e9, 0.981),
  shape('vit-small-28', 2.7e6, 256, 4, 28, 0.38e9, 0.986),
  shape('vit-tiny-16', 5.7e6, 192, 16, 224, 2.5e9),
  shape('vit-small-16', 22e6, 384, 16, 224, 9.2e9),
  shape('vit-base-16', 86.6e6, 768, 16, 224, 35.2e9),
  shape('vit-large-16', 304e6, 1024, 16, 224, 123e9),
]

function shape(
  name: string,
  parameterCount: number,
  width: number,
  patch: number,
  imageSize: number,
  forwardFlops: number,
  accuracy?: number,
): TeacherShape {
  const common = { name, parameterCount, width, patch, imageSize, forwardFlops }
  return accuracy === undefined ? common : { ...common, accuracy }
}

/** Deterministic uniforms in [0, 1) (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface SyntheticSweep {
  readonly methods?: readonly Method[]
  readonly teachers?: readonly string[]
  readonly batches?: readonly number[]
  readonly seeds?: number
  readonly backends?: readonly string[]
  readonly datasets?: readonly string[]
  readonly presets?: readonly Preset[]
  /** Multiplies every time: a machine or a version that is slower. */
  readonly slowdown?: number
  /** More bytes than this and the trial runs out of memory. */
  readonly memoryLimitBytes?: number
  /** Samples of the step time per record. */
  readonly samples?: number
  /** Name of the machine and commit of the code; the machine is SYNTHETIC in any case. */
  readonly machine?: string
  readonly commit?: string
  /** Shares of labels; absent for all. */
  readonly labels?: readonly (number | undefined)[]
  /** Adds the result of every test image. */
  readonly testResults?: boolean
  /** Points of accuracy that a method has above the others, as a share. */
  readonly gains?: Readonly<Partial<Record<Method, number>>>
  /** Adds to every number that the generator starts from: other noise, as in a trial run again. */
  readonly noise?: number
}

/** A whole sweep of SYNTHETIC records. */
export function syntheticRecords(sweep: SyntheticSweep = {}): BenchRecord[] {
  const {
    methods = ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd'],
    teachers = TEACHERS.map(({ name }) => name),
    batches = [16, 64],
    seeds = 3,
    backends = ['ort:cpu'],
    datasets = ['mnist'],
    presets = ['corrected'],
    labels = [undefined],
  } = sweep
  const records: BenchRecord[] = []
  for (const backend of backends)
    for (const dataset of datasets)
      for (const preset of presets)
        for (const share of labels)
          for (const batch of batches)
            for (const method of methods)
              for (const teacher of method === 'supervised' ? [undefined] : teachers)
                for (let seed = 0; seed < seeds; seed++) {
                  const shape = TEACHERS.find(({ name }) => name === teacher)
                  const place = { backend, dataset, preset, share, batch, method, seed }
                  records.push(syntheticRecord(place, shape, sweep, records.length))
                }
  return records
}

interface Place {
  readonly backend: string
  readonly dataset: string
  readonly preset: Preset
  readonly share: number | undefined
  readonly batch: number
  readonly method: Method
  readonly seed: number
}

const BACKEND_SPEED: Readonly<Record<string, number>> = {
  'ort:cpu': 1,
  'ort:webgpu': 9,
  'tfjs:wasm': 0.35,
  'tfjs:webgpu': 6,
}
const STUDENT_PARAMETERS = 0.82e6
const STUDENT_FLOPS = 3 * 0.12e9

const TEST_IMAGES = 10_000

/** Decides for each test image whether it is right: mostly by the image, which is as hard for all, and by chance. */
function imagesRight(ability: number, random: () => number): boolean[] {
  const image = generator(4711)
  return Array.from({ length: TEST_IMAGES }, () => 0.7 * image() + 0.3 * random() < 0.85 * ability)
}

function syntheticRecord(
  place: Place,
  teacher: TeacherShape | undefined,
  sweep: SyntheticSweep,
  index: number,
): BenchRecord {
  const { backend, dataset, preset, share: labels, batch, method, seed } = place
  const random = generator(index * 7919 + 17 + (sweep.noise ?? 0))
  const jitter = (size: number) => 1 + size * (random() + random() - 1)
  const live = method === 'teacher-kd' || method === 'logit-kd'
  const costOnly = teacher !== undefined && teacher.accuracy === undefined

  const studentFlops = STUDENT_FLOPS * batch
  const teacherFlops = live && teacher !== undefined ? teacher.forwardFlops * batch : 0
  const stepFlops = studentFlops + teacherFlops
  const gemm = 95e9 * (BACKEND_SPEED[backend] ?? 1)
  const share = (0.55 * studentFlops + 0.85 * teacherFlops) / stepFlops
  const typicalStep = (stepFlops / (gemm * share)) * (sweep.slowdown ?? 1) * jitter(0.03)
  const stepSeconds = Array.from({ length: sweep.samples ?? 24 }, () => {
    const outlier = random() < 0.04 ? 1.6 : 1
    return typicalStep * jitter(0.08) * outlier
  })
  const sorted = stepSeconds.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]!

  const parametersBytes = Math.round(STUDENT_PARAMETERS * 4)
  const teacherBytes = live && teacher !== undefined ? Math.round(teacher.parameterCount * 4) : 0
  const activationsBytes = Math.round(
    batch * 1.9e6 +
      (live && teacher !== undefined
        ? batch * ((teacher.imageSize / teacher.patch) ** 2 + 1) * teacher.width * 4 * 9
        : 0),
  )
  const dataBytes =
    batch * 28 * 28 * 4 +
    (method === 'embed-kd' && teacher !== undefined ? 10 * teacher.width * 4 : 0)
  const split = {
    parametersBytes,
    optimizerBytes: 2 * parametersBytes,
    activationsBytes,
    teacherBytes,
    dataBytes,
  }
  const peakBytes = Object.values(split).reduce((sum, bytes) => sum + bytes, 0)
  const residentBytes = 3 * parametersBytes + teacherBytes
  const baselineRssBytes = 78e6
  const peakRssBytes = Math.round(baselineRssBytes + peakBytes * 1.25 * jitter(0.04) + 30e6)
  const oom = peakRssBytes > (sweep.memoryLimitBytes ?? Number.POSITIVE_INFINITY)

  const epochs = 4
  const poolSize = 60_000
  const trainSize = Math.round(poolSize * (labels ?? 1))
  const learnt = 0.95 + (method === 'supervised' ? 0.012 : 0.017) + 0.006 * (random() - 0.5)
  const ability = learnt + (sweep.gains?.[method] ?? 0) + 0.12 * Math.log10(labels ?? 1)
  const correct = sweep.testResults === true ? imagesRight(ability, random) : undefined
  const final = correct ? correct.filter(Boolean).length / TEST_IMAGES : ability
  const lossAt = (progress: number) => 0.12 + 2.2 * Math.exp(-5 * progress) * jitter(0.08)
  const accuracyAt = (progress: number) => final * (1 - 0.35 * Math.exp(-6 * progress))
  const curves = {
    loss: Array.from(
      { length: 60 },
      (_, at) => [(at + 1) * 50, lossAt(at / 60)] as [number, number],
    ),
    epochs: Array.from({ length: epochs }, (_, at) => ({
      epoch: at + 1,
      trainLoss: lossAt((at + 1) / epochs),
      testAccuracy: at === epochs - 1 ? final : accuracyAt((at + 1) / epochs),
      seconds: (trainSize / batch) * median,
    })),
  }

  const frame = {
    schemaVersion: SCHEMA_VERSION as typeof SCHEMA_VERSION,
    id: `synthetic-${index}`,
    benchmarkVersion: '0.1.0',
    trial: {
      backend,
      method,
      preset,
      ...(teacher === undefined
        ? {}
        : {
            teacher: {
              name: teacher.name,
              kind: costOnly ? ('random' as const) : ('trained' as const),
              parameterCount: teacher.parameterCount,
              imageSize: teacher.imageSize,
              patch: teacher.patch,
              embeddingWidth: teacher.width,
              ...(teacher.accuracy === undefined ? {} : { accuracy: teacher.accuracy }),
            },
          }),
      student: {
        name: 'small',
        imageSize: 28,
        patch: 4,
        width: 128,
        layers: 4,
        heads: 4,
        parameterCount: STUDENT_PARAMETERS,
      },
      dataset: {
        name: dataset,
        classes: 10,
        trainSize,
        ...(labels === undefined ? {} : { poolSize }),
        testSize: TEST_IMAGES,
      },
      ...(labels === undefined ? {} : { labels }),
      batch,
      ...(costOnly ? { steps: 40 } : { epochs }),
      seed,
      learningRate: 1e-4,
      weightDecay: 0.1,
      ...(method === 'supervised' ? {} : { kdWeight: 0.5 }),
      dropout: 0.1,
    },
    costOnly,
    startedAt: new Date(
      Date.UTC(2026, 10, 23, 9) + index * 20_000 + (sweep.noise ?? 0) * 1000,
    ).toISOString(),
    wallSeconds: 12 + 30 * median,
    environment: {
      cpuModel: `SYNTHETIC ${sweep.machine ?? 'processor'}`,
      cpuCores: 2,
      memoryBytes: 8 * 2 ** 30,
      os: 'Linux 6.1 x64',
      node: 'v20.20.0',
      packages: { '@embed-kd/bench': '0.1.0', 'onnxruntime-node': '1.30.0' },
      commit: sweep.commit ?? '0000000synthetic',
      dirty: false,
      commandLine: ['bench', '--profile', 'synthetic'],
      loadAverage: [0.4, 0.3, 0.2] as [number, number, number],
    },
    rerunCommand: `embed-kd step --backend ${backend} --method ${method} --batch ${batch} --seed ${seed}`,
  }
  const cost = {
    stepFlops,
    studentFlops,
    ...(live ? { teacherFlops } : {}),
    bytesMoved: Math.round(stepFlops / 20),
    planned: { residentBytes, peakBytes, peakSplit: split },
  }
  if (oom) {
    return {
      ...frame,
      status: 'oom',
      reason: 'killed by SIGKILL at the memory limit',
      lastWords: 'terminate called after throwing an instance of std::bad_alloc',
      cost,
    }
  }
  return {
    ...frame,
    status: 'ok',
    time: {
      warmupSteps: 3,
      stepSeconds,
      medianSeconds: median,
      p95Seconds: sorted[Math.floor(sorted.length * 0.95)]!,
      interval95Seconds: [
        sorted[Math.floor(sorted.length * 0.35)]!,
        sorted[Math.floor(sorted.length * 0.65)]!,
      ],
      imagesPerSecond: batch / median,
      epochSeconds: (trainSize / batch) * median,
      epochExtrapolated: true,
    },
    roofline: {
      gemmFlopsPerSecondBefore: gemm,
      gemmFlopsPerSecondAfter: gemm * jitter(0.04),
      share: stepFlops / median / gemm,
      noisy: false,
    },
    cost,
    memory: {
      baselineRssBytes,
      residentRssBytes: Math.round(baselineRssBytes + residentBytes * 1.4 + 12e6),
      peakRssBytes,
    },
    ...(method === 'embed-kd' && teacher !== undefined
      ? {
          embeddings: {
            seconds: (1000 * teacher.forwardFlops) / (gemm * 0.85),
            images: 1000,
            bytes: 10 * teacher.width * 4,
          },
        }
      : {}),
    ...(costOnly ? {} : { curves, accuracy: final }),
    ...(costOnly || correct === undefined
      ? {}
      : {
          testResults: { dataset, images: TEST_IMAGES, correct: packResults(correct) },
        }),
    graph: { digest: 'synthetic' },
  }
}
