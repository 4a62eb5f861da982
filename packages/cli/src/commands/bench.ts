// `embed-kd bench`: a sweep, from its configuration to records and a report.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { describeTrial, reportPieces, type SearchSpace } from '@embed-kd/records'
import { Command } from 'commander'

import { UserError, messageOf } from '@embed-kd/core'
import { defaultCacheDirectory, isObjectAddress, writeOutputFile } from '@embed-kd/distill/node'
import { formatBytes, formatTable } from '@embed-kd/records/terminal'
import { requireAvailable } from '@embed-kd/bench'
import {
  expandGrids,
  gridFields,
  lengthAxes,
  parseGrids,
  SEARCH_SEED,
  sweepJsonSchema,
  type Grid,
} from '@embed-kd/bench'
import { findMaxBatches } from '@embed-kd/bench'
import { loadMethods } from '@embed-kd/bench'
import { openData, planSweep, planTrials, shardOf, type PlannedTrial } from '@embed-kd/bench'
import { Preparations } from '@embed-kd/bench'
import { findProfile, profiles } from '@embed-kd/bench'
import { runSweep, type SweepResult } from '@embed-kd/bench'
import { readRecords, RecordStore } from '@embed-kd/bench'
import { summaryTables } from '@embed-kd/bench'
import type { Progress } from '@embed-kd/distill'
import { addGridAxes } from './axis-options.js'
import { observeData } from './data-options.js'
import { openPlace, type SweepPlace } from './bench-place.js'
import { printPlan } from './bench-plan.js'
import { parseSearch, searchedNames } from './search-option.js'
import { addLimitOptions, count, limitsOf, shard, whole, type LimitOptions } from './options.js'
import { reportPage } from '../report-page.js'
import { ProgressDisplay } from '../progress.js'

interface BenchOptions extends LimitOptions {
  readonly profile?: string
  readonly config?: string
  readonly epochs?: readonly number[]
  readonly imagesSeen?: readonly number[]
  readonly steps?: readonly number[]
  readonly search?: SearchSpace
  readonly out?: string
  readonly cache?: string
  readonly resume?: boolean
  readonly shard?: { index: number; count: number }
  readonly dryRun?: boolean
  readonly findMaxBatch?: boolean
  readonly schema?: boolean
  readonly json?: boolean
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .option(
      '--profile <name>',
      `named sweep to run: ${Object.keys(profiles).join(', ')} (default: ${DEFAULT_PROFILE}, or none with --epochs, --images-seen or --steps)`,
    )
    .option(
      '--config <file>',
      'JSON file that describes the sweep, or - for standard input; see --schema (default: none)',
    )
    .option(
      '--out <dir>',
      'directory of records and report, or s3://BUCKET/DIR (default: results/PROFILE, or results/custom)',
    )
    .option(
      '--cache <dir>',
      "directory in which trained teachers and embeddings are kept (default: cache in --out, or in the user's cache)",
    )
    .option(
      '--resume',
      'keep the records in --out and run only trials without one (default: set them aside)',
    )
    .option(
      '--shard <i/n>',
      'run only part I of N parts of equal work, which embed-kd merge puts together (default: 1/1)',
      shard,
    )
    .option('--dry-run', 'print the trials with estimates of time and memory, and stop')
    .option('--find-max-batch', 'print the largest batch that fits within --memory-limit, and stop')
    .option('--schema', 'print the JSON Schema of configuration files, and stop')
    .option('--json', 'print the result as JSON')
  addGridAxes(command)
    .option('--no-labels', 'train students without labels and without a classifier: --labels none')
    .option(
      '--seeds <n>',
      'number of repetitions of each configuration, each with another seed (default: 1)',
      count,
    )
    .option('--first-seed <n>', 'seed of the first repetition (default: 0)', whole)
    .option(
      '--search <axis=list>',
      `values of a hyperparameter (${searchedNames.join(', ')}) among which the best one is chosen for each method; repeatable (default: none)`,
      parseSearch,
    )
  return addLimitOptions(command).addHelpText('after', HELP).action(bench)
}

const DEFAULT_PROFILE = 'quick'

const profileList = Object.entries(profiles)
  .map(([name, { description }]) => `  ${name.padEnd(6)} ${description}`)
  .join('\n')

const HELP = `
Axes take one value or several with commas between them, and the sweep runs every combination. Beside --profile or --config, an
axis replaces the values there; the defaults above are those of axes that neither gives.

Memory: --micro-batch adds up the gradients of parts of a batch. The step is that of the whole batch (with other dropout masks),
for the activations of one part. --rematerialise elementwise recomputes cheap results, for a few per cent more time; blocks
recomputes all results inside transformer blocks, for about a third more time.

Precision: mixed-float16 computes the matrix products of training steps in float16, with float32 parameters and a scaled loss.
Steps whose gradients are not finite are skipped. Choose it on devices that are faster at float16; CPUs save neither time nor
memory.

Search: --search tries the same values for each method with seed ${SEARCH_SEED}, judged on held-out training images. The results then
run with the best values of each method.

Profiles:
${profileList}

Examples:
  embed-kd bench --profile quick
  embed-kd bench --profile cost --dry-run
  embed-kd bench --profile paper --backend ort:cuda --dataset cifar100:/data/cifar-100-binary \\
    --teacher hf:/models/vit-base-patch16-224,hf:/models/vit-large-patch16-224 --out results/paper
  embed-kd bench --method embed-kd,teacher-kd --teacher vit-base-16 --batch 16,64 --steps 10 --out results/base
  embed-kd bench --dataset cifar10:data/cifar-10-batches-bin --student paper --teacher trained-m --epochs 20 --seeds 3
  embed-kd bench --labels 1%,10%,100% --images-seen 100k --seeds 5 --search learning-rate=3e-4,1e-3,3e-3 --search kd-weight=1,5
  embed-kd bench --dataset images:photos --data-size 64 --student paper-64 --teacher encoder.onnx --method embed-kd,teacher-kd --epochs 20
  embed-kd bench --dataset images:photos --method cosine-kd,rkd,phi-s --teacher encoder.onnx --no-labels --epochs 20
  embed-kd bench --method embed-kd --teacher facebook/dinov2-small --anchors teacher,shuffled,orthogonal,one-hot --epochs 20 --seeds 3
  embed-kd bench --backend ./my-backend.js:gpu --method supervised --steps 20
  embed-kd bench --method embed-kd,./my-method.js --epochs 5
  embed-kd bench --profile cost --out results/cost --shard 2/8 --resume
  embed-kd bench --profile cost --out s3://runs/cost --shard 2/8 --resume
  embed-kd bench --method embed-kd --student paper --batch 16,64,256 --rematerialise none,elementwise,blocks --steps 3
  embed-kd bench --method embed-kd --student paper --batch 64,1024 --micro-batch 64 --steps 3
  embed-kd bench --method supervised,embed-kd --precision float32,mixed-float16 --epochs 1
  embed-kd bench --find-max-batch --memory-limit 4G --teacher vit-base-16 --student paper --steps 1
`

async function bench(options: BenchOptions): Promise<void> {
  if (options.schema) {
    process.stdout.write(`${JSON.stringify(sweepJsonSchema(), null, 2)}\n`)
    return
  }
  if (options.findMaxBatch) return findMaxBatch(options)
  const display = new ProgressDisplay()
  const configs = expandGrids(await gridsOf(options))
  const all = await observeData(display, 'reading data', (data) =>
    planTrials(configs, {
      assumeMissing: options.dryRun ?? false,
      data,
      tell: (line) => display.line(line),
    }),
  )
  const trials = options.shard ? shardOf(all, options.shard) : all
  if (options.dryRun)
    return printPlan(trials, {
      cacheDirectory: cacheDirectoryOf(options),
      timeoutSeconds: options.timeout,
      json: options.json ?? false,
    })

  const { shard, resume = false } = options
  const place = await openPlace(outOf(options), { shard, resume })
  const store = RecordStore.open(place.directory, {
    ...(shard ? { shard } : {}),
    resume,
  })
  if (store.setAside) display.line(`earlier records are kept in ${store.setAside}`)
  if (store.recovered) display.line(`${store.file}: a torn last line was cut off`)
  const stop = stopOnSignal(display)
  try {
    const result = await runSweep({
      trials,
      store,
      cacheDirectory: cacheDirectoryOf(options),
      limits: { ...limitsOf(options), signal: stop.signal },
      listener: display,
      onRecord: place.onRecord,
    })
    await finish(result, trials, store, place, options)
  } finally {
    stop.release()
    store.close()
  }
}

const givesLength = (options: BenchOptions): boolean =>
  lengthAxes.some((name) => options[name] !== undefined)

/** Whether the command line is a grid of its own: it gives a length and no profile. */
const isOwnGrid = (options: BenchOptions): boolean =>
  options.profile === undefined && givesLength(options)

/** Returns the name of the directory of results. */
const nameOf = (options: BenchOptions): string =>
  options.config !== undefined || isOwnGrid(options)
    ? 'custom'
    : (options.profile ?? DEFAULT_PROFILE)

const outOf = (options: BenchOptions): string => options.out ?? join('results', nameOf(options))

function cacheDirectoryOf(options: BenchOptions): string {
  const out = outOf(options)
  const beside = isObjectAddress(out) ? join(defaultCacheDirectory(), 'sweeps') : join(out, 'cache')
  return resolve(options.cache ?? beside)
}

/** Returns the grids of profile, file or command line. Axes of the command line replace those of profile and file. */
async function gridsOf(options: BenchOptions): Promise<Grid[]> {
  if (options.profile !== undefined && options.config !== undefined)
    throw new UserError('both --profile and --config were given', 'give one of them')
  const given = Object.fromEntries(
    Object.entries(options)
      .filter(([key]) => gridFields.includes(key))
      .map(([key, values]) => [key, key === 'labels' && values === false ? [0] : values]),
  )
  const base = (): { grids: readonly object[]; source: string } => {
    if (options.config !== undefined) return readConfig(options.config)
    if (isOwnGrid(options)) return { grids: [{}], source: 'the command line' }
    const name = options.profile ?? DEFAULT_PROFILE
    return { grids: findProfile(name).grids, source: `profile ${name}` }
  }
  const { grids, source } = base()
  const replaced: readonly string[] = [
    ...(givesLength(options) ? lengthAxes : []),
    ...Object.keys(options.search ?? {}),
  ]
  const merged = grids.map((grid) => ({
    ...Object.fromEntries(Object.entries(grid).filter(([field]) => !replaced.includes(field))),
    ...given,
  }))
  const parsed = parseGrids({ grids: merged }, source)
  await loadMethods(parsed.flatMap(({ method = [] }) => method.map(String)))
  return parsed
}

function readConfig(file: string): { grids: readonly object[]; source: string } {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'))
  } catch (error) {
    throw new UserError(
      `${file} cannot be read as JSON (${messageOf(error)})`,
      'give a file such as {"grids": [{"method": ["embed-kd"], "steps": 10}]}',
    )
  }
  const grids = (value as { grids?: unknown } | null)?.grids
  if (!Array.isArray(grids) || grids.some((grid) => typeof grid !== 'object' || grid === null))
    throw new UserError(
      `${file} has no list "grids" of objects`,
      'give a file such as {"grids": [{"method": ["embed-kd"], "steps": 10}]}',
    )
  return { grids: grids as object[], source: file === '-' ? 'standard input' : file }
}

/** Ends the sweep and kills the running trial at the first Ctrl-C; a second Ctrl-C ends this process at once. */
function stopOnSignal(display: ProgressDisplay) {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(130)
    display.line('stopping; press Ctrl-C again to stop at once')
    controller.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop)
  return {
    signal: controller.signal,
    release: () => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop)
    },
  }
}

async function finish(
  { records, interrupted, storeError }: SweepResult,
  trials: readonly PlannedTrial[],
  store: RecordStore,
  place: SweepPlace,
  { json }: BenchOptions,
): Promise<void> {
  const mine = trials.flatMap(({ id }) => store.records.get(id) ?? [])
  const { searches, results } = planSweep(trials)
  const count = searches.length + results.length
  const counted = new Map<string, number>()
  for (const { status } of mine) counted.set(status, (counted.get(status) ?? 0) + 1)
  let error = storeError
  let report: string | undefined
  try {
    // An earlier run may have failed to send the last record.
    if (mine.length > 0) await place.onRecord?.()
    if (mine.length > 0) report = await place.publish(writeReport(place.directory))
  } catch (reportError) {
    error ??= reportError
  }
  if (json)
    process.stdout.write(
      `${JSON.stringify({
        records: place.records,
        report,
        trials: count,
        ran: records.length,
        statuses: Object.fromEntries(counted),
        interrupted,
      })}\n`,
    )
  else {
    const summary = summaryTables(mine)
    if (summary !== '') process.stdout.write(`${summary}\n\n`)
    const statuses = [...counted].map(([status, n]) => `${n} ${status}`).join(', ')
    process.stdout.write(`${mine.length} of ${count} trials have a record: ${statuses}\n`)
    process.stdout.write(`records: ${place.records}\n`)
    if (interrupted && !error)
      process.stdout.write('interrupted: the same command with --resume goes on\n')
    if (report) process.stdout.write(`report: ${report}\n`)
  }
  // What was measured is printed by now.
  if (error) throw error
  if (interrupted) process.exitCode = 130
  else if (mine.some(({ status }) => status === 'error') || !counted.has('ok')) process.exitCode = 1
}

/** Writes the report of all records in the directory, those of other shards and earlier runs included. Returns its name. */
function writeReport(directory: string): string {
  const name = 'report.html'
  writeOutputFile(join(directory, name), reportPieces(reportPage(), readRecords(directory)))
  return name
}

/** Prints the largest batch of each configuration. The search leaves no records. */
async function findMaxBatch(options: BenchOptions): Promise<void> {
  if (options.memoryLimit === undefined)
    throw new UserError(
      'a search for the largest batch has no limit to keep',
      'give --memory-limit, for example 4G',
    )
  const display = new ProgressDisplay()
  // The search sets the batch; until then, any batch of several micro-batches will do.
  const grids = (await gridsOf(options)).flatMap((grid) =>
    (grid.microBatch ?? [undefined]).map((images) => ({
      ...grid,
      microBatch: images === undefined ? undefined : [images],
      search: undefined,
      batch: [2 * Number(images ?? 1)],
    })),
  )
  const configs = expandGrids(grids)
  await observeData(display, 'reading data', (data) => openData(configs, { data }))
  const stop = stopOnSignal(display)
  const report = (progress: Progress) => display.update(progress)
  const onStart = (what: string) => display.begin(what)
  const limits = { ...limitsOf(options), signal: stop.signal }
  const cacheDirectory = cacheDirectoryOf(options)
  const preparations = new Preparations({ cacheDirectory, limits, report, onStart })
  await requireAvailable(
    configs.map((config) => ({ config })),
    limits,
    display,
  )
  const found = await findMaxBatches(configs, preparations, limits, onStart, report)
  display.end()
  stop.release()
  if (options.json) {
    const rows = found.map(({ trial: { description, work }, result, measured }) => ({
      trial: { ...description, batch: undefined },
      maxBatch: result.batch,
      attempts: result.attempts,
      plannedPeakBytes: work.peakBytes,
      memory: measured?.memory,
      time: measured?.time,
    }))
    process.stdout.write(
      `${JSON.stringify({ memoryLimitBytes: options.memoryLimit, configurations: rows })}\n`,
    )
    return
  }
  const table = formatTable(
    ['configuration', 'largest batch', 'planned peak', 'measured peak', 'images/s', 'tried'],
    found.map(({ trial: { description, work }, result, measured }) => [
      describeTrial(description),
      `${result.batch ?? 'none'}`,
      formatBytes(work.peakBytes),
      measured ? formatBytes(measured.memory!.peakRssBytes) : '-',
      measured ? measured.time!.imagesPerSecond.toFixed(0) : '-',
      `${result.attempts.length}`,
    ]),
  )
  process.stdout.write(`${table}\nwithin ${formatBytes(options.memoryLimit)} of a process\n`)
}
