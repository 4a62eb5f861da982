// From configurations to a plan: each trial with its identity, its description for the record, and its work. Nothing is measured
// here.
import { parameterCount, studentSpecs, unlabelledMethods, UserError } from '@embed-kd/core'
import { parseAugmentation } from '@embed-kd/distill'
import type { Trial } from '@embed-kd/records'

import {
  checkTeacher,
  describePretrained,
  describeTeacher,
  fetchPretrained,
  findTeacher,
  hashOf,
  isLabelled,
  isNamed,
  requireLabels,
  resolveBackend,
  resolveTeacher,
  squareImages,
  teacherWords,
  type Dataset,
  type PretrainedStudent,
  type ResolvedBackend,
  type SingleTeacher,
  type TeacherFacts,
} from '@embed-kd/distill/node'
import { methodOf } from '../axes/methods.js'
import { givenAxes, optionOf } from '../axes/table.js'
import {
  dataOf,
  evaluatedImages,
  isCostOnly,
  loadTrialData,
  runsBeside,
  splitsOf,
  stepsPerEpoch,
  trainConfigOf,
  usesLabels,
  type DataFacts,
  type DataObserver,
  type TrialConfig,
} from '../trial/config.js'
import { loadPlannedModules } from '../trial/planned-modules.js'
import type { TrialJob } from '../trial/protocol.js'
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

/** Returns the field of a job that tells the width of the teacher's embeddings. */
export function widthOf({ data: { teacher } }: PlannedTrial): Pick<TrialJob, 'embeddingWidth'> {
  if (!teacher) return {}
  const { members, width } = teacher
  const widths = members?.map(({ name, facts }) => [name, facts.width] as const)
  return { embeddingWidth: widths ? Object.fromEntries(widths) : width }
}

export interface PlanOptions {
  /** Whether to assume the shapes of missing data and checkpoints. Such a plan is for estimates alone. */
  readonly assumeMissing?: boolean
  /** Receives lines for the user, such as which preprocessing a teacher has. */
  readonly tell?: (message: string) => void
  /** Receives the progress of decoding, which the first plan of a data set may have to wait for. */
  readonly data?: DataObserver
}

/** @throws UserError or DatasetError if a trial is not possible. */
export async function planTrials(
  given: readonly TrialConfig[],
  options: PlanOptions = {},
): Promise<PlannedTrial[]> {
  const { assumeMissing = false } = options
  const tell = options.tell && onlyOnce(options.tell)
  const backends = new Map<string, ResolvedBackend>()
  for (const spec of new Set(given.map(({ backend }) => backend)))
    backends.set(spec, await resolveBackend(spec))
  const asked = (assumeMissing ? given.map(assumeTeacher) : given).map((config) => ({
    ...config,
    backendModule: backends.get(config.backend)!.module,
  }))
  for (const config of asked) await loadPlannedModules(config)
  const datasets = await openData(asked, options)
  const labelled = asked.map((config) => withLabels(config, datasets.get(dataKey(config))!))
  const pretrained = new Map<string, PretrainedStudent>()
  for (const config of labelled) {
    const key = pretrainedKey(config)
    const { init, initSize: size, dropout } = config
    if (init === undefined || pretrained.has(key)) continue
    await fetchPretrained(init, tell)
    const { channels, classes } = datasets.get(dataKey(config))!
    const start = { channels, classes: usesLabels(config) ? classes : undefined, size, dropout }
    const found = await describePretrained(init, start)
    tell?.(found.loading)
    pretrained.set(key, found)
  }
  // The checkpoint has the sizes of a student that starts from it.
  const configs = labelled.map((config) => ({
    ...config,
    student: pretrained.get(pretrainedKey(config))?.student ?? config.student,
  }))
  const teachers = new Map<string, TeacherFacts>()
  for (const config of configs) {
    const { method, teacher, augment = 'none', prototypes, anchors, labels, store } = config
    if (teacher === undefined) continue
    const key = teacherKey(config)
    const dataset = datasets.get(dataKey(config))!
    const facts = teachers.get(key) ?? (await factsOf(teacher, dataset, tell))
    teachers.set(key, facts)
    const use = { augmentation: parseAugmentation(augment), prototypes, anchors, labels, store }
    checkTeacher(methodOf(method), facts, dataset, use)
  }
  // Tracing large graphs takes a while.
  const works = new Map<string, TrialWork>()
  return configs.map((config) => {
    const dataset = datasets.get(dataKey(config))!
    const splits = splitsOf(dataset, config)
    const { train, poolSize, test } = splits
    const teacher = teachers.get(teacherKey(config))
    const data: DataFacts = {
      images: squareImages(dataset),
      ...(usesLabels(config) ? { classes: dataset.classes } : {}),
      trainImages: train.indices.length,
      ...(teacher ? { teacher } : {}),
    }
    // Throws if a batch cannot be filled.
    stepsPerEpoch(config, data.trainImages)
    const testImages = test.indices.length
    if (config.purpose === 'search' && isCostOnly(config))
      throw new UserError(
        `a search cannot judge ${config.method} by accuracy: the teacher ${config.teacher} has random weights`,
        'choose a teacher that has learnt something, or leave out --search',
      )
    const key = workKey(config)
    const work = works.get(key) ?? trialWork(config, data, evaluatedImages(splits, config))
    works.set(key, work)
    const backend = backends.get(config.backend)!.name
    const init = pretrained.get(pretrainedKey(config))
    const description = describe(config, data, dataset, { testImages, poolSize }, backend, init)
    const id = identityOf(config, data, dataset, backend, init)
    return { id, config, description, data, work }
  })
}

/** Several sets of teachers may have a teacher in common, whose preprocessing is told once. */
function onlyOnce(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>()
  return (message) => {
    if (!told.has(message)) tell(message)
    told.add(message)
  }
}

/**
 * Returns a configuration in which a data set without labels is learnt without labels.
 * @throws UserError if the trial needs labels, and there are none or none are to be used.
 */
function withLabels(config: TrialConfig, dataset: Dataset): TrialConfig {
  if (!isLabelled(dataset)) {
    if (config.labels !== undefined && config.labels !== 0)
      requireLabels(dataset, '--labels', 'leave out --labels')
    if (config.knn !== undefined) requireLabels(dataset, '--knn', 'leave out --knn')
    if (config.teacher !== undefined && findTeacher(config.teacher).kind === 'trained')
      requireLabels(dataset, `teacher ${config.teacher}`, 'bring a teacher along')
  } else if (usesLabels(config)) return config
  const others = `choose a method that needs none: ${unlabelledMethods.join(', ')}`
  if (methodOf(config.method).needsLabels) {
    requireLabels(dataset, config.method, others)
    throw new UserError(
      `${config.method} needs class labels, but --labels none trains without them`,
      `give other --labels, or ${others}`,
    )
  }
  if (config.purpose === 'search')
    throw new UserError(
      'a search chooses by accuracy, which training without labels does not have',
      'leave out --search',
    )
  return { ...config, labels: 0 }
}

/** Opens the data of all trials, each once. @throws DatasetError */
export async function openData(
  configs: readonly TrialConfig[],
  { assumeMissing = false, data }: PlanOptions,
): Promise<Map<string, Dataset>> {
  const datasets = new Map<string, Dataset>()
  for (const config of configs) {
    const key = dataKey(config)
    if (datasets.has(key)) continue
    const assumed = assumeMissing ? assumeDataset(config.dataset) : undefined
    datasets.set(key, assumed ?? (await loadTrialData(config, data)))
  }
  return datasets
}

/** Returns a key that trials of the same work share: they differ in the seed, or in numbers of the loss and the optimizer. */
const workKey = ({ kdWeight, search: _search, ...config }: TrialConfig): string =>
  JSON.stringify({
    ...config,
    seed: 0,
    backend: '',
    learningRate: 0,
    weightDecay: 0,
    distils: kdWeight !== 0,
  })

const dataKey = (config: TrialConfig): string => JSON.stringify(dataOf(config))

const pretrainedKey = (config: TrialConfig): string =>
  JSON.stringify([config.init, config.initSize, usesLabels(config), dataKey(config)])

const teacherKey = (config: TrialConfig): string =>
  JSON.stringify([config.teacher, dataKey(config)])

async function factsOf(
  name: string,
  dataset: Dataset,
  tell: PlanOptions['tell'],
): Promise<TeacherFacts> {
  // Models of the hub are downloaded once, before any trial looks for them in the cache.
  const words = teacherWords(name).map(({ word }) => word)
  for (const word of words.length === 0 ? [name] : words)
    if (!isNamed(word)) await resolveTeacher(word, tell ? { tell } : {})
  return describeTeacher(findTeacher(name), dataset, tell)
}

/** Returns the identity of a trial. Paths are no part of the identity: the digests of the files there are. */
function identityOf(
  config: TrialConfig,
  { teacher }: DataFacts,
  dataset: Dataset,
  backend: string,
  init: PretrainedStudent | undefined,
): string {
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
    ...(init ? { init: init.digest, student: { ...config.student, name: '' } } : {}),
    dataset: dataset.digest,
    teacher: teacher?.identity,
  })
}

/** Returns `images:photos` for `images:/data/photos`: the directories above belong to one machine. */
const withoutDirectories = (name: string): string =>
  name.replace(/(?<=^[a-z0-9]+:)(?:[A-Za-z]:)?[/\\](?:.*[/\\])?/, '')

/**
 * Returns what files of centroids say themselves of what they were made of, if all teachers have such files; what several say
 * alike.
 */
function describeCentroids(
  stored: readonly TeacherFacts['stored'][],
): Pick<Trial, 'centroidImages' | 'prototypes'> {
  const files = stored.flatMap((facts) => (facts?.kind === 'centroids' ? [facts] : []))
  if (files.length < stored.length) return {}
  const common = (values: readonly (number | undefined)[]) =>
    values.every((value) => value === values[0]) ? values[0] : undefined
  const prototypes = common(files.map((file) => file.prototypes)) ?? 1
  return {
    centroidImages: common(files.map((file) => file.perClass)),
    ...(prototypes > 1 ? { prototypes } : {}),
  }
}

/** Returns what a record tells of a teacher, or of one of several. */
const describeFacts = (teacher: TeacherFacts) => ({
  name: teacher.name,
  parameterCount: teacher.parameterCount,
  imageSize: teacher.imageSize,
  patch: teacher.patch,
  embeddingWidth: teacher.width,
  digest: teacher.digest,
})

/** Returns a trial as its record describes it: each axis, with the facts behind names. */
function describe(
  config: TrialConfig,
  data: DataFacts,
  dataset: Dataset,
  { testImages, poolSize }: { readonly testImages: number; readonly poolSize?: number | undefined },
  backend: string,
  init: PretrainedStudent | undefined,
): Trial {
  const { teacher: _name, init: _path, ...axes } = config
  const trainConfig = trainConfigOf(config, data)
  const { teacher } = data
  const { stored, members } = teacher ?? {}
  return {
    ...axes,
    ...describeCentroids(members?.map(({ facts }) => facts.stored) ?? [stored]),
    ...storeOf(config, members?.map(({ facts }) => facts.stored) ?? [stored]),
    backend,
    ...(init ? { init: { name: init.student.name, digest: init.digest } } : {}),
    ...(teacher
      ? {
          teacher: {
            ...describeFacts(teacher),
            kind: teacher.kind,
            ...(runsBeside(config) ? { place: 'beside' as const } : {}),
            ...(members
              ? {
                  members: members.map(({ facts, weight }) => ({
                    ...describeFacts(facts),
                    kind: facts.kind as SingleTeacher['kind'],
                    weight,
                  })),
                }
              : {}),
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

/** Returns the store of files that a user gave, if it is one: a file says itself how it is stored. */
function storeOf(
  { method }: TrialConfig,
  files: readonly TeacherFacts['stored'][],
): Pick<Trial, 'store'> {
  const [store, ...others] = new Set(files.map((stored) => stored?.store))
  const isSaid = methodOf(method).teacher === 'samples' && others.length === 0
  return !isSaid || store === undefined || store === 'float32' ? {} : { store }
}
