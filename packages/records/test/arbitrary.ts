// Arbitrary valid records for property tests. Nothing in them was measured.
import fc from 'fast-check'
import {
  type BenchRecord,
  ANCHOR_CONTROLS,
  METHODS,
  packResults,
  PRESETS,
  REMATERIALISATIONS,
  recordSchema,
  SCHEMA_VERSION,
  STATUSES,
} from '../src/index.js'

const text = fc.string({ minLength: 1, unit: 'binary' })
const count = fc.integer({ min: 1, max: 2 ** 40 })
const whole = fc.integer({ min: 0, max: 2 ** 40 })
// JSON knows no negative zero.
const amount = fc.double({ min: 0, max: 1e18, noNaN: true }).map((value) => value + 0)
const value = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (value === 0 ? 0 : value))
const positive = fc.double({ min: 1e-9, max: 1e9, noNaN: true })
const share = fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0)
const curve = fc.array(fc.tuple(whole, value), { maxLength: 5 })
const dictionary = <T>(values: fc.Arbitrary<T>) =>
  fc.dictionary(
    text.filter((key) => key !== '__proto__'),
    values,
    { noNullPrototype: true },
  )

const values = fc.array(positive, { minLength: 1, maxLength: 3 })

const trial = fc
  .record(
    {
      backend: text,
      method: fc.constantFrom(...METHODS),
      preset: fc.constantFrom(...PRESETS),
      teacher: fc.record(
        {
          name: text,
          kind: fc.constantFrom('trained' as const, 'random' as const, 'pretrained' as const),
          parameterCount: count,
          imageSize: count,
          patch: count,
          embeddingWidth: count,
          accuracy: share,
          digest: text,
        },
        {
          requiredKeys: ['name', 'kind', 'parameterCount', 'imageSize', 'patch', 'embeddingWidth'],
        },
      ),
      student: fc.record({
        name: text,
        imageSize: count,
        patch: count,
        width: count,
        layers: count,
        heads: count,
        parameterCount: count,
      }),
      dataset: fc.record({ name: text, classes: count, trainSize: count, testSize: whole }),
      batch: count,
      seed: whole,
      learningRate: positive,
      weightDecay: amount,
      kdWeight: amount,
      dropout: fc.double({ min: 0, max: 0.99, noNaN: true }).map((value) => value + 0),
      init: fc.record({ name: text, digest: text }),
      initSize: count,
      dataSize: count,
      skipCorrupt: fc.constant(true as const),
      maxMegapixels: count,
      augment: fc.constantFrom('flip', 'crop:4', 'flip+crop:2'),
      trainImages: count,
      testImages: count,
      centroidImages: count,
      prototypes: fc.integer({ min: 2, max: 100 }),
      anchors: fc.constantFrom(...ANCHOR_CONTROLS),
      views: count,
      knn: count,
      store: fc.constantFrom('float16', 'int8', 'pca64', 'pq16'),
      labels: fc.double({ min: 1e-6, max: 0.99, noNaN: true }),
      search: fc.record(
        { learningRate: values, kdWeight: values },
        { requiredKeys: ['learningRate'] },
      ),
      purpose: fc.constant('search' as const),
      microBatch: count,
      rematerialise: fc.constantFrom(...REMATERIALISATIONS),
      precision: fc.constant('mixed-float16' as const),
    },
    {
      requiredKeys: [
        'backend',
        'method',
        'preset',
        'student',
        'dataset',
        'batch',
        'seed',
        'learningRate',
        'weightDecay',
        'dropout',
      ],
    },
  )
  .chain((trial) =>
    fc.oneof(
      count.map((epochs) => ({ ...trial, epochs })),
      count.map((imagesSeen) => ({ ...trial, imagesSeen })),
      count.map((steps) => ({ ...trial, steps })),
    ),
  )

const environment = fc.record(
  {
    cpuModel: text,
    cpuCores: count,
    memoryBytes: whole,
    gpu: fc.record({ name: text, driver: text }, { requiredKeys: ['name'] }),
    os: text,
    node: text,
    packages: dictionary(fc.string()),
    commit: text,
    dirty: fc.boolean(),
    commandLine: fc.array(fc.string()),
    loadAverage: fc.tuple(amount, amount, amount),
  },
  {
    requiredKeys: ['cpuModel', 'cpuCores', 'memoryBytes', 'os', 'node', 'packages', 'commandLine'],
  },
)

const measured = fc.record(
  {
    lastWords: fc.string(),
    warnings: fc.array(text),
    rerunCommand: text,
    time: fc.record({
      warmupSteps: whole,
      stepSeconds: fc.array(amount, { minLength: 1, maxLength: 5 }),
      medianSeconds: amount,
      p95Seconds: amount,
      interval95Seconds: fc.tuple(amount, amount),
      imagesPerSecond: amount,
    }),
    roofline: fc.record(
      {
        gemmFlopsPerSecondBefore: amount,
        share: amount,
        dtype: fc.constant('float16' as const),
        noisy: fc.boolean(),
      },
      { requiredKeys: ['gemmFlopsPerSecondBefore'] },
    ),
    cost: fc.record({
      stepFlops: amount,
      planned: fc.record({
        residentBytes: whole,
        peakBytes: whole,
        peakSplit: fc.record({
          parametersBytes: whole,
          optimizerBytes: whole,
          activationsBytes: whole,
          teacherBytes: whole,
          dataBytes: whole,
        }),
      }),
    }),
    memory: fc.record(
      { baselineRssBytes: whole, peakRssBytes: whole, sampledPeakRssBytes: whole },
      { requiredKeys: ['baselineRssBytes', 'peakRssBytes'] },
    ),
    energy: fc.record({
      source: fc.constantFrom('rapl' as const, 'nvidia' as const),
      joulesPerStep: amount,
      watts: amount,
    }),
    embeddings: fc.record(
      { seconds: amount, images: whole, bytes: whole, extrapolated: fc.boolean() },
      { requiredKeys: ['seconds', 'images', 'bytes'] },
    ),
    curves: fc.record({
      loss: curve,
      epochs: fc.array(
        fc.record({ epoch: count, trainLoss: value, testAccuracy: share, seconds: amount }),
        { maxLength: 3 },
      ),
    }),
    lossScale: fc.record({ last: positive, skippedSteps: whole }),
    accuracy: share,
    checkpoint: fc.record({
      epoch: count,
      chosenOn: fc.constantFrom('held-out' as const, 'test' as const),
      images: count,
      accuracy: share,
    }),
    testResults: fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }).map((correct) => ({
      dataset: 'digest',
      images: correct.length,
      correct: packResults(correct),
    })),
    searched: fc.record({
      seed: whole,
      trials: fc.array(
        fc.record(
          { id: text, values: fc.record({ learningRate: positive }), accuracy: share },
          { requiredKeys: ['id', 'values'] },
        ),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    graph: fc.record({ digest: text }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)

/** Any record that the schema accepts. */
export const anyRecord: fc.Arbitrary<BenchRecord> = fc
  .tuple(
    fc.record({
      id: text,
      benchmarkVersion: text,
      status: fc.constantFrom(...STATUSES),
      reason: text,
      costOnly: fc.boolean(),
      startedAt: fc
        .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString()),
      wallSeconds: amount,
    }),
    trial,
    environment,
    measured,
  )
  .map(([frame, trial, environment, measured]) => {
    const costOnly = frame.costOnly || trial.teacher?.kind === 'random'
    const { accuracy, ...rest } = measured
    return recordSchema.parse({
      schemaVersion: SCHEMA_VERSION,
      ...frame,
      costOnly,
      trial,
      environment,
      ...rest,
      ...(costOnly || accuracy === undefined || trial.purpose === 'search' ? {} : { accuracy }),
    })
  })
