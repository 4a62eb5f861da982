// The schema of a benchmark record: what one trial was, what became of it, and everything that was measured.
// It holds no statistics of its own and no file access; units are in the names, and what was not measured is absent.
import { isMethod, parts, phases } from '@embed-kd/core'
import { z } from 'zod'

import { METHODS, trialSchema, type PRESETS } from './axes.js'
import { SEARCHED_AXES } from './axis.js'

/** Version of the record's form. Any change of the form, an added field included, raises it. */
export const SCHEMA_VERSION = 4

export const STATUSES = ['ok', 'oom', 'timeout', 'error', 'skipped'] as const

const text = z.string().min(1)
const count = z.int().positive()
const whole = z.int().nonnegative()
const bytes = z.int().nonnegative()
const seconds = z.number().nonnegative()
const flops = z.number().nonnegative()
const share = z.number().min(0).max(1)
/** [step, value]: steps count from 1 and are those of the optimizer. */
const curve = z.array(z.tuple([whole, z.number()]))

const environment = z.strictObject({
  cpuModel: text,
  cpuCores: count.describe('logical cores that the process may use'),
  cpuFrequencyHz: z.number().positive().optional(),
  memoryBytes: bytes.optional().describe('absent if the trial ran in a browser that does not tell'),
  gpu: z
    .strictObject({
      name: text,
      driver: text.optional(),
      memoryBytes: bytes.optional(),
    })
    .optional(),
  os: text,
  node: text.optional().describe('version of Node; absent if the trial ran in a browser'),
  browser: text.optional().describe('name and version of the browser that the trial ran in'),
  packages: z.record(z.string(), z.string()).describe('package name to version'),
  commit: text.optional(),
  dirty: z.boolean().optional().describe('whether the checkout differed from the commit'),
  commandLine: z.array(z.string()).describe('arguments of the command that ran the sweep'),
  loadAverage: z.tuple([z.number(), z.number(), z.number()]).optional(),
})

const time = z
  .strictObject({
    warmupSteps: whole.describe('steps run before the first sample and not counted'),
    stepSeconds: z
      .array(seconds)
      .describe(
        'every sample, outliers included; empty in a summary, which has timedSteps instead',
      ),
    timedSteps: count
      .optional()
      .describe('number of samples that a summary leaves out; absent if stepSeconds holds them'),
    medianSeconds: seconds,
    p95Seconds: seconds,
    interval95Seconds: z
      .tuple([seconds, seconds])
      .describe('95 % bootstrap interval of the median, low and high'),
    imagesPerSecond: z.number().nonnegative(),
    dataWaitShare: share.optional().describe('share of the time spent waiting for data'),
    epochSeconds: seconds.optional(),
    epochExtrapolated: z
      .boolean()
      .optional()
      .describe('true where epochSeconds was computed from the median step'),
  })
  .refine(({ stepSeconds, timedSteps }) => stepSeconds.length > 0 || timedSteps !== undefined, {
    path: ['stepSeconds'],
    message: 'give at least one sample',
  })

const roofline = z
  .strictObject({
    gemmFlopsPerSecondBefore: flops,
    gemmFlopsPerSecondAfter: flops.optional(),
    share: z.number().nonnegative().optional().describe("of the step's FLOP/s in the GEMM's"),
    dtype: z.literal('float16').optional().describe('of the matrices; float32 where absent'),
    noisy: z.boolean().optional().describe('true where before and after differ by over 10 %'),
  })
  .describe('a large matrix product in the precision of the trial, measured in the same process')

const cost = z
  .strictObject({
    stepFlops: flops.describe('of the whole training step, as executed'),
    withoutTeacher: z
      .literal(true)
      .optional()
      .describe('true if a teacher ran beside the graph, whose work and memory are not counted'),
    recomputedFlops: flops
      .optional()
      .describe('the part of stepFlops that was spent on computing again instead of keeping'),
    studentFlops: flops.optional(),
    teacherFlops: flops.optional(),
    bytesMoved: bytes.optional(),
    operators: z
      .partialRecord(z.enum(parts), z.partialRecord(z.enum(phases), whole))
      .optional()
      .describe('operators that a step runs, by part and phase'),
    planned: z
      .strictObject({
        residentBytes: bytes.describe('what stays between two steps'),
        peakBytes: bytes.describe('the most that lives at one time'),
        runtimePeakBytes: bytes
          .optional()
          .describe(
            'the most that lives at one time as the runtime orders operators and reuses memory; absent if that is not known',
          ),
        peakSplit: z
          .strictObject({
            parametersBytes: bytes,
            optimizerBytes: bytes,
            activationsBytes: bytes,
            teacherBytes: bytes,
            dataBytes: bytes,
          })
          .describe('adds up to peakBytes'),
      })
      .optional(),
  })
  .describe('read off the graph, the same on every machine')

const memory = z
  .strictObject({
    source: z
      .enum(['step', 'process'])
      .optional()
      .describe(
        'whether the peak is that of a step, or of the whole process where the system counts no other',
      ),
    baselineRssBytes: bytes.describe('with runtime and data loaded, before the step is compiled'),
    residentRssBytes: bytes.optional().describe('between two steps'),
    peakRssBytes: bytes.describe("median over steps of the process's own high-water mark"),
    tensorPeakBytes: bytes
      .optional()
      .describe(
        'the greatest sum of all tensors in a step, counted by the backend; absent if the runtime makes tensors of its own',
      ),
    unexplainedBytes: z
      .int()
      .optional()
      .describe(
        'bytes by which the peak over the baseline exceeds 1.15 times planned.runtimePeakBytes and 10 MiB; negative: falls below planned.runtimePeakBytes divided by 1.15 less 10 MiB; absent if neither',
      ),
    peakSamplesRssBytes: z
      .array(bytes)
      .min(1)
      .optional()
      .describe('the high-water mark of each step'),
    sampledPeakRssBytes: bytes
      .optional()
      .describe('the most that was seen from outside over the whole trial, at intervals'),
    deviceResidentBytes: bytes.optional(),
    devicePeakBytes: bytes.optional(),
  })
  .describe('measured')

const energy = z
  .strictObject({
    source: z.enum(['rapl', 'nvidia']).describe('counters of the CPU packages, or the GPU driver'),
    joulesPerStep: z.number().nonnegative(),
    watts: z.number().nonnegative().describe('mean over the timed steps'),
  })
  .describe('of the whole device, others who use it included; absent where it cannot be read')

const embeddings = z
  .strictObject({
    seconds,
    images: whole,
    bytes: bytes.describe(
      'size of the file; of its numbers alone if extrapolated, or in records of version 3 and before',
    ),
    relativeError: z
      .number()
      .nonnegative()
      .optional()
      .describe(
        'mean over rows: length of the difference between stored and computed embedding, by that of the latter; absent if the store is float32',
      ),
    cosine: z
      .number()
      .min(-1)
      .max(1.000001)
      .optional()
      .describe(
        'mean cosine between stored and computed embedding; absent if the store is float32',
      ),
    extrapolated: z
      .boolean()
      .optional()
      .describe('true where only a few batches were run and seconds was computed from them'),
  })
  .describe('the one-time cost of running the teacher over the images and keeping the result')

const curves = z.strictObject({
  loss: curve,
  epochs: z.array(
    z.strictObject({
      epoch: count,
      trainLoss: z.number(),
      testAccuracy: share.optional(),
      validationAccuracy: share.optional(),
      knnAccuracy: share
        .optional()
        .describe(
          'k-nearest-neighbour accuracy of the held-out images, or of the test images if none are held out',
        ),
      seconds,
      steps: count.optional().describe('since the start of training, at the end of the epoch'),
    }),
  ),
})

const checkpoint = z
  .strictObject({
    epoch: count,
    chosenOn: z
      .enum(['held-out', 'test'])
      .describe('held-out: images of the training split that the student never trains on'),
    images: count.describe('number of these images'),
    accuracy: share.describe('accuracy on these images'),
  })
  .describe('the epoch whose parameters are the result, and the images whose accuracy chose it')

const embeddingAccuracy = z
  .strictObject({
    images: count.describe('number of training images that neighbours and the probe come from'),
    k: count.describe('number of neighbours'),
    knn: share.describe('accuracy of a vote of the k nearest training images by cosine similarity'),
    linearProbe: share.describe('accuracy of logistic regression on the embeddings'),
  })
  .describe("of the chosen checkpoint's embeddings, on the test split")

const testResults = z
  .strictObject({
    dataset: text.describe('digest of the data set: results of equal images alone are compared'),
    images: count.describe('number of leading images of the test split'),
    correct: z.base64().describe('one bit for each image, 1 if it was classified correctly'),
  })
  .describe('result of the chosen checkpoint on each test image')

const searched = z
  .strictObject({
    seed: whole.describe('seed of the search, which no result has'),
    trials: z
      .array(
        z.strictObject({
          id: text,
          values: z.partialRecord(z.enum(SEARCHED_AXES), z.number()),
          accuracy: share
            .optional()
            .describe('accuracy on the held-out images; absent if the trial did not finish'),
        }),
      )
      .min(1)
      .describe('one of them has the values of this trial, which were the best'),
  })
  .describe('the search that chose the hyperparameters of this trial')

const lossScale = z
  .strictObject({
    last: z.number().positive(),
    skippedSteps: whole.describe('not taken, since their gradients were not finite'),
  })
  .describe('after the last step, with mixed precision')

const graph = z.strictObject({ digest: text.optional().describe('of the step as core prints it') })

/** One benchmark record. Every rule that JSON Schema cannot say is in the refinement at its end. */
export const recordSchema = z
  .strictObject({
    schemaVersion: z.literal(SCHEMA_VERSION),
    id: text.describe('hash of the trial and of the benchmark version; a sweep resumes by it'),
    benchmarkVersion: text,
    trial: trialSchema,
    status: z.enum(STATUSES),
    reason: text.optional().describe('why the status is not ok'),
    lastWords: z.string().optional().describe('last output of the child process'),
    warnings: z.array(text).optional().describe('for example: another process used the GPU'),
    costOnly: z
      .boolean()
      .describe('time and memory are meant, accuracy is not (random teacher, few steps)'),
    startedAt: z.iso.datetime(),
    wallSeconds: seconds,
    environment,
    rerunCommand: text.optional().describe('shell command that runs this one trial again'),
    time: time.optional(),
    roofline: roofline.optional(),
    cost: cost.optional(),
    memory: memory.optional(),
    energy: energy.optional(),
    embeddings: embeddings.optional(),
    curves: curves.optional(),
    lossScale: lossScale.optional(),
    accuracy: share.optional().describe('of the chosen checkpoint, on the test split'),
    embeddingAccuracy: embeddingAccuracy.optional(),
    checkpoint: checkpoint.optional(),
    testResults: testResults.optional(),
    searched: searched.optional(),
    graph: graph.optional(),
  })
  .superRefine((record, context) => {
    const complain = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (record.status !== 'ok' && record.reason === undefined) {
      complain(['reason'], `a record of status ${record.status} must give its reason`)
    }
    const { epochs, imagesSeen, steps, purpose } = record.trial
    if ([epochs, imagesSeen, steps].filter((length) => length !== undefined).length !== 1) {
      complain(['trial'], 'exactly one of epochs, imagesSeen and steps must be given')
    }
    if (purpose === 'search' && record.accuracy !== undefined) {
      complain(['accuracy'], 'must be absent: a search does not look at the test split')
    }
    const { method, methodModule } = record.trial
    if (isMethod(method) === (methodModule !== undefined)) {
      const message = methodModule
        ? `${method} comes with embed-kd and has no module`
        : `give one of ${METHODS.join(', ')}, or the module of a method as methodModule`
      complain(['trial', 'method'], message)
    }
    const { teacher } = record.trial
    const kinds = [teacher, ...(teacher?.members ?? [])].map((each) => each?.kind)
    if (kinds.includes('random') && !record.costOnly) {
      complain(['costOnly'], 'must be true: the teacher has random weights')
    }
    if (record.costOnly && record.accuracy !== undefined) {
      complain(['accuracy'], 'must be absent: the record is cost-only')
    }
  })

export type BenchRecord = z.infer<typeof recordSchema>
export type Environment = BenchRecord['environment']
/** Name of a method, which a module of a user's may define. */
export type Method = string
export type Preset = (typeof PRESETS)[number]
export type Status = (typeof STATUSES)[number]

/** The schema as JSON Schema (draft 2020-12), for tools in other languages. */
export function recordJsonSchema(): object {
  return { title: 'embed-kd benchmark record', ...z.toJSONSchema(recordSchema) }
}
