// From configurations to a plan: each trial with its identity, its description for the record, and its work; and the
// part of a plan that one shard runs. Nothing is measured here.
import { embeddingWidth, parameterCount, studentSpecs, vitParameters } from '@embed-kd/core'
import type { Trial } from '@embed-kd/records'

import { resolveBackend, type ResolvedBackend } from '@embed-kd/distill/node'
import type { Dataset } from '@embed-kd/distill/node'
import { findTeacher, resolveTeacher, teachers } from '@embed-kd/distill/node'
import { hashOf } from '@embed-kd/distill/node'
import { describeHfTeacher, digestFiles } from '@embed-kd/distill/node'
import { givenAxes, optionOf } from '../axes/table.js'
import {
  evaluatedImages,
  loadTrialData,
  splitsOf,
  stepsPerEpoch,
  teacherModelOf,
  teacherOf,
  trainConfigOf,
  type DataFacts,
  type TrialConfig,
} from '../trial/config.js'
import { loadPlannedModules } from '../trial/planned-modules.js'
import { squareImages } from '@embed-kd/distill/node'
import { assumeDataset, assumeTeacher } from './assume.js'
import { trialWork, type TrialWork } from './work.js'

/** Part of every trial's identity. Raise it when a change of the code changes what is measured or how. */
export const BENCHMARK_VERSION = '3'

export interface PlannedTrial {
  /** Hash of everything that the trial's result depends on, except the machine. */
  readonly id: string
  readonly config: TrialConfig
  readonly description: Trial
  readonly data: DataFacts
  readonly work: TrialWork
}

export interface PlanOptions {
  /** Whether to assume the shapes of missing data and checkpoints. Such a plan is for estimates alone. */
  readonly assumeMissing?: boolean
}

/** @throws UserError or DatasetError if a trial is not possible. */
export async function planTrials(
  given: readonly TrialConfig[],
  { assumeMissing = false }: PlanOptions = {},
): Promise<PlannedTrial[]> {
  const backends = new Map<string, ResolvedBackend>()
  for (const spec of new Set(given.map(({ backend }) => backend)))
    backends.set(spec, await resolveBackend(spec))
  const configs = (assumeMissing ? given.map(assumeTeacher) : given).map((config) => ({
    ...config,
    backendModule: backends.get(config.backend)!.module,
  }))
  for (const config of configs) await loadPlannedModules(config)
  const datasets = new Map<string, Dataset>()
  for (const config of configs) {
    const key = dataKey(config)
    if (!datasets.has(key))
      datasets.set(
        key,
        (assumeMissing && assumeDataset(config.dataset)) || (await loadTrialData(config)),
      )
  }
  const digests = await checkpointDigests(configs)
  // Trials that differ in the seed alone have the same work, and tracing large graphs takes a while.
  const works = new Map<string, TrialWork>()
  return configs.map((config) => {
    const dataset = datasets.get(dataKey(config))!
    const splits = splitsOf(dataset, config)
    const { train, poolSize, test } = splits
    const data: DataFacts = {
      images: squareImages(dataset),
      classes: dataset.classes,
      trainImages: train.indices.length,
    }
    // Throws if a batch cannot be filled.
    stepsPerEpoch(config, data.trainImages)
    const testImages = test.indices.length
    const unseeded = JSON.stringify({ ...config, seed: 0, backend: '' })
    const work = works.get(unseeded) ?? trialWork(config, data, evaluatedImages(splits, config))
    works.set(unseeded, work)
    const backend = backends.get(config.backend)!.name
    const digest = digests.get(config.teacher)
    const description = describe(config, data, dataset, { testImages, poolSize }, backend, digest)
    return {
      id: identityOf(config, data, dataset, backend, digest),
      config,
      description,
      data,
      work,
    }
  })
}

const dataKey = ({ dataset, dataSize }: TrialConfig): string => JSON.stringify([dataset, dataSize])

/** Returns the digest of the weights of each checkpoint, by the teacher's name. */
async function checkpointDigests(
  configs: readonly TrialConfig[],
): Promise<Map<string | undefined, string>> {
  const digests = new Map<string | undefined, string>()
  for (const name of new Set(configs.map(({ teacher }) => teacher))) {
    if (name === undefined) continue
    // Models of the hub are downloaded once, before any trial looks for them in the cache.
    if (!teachers.some((known) => known.name === name)) await resolveTeacher(name)
    const { directory } = findTeacher(name)
    if (directory !== undefined)
      digests.set(name, await digestFiles(describeHfTeacher(directory).weightFiles))
  }
  return digests
}

/** Returns the identity of a trial. Paths are no part of the identity: the digests of the files there are. */
function identityOf(
  config: TrialConfig,
  data: DataFacts,
  dataset: Dataset,
  backend: string,
  weights: string | undefined,
): string {
  const teacher = teacherOf(config)
  const whereAbsent = Object.fromEntries(
    givenAxes.flatMap((name) => {
      const { inIdentity } = optionOf(name)
      return inIdentity === undefined ? [] : [[name, inIdentity]]
    }),
  )
  return hashOf({
    benchmarkVersion: BENCHMARK_VERSION,
    ...whereAbsent,
    ...config,
    ...(config.backendModule ? { backend, backendModule: config.backendModule.digest } : {}),
    methodModule: config.methodModule?.digest,
    dataset: dataset.digest,
    teacher: teacher && {
      model: teacherModelOf(teacher, data),
      training: teacher.training,
      weights,
    },
  })
}

/** Returns `images:photos` for `images:/data/photos`: the directories above belong to one machine. */
const withoutDirectories = (name: string): string =>
  name.replace(/(?<=^[a-z0-9]+:)(?:[A-Za-z]:)?[/\\](?:.*[/\\])?/, '')

/** Returns a trial as its record describes it: each axis, with the facts behind names. */
function describe(
  config: TrialConfig,
  data: DataFacts,
  dataset: Dataset,
  { testImages, poolSize }: { readonly testImages: number; readonly poolSize?: number | undefined },
  backend: string,
  weights: string | undefined,
): Trial {
  const { teacher: _name, ...axes } = config
  const trainConfig = trainConfigOf(config, data)
  const teacher = teacherOf(config)
  const model = teacher && teacherModelOf(teacher, data)
  return {
    ...axes,
    backend,
    ...(teacher && model
      ? {
          teacher: {
            name: teacher.name,
            kind: teacher.kind,
            parameterCount: parameterCount(vitParameters(model)),
            imageSize: model.imageSize,
            patch: model.patchSize,
            embeddingWidth: embeddingWidth(model),
            ...(weights === undefined ? {} : { digest: weights }),
          },
          kdWeight: trainConfig.settings.kdWeight,
        }
      : {}),
    student: { ...config.student, parameterCount: parameterCount(studentSpecs(trainConfig)) },
    dataset: {
      name: withoutDirectories(dataset.name),
      classes: dataset.classes,
      trainSize: data.trainImages,
      ...(poolSize === undefined ? {} : { poolSize }),
      testSize: testImages,
      digest: dataset.digest,
    },
  }
}

/**
 * Returns the trials of shard `index` (from 1) of `count`, in the order of the plan. Shards are the same on every machine and
 * have about the same FLOPs: the largest trial goes first, each to the shard that has least (Graham 1969).
 */
export function shardOf(
  trials: readonly PlannedTrial[],
  { index, count }: { readonly index: number; readonly count: number },
): PlannedTrial[] {
  const loads = new Array<number>(count).fill(0)
  const mine = new Set<PlannedTrial>()
  const largestFirst = trials.toSorted(
    (a, b) => b.work.flops - a.work.flops || (a.id < b.id ? -1 : 1),
  )
  for (const trial of largestFirst) {
    const lightest = loads.indexOf(Math.min(...loads))
    loads[lightest]! += trial.work.flops
    if (lightest === index - 1) mine.add(trial)
  }
  return trials.filter((trial) => mine.has(trial))
}
