// Distils a student into a directory: trains it, and exports it as safetensors and ONNX with a summary.
import { join } from 'node:path'

import {
  flattenTree,
  isParameterSpec,
  methodDefinition,
  methodName,
  modelParameters,
  presets,
  sizeOf,
  unlabelledMethods,
  UserError,
  type Backend,
  type MethodDefinition,
} from '@embed-kd/core'

import { findStudent, studentModel, type StudentConfig } from '../../models/students.js'
import type { Classification } from '../../training/classification.js'
import { stepDefaults } from '../../training/config.js'
import type { MethodChoice } from '../../training/teacher.js'
import type { Dataset } from '../data/dataset.js'
import { isLabelled, requireLabels } from '../data/labels.js'
import type { ModelInput } from '../data/input.js'
import { storedTeacherAccuracy } from '../embeddings/metadata.js'
import { writeJson } from '../files/output-file.js'
import type { ModuleReference } from '../files/user-module.js'
import type { Encoder, EncoderChoice } from '../teachers/encoder.js'
import { mirrorEmbeddings } from '../objects/mirror.js'
import { openEncoder } from '../teachers/open.js'
import { resolveLocalTeacher } from '../teachers/resolve.js'
import { parseTeacherSet } from '../teachers/teacher-set.js'
import { exportOnnxModel, exportSafetensors, type TrainedModel } from './export.js'
import {
  describeLoading,
  fetchPretrained,
  initialWeights,
  pretrainedModel,
} from './initial-weights.js'
import { loadMethod } from './method.js'
import { checkOnnx, type OnnxCheck } from './onnx-check.js'
import {
  namesOf,
  openDataset,
  requireOptions,
  runSettings,
  withBackend,
  type RunOptions,
} from './options.js'
import { runTraining, type RunResult } from './run.js'
import { openSignal, type TeacherFile } from './signal.js'
import { splitRun } from './splits.js'
import { findCheckpoint, teacherAccuracy } from './teacher-directory.js'

export interface DistillOptions extends RunOptions, EncoderChoice {
  /** Name of a method, the path of a module that exports one, or a definition (default: `embed-kd`). */
  readonly method?: string | MethodChoice | undefined
  /**
   * Path of a file of embeddings, for methods that take centroids or samples. Several teachers have commas between their files,
   * each with a weight after an @ if it is not 1: `clip.safetensors,dino.safetensors@0.5`.
   */
  readonly embeddings?: string | undefined
  /** Directory of a checkpoint, ONNX file or name on the hub, for methods with a live teacher; or a file of embeddings. */
  readonly teacher?: string | undefined
  /** Name or description of the student (default: `paper`). */
  readonly student?: string | undefined
  /** Directory or hub name of a pretrained vision transformer whose weights the student starts from, instead of `student`. */
  readonly init?: string | undefined
  /** Side of the student's input in pixels with `init` (default: the checkpoint's). */
  readonly initSize?: number | undefined
  /** Probability that an attention weight is dropped in training (default: 0.1). */
  readonly dropout?: number | undefined
  /** Whether the exported ONNX model takes pixels from 0 to 1 and normalises them itself. */
  readonly normaliseInside?: boolean | undefined
}

/** The result of a distillation, as summary.json has it. */
export interface DistillSummary {
  readonly method: string
  /** The module of a method that does not come with the library. */
  readonly method_module?: ModuleReference
  readonly preset: string
  readonly precision: string
  readonly dataset: string
  readonly dataset_digest: string
  /** Absent, as the other accuracies and `test`, if the student learned without labels. */
  readonly test_accuracy?: number
  /** Accuracy of guessing the most frequent class of the test split. */
  readonly chance_accuracy?: number
  /** Test accuracy of the teacher, if known. */
  readonly teacher_accuracy?: number
  /** The teachers, if there are several, each with the weight of its loss and its test accuracy if known. */
  readonly teachers?: readonly {
    readonly name: string
    readonly weight: number
    readonly accuracy?: number
  }[]
  readonly steps: number
  readonly loss_scale?: { readonly last: number; readonly skipped_steps: number }
  readonly best_epoch: number
  readonly epochs: RunResult['progress']['epochs']
  readonly test?: Classification
  readonly onnx: OnnxCheck
}

export interface Distilled {
  readonly summary: DistillSummary
  /** Path of the exported ONNX model. */
  readonly onnxFile: string
  readonly classNames: readonly string[]
}

const silent = () => {}

/**
 * Distils a student: trains it into `out`, and writes `student/`, `student-onnx/` and `summary.json` there.
 * @throws UserError if options do not go together; InterruptedError if the signal is aborted.
 */
export async function distill(given: DistillOptions): Promise<Distilled> {
  requireOptions(given, 'dataset', 'out')
  const local = await withLocalEmbeddings(given)
  const options = local.labels === 0 ? { ...local, labels: false as const } : local
  return withBackend(options, async (backend) => {
    const { tell = silent, report = silent, signal: abort } = options
    const {
      student = 'paper',
      dropout = 0.1,
      normaliseInside = false,
      out,
      init,
      initSize,
    } = options
    const settings = runSettings(options)
    const { method: choice = 'embed-kd' } = options
    const { definition: method, module } =
      typeof choice === 'string'
        ? await loadMethod(choice)
        : { definition: methodDefinition(choice) }
    const found = findStudent(student)
    const embeddings = embeddingsOf(options)
    refuseIdle(options, embeddings)
    const dataset = await openDataset(options, tell)
    const classes = classesOf(options, dataset, method)
    const { channels } = dataset
    let model: StudentConfig
    let initial: ReturnType<typeof initialWeights> | undefined
    if (init === undefined) model = studentModel(found, { channels, classes }, dropout)
    else {
      await fetchPretrained(init, tell)
      model = pretrainedModel(init, { channels, classes, size: initSize, dropout })
      initial = initialWeights(init, model, dataset.statistics, initSize)
      tell(describeLoading(init, model))
    }
    const encoder =
      embeddings === undefined ? await encoderOf(options, backend, dataset) : undefined
    const signal = await openSignal({
      method,
      dataset,
      augmentation: options.augment,
      embeddings,
      // Centroids of the file know no labels that the student may not see.
      ...(typeof options.labels !== 'number'
        ? {}
        : { subset: splitRun(dataset, settings, silent).training }),
      encoder,
    })
    let result: RunResult
    try {
      const title =
        `student ${init ?? student} (${countParameters(model).toLocaleString('en')} parameters), ` +
        `method ${methodName(method)}, teacher: ${options.embeddings ?? options.teacher ?? 'none'}, ${backend.name}`
      const observer = { report, tell, signal: abort }
      result = await runTraining(
        backend,
        { ...settings, dataset, model, initial, title, methodDigest: module?.digest },
        signal,
        observer,
      )
    } finally {
      await signal.dispose()
    }
    const trained: TrainedModel = {
      model,
      parameters: result.parameters,
      input: inputOf(dataset),
      classNames: classes === undefined ? [] : namesOf(dataset),
    }
    const { test, progress, steps, lossScale } = result
    const origin = {
      method: methodName(method),
      preset: settings.preset ?? stepDefaults.preset,
      precision: settings.precision ?? stepDefaults.precision,
      dataset: dataset.name,
      dataset_digest: dataset.digest,
      ...(test ? { test_accuracy: test.accuracy } : {}),
    }
    exportSafetensors(join(out, 'student'), trained, origin)
    const onnxFile = exportOnnxModel(join(out, 'student-onnx'), trained, normaliseInside)
    const summary: DistillSummary = {
      ...origin,
      ...(module ? { method_module: module } : {}),
      ...(test ? { chance_accuracy: chanceAccuracy(test) } : {}),
      ...describeTeachers(options, embeddings, dataset),
      steps,
      ...(lossScale
        ? { loss_scale: { last: lossScale.last, skipped_steps: lossScale.skippedSteps } }
        : {}),
      best_epoch: progress.bestEpoch,
      epochs: progress.epochs,
      ...(test ? { test } : {}),
      onnx: await checkOnnx(backend, onnxFile, trained, dataset, normaliseInside),
    }
    writeJson(join(out, 'summary.json'), summary)
    return { summary, onnxFile, classNames: trained.classNames }
  })
}

/**
 * Returns the number of classes that the student learns; undefined if it learns without labels.
 * @throws UserError if the method needs labels, and there are none or they are not to be used.
 */
function classesOf(
  { labels, patience }: DistillOptions,
  dataset: Dataset,
  method: MethodDefinition,
): number | undefined {
  if (typeof labels === 'number') requireLabels(dataset, '--labels', 'leave out --labels')
  const others = `choose a method that needs none: ${unlabelledMethods.join(', ')}`
  if (labels !== false && isLabelled(dataset)) return dataset.classes
  if (method.needsLabels) {
    requireLabels(dataset, methodName(method), others)
    throw new UserError(
      `${methodName(method)} needs class labels, but --no-labels trains without them`,
      `leave out --no-labels, or ${others}`,
    )
  }
  if (patience !== undefined)
    throw new UserError(
      '--patience waits for a better accuracy, which training without labels does not have',
      'leave out --patience',
    )
  return undefined
}

/** Describes the teacher, or several, with the test accuracy on the data set that a directory or a file of embeddings tells. */
function describeTeachers(
  { teacher }: DistillOptions,
  embeddings: string | readonly TeacherFile[] | undefined,
  { digest }: Dataset,
): Pick<DistillSummary, 'teacher_accuracy' | 'teachers'> {
  if (typeof embeddings === 'object')
    return {
      teachers: embeddings.map(({ name, weight = 1, file }) => {
        const accuracy = storedTeacherAccuracy(file, digest)
        return { name, weight, ...(accuracy === undefined ? {} : { accuracy }) }
      }),
    }
  const known =
    embeddings === undefined
      ? teacher && teacherAccuracy(findCheckpoint(teacher), digest)
      : storedTeacherAccuracy(embeddings, digest)
  return typeof known === 'number' ? { teacher_accuracy: known } : {}
}

/** Replaces the addresses of embeddings in an object store by the paths of their copies. */
async function withLocalEmbeddings(options: DistillOptions): Promise<DistillOptions> {
  const local = async (words: string | undefined) => {
    let text = words
    for (const [address] of words?.matchAll(ADDRESSES) ?? [])
      text = text!.replace(address, await mirrorEmbeddings(address, { warn: options.tell }))
    return text
  }
  const { embeddings, teacher } = options
  return { ...options, embeddings: await local(embeddings), teacher: await local(teacher) }
}

/** Addresses among files that have commas between them, and may have a weight after an @. */
const ADDRESSES = /(?<=^|,)s3:\/\/[^,@]+/g

/**
 * Returns the file of embeddings of a distillation, which `teacher` may name too, or the files of several teachers.
 * @throws UserError if `embeddings` and `teacher` both name one.
 */
function embeddingsOf({
  embeddings,
  teacher,
}: DistillOptions): string | readonly TeacherFile[] | undefined {
  const ofTeacher = teacher === undefined ? undefined : filesNamedBy(teacher)
  if (ofTeacher === undefined) return embeddings === undefined ? undefined : filesIn(embeddings)
  if (embeddings === undefined) return ofTeacher
  throw new UserError(
    `${teacher} and ${embeddings} are both files of embeddings`,
    'give one of them',
  )
}

/** Returns the file, or the files of several teachers, that `--embeddings` says. */
function filesIn(embeddings: string): string | readonly TeacherFile[] {
  const set = parseTeacherSet(embeddings, ',')
  return set.length === 0 ? embeddings : set.map(({ word, ...part }) => ({ ...part, file: word }))
}

/** Returns the files that `--teacher` says; undefined if the teacher is a model. */
function filesNamedBy(teacher: string): string | readonly TeacherFile[] | undefined {
  const files = filesIn(teacher)
  const [first] = typeof files === 'string' ? [teacher] : files.map(({ file }) => file)
  if (resolveLocalTeacher(first!)?.kind === 'embeddings') return files
  if (typeof files === 'string') return undefined
  throw new UserError(
    `${first} is one of several teachers, but no file of embeddings`,
    'make files of embeddings with embed-kd embed, and give them with --embeddings',
  )
}

/** Options of a live teacher, by the flag that sets them. */
const encoderFlags = {
  imageSize: '--image-size',
  onnxFile: '--onnx-file',
  output: '--output',
  pooling: '--pooling',
} as const satisfies Partial<Record<keyof DistillOptions, string>>

/** @throws UserError if an option is given that changes nothing, as the one that it belongs to is not. */
function refuseIdle(options: DistillOptions, embeddings: ReturnType<typeof embeddingsOf>): void {
  const refuse = (flag: string, owner: string): never => {
    throw new UserError(`${flag} has no meaning without ${owner}`, `leave out ${flag}`)
  }
  if (options.initSize !== undefined && options.init === undefined) refuse('--init-size', '--init')
  if (options.teacher !== undefined && embeddings === undefined) return
  for (const [name, flag] of Object.entries(encoderFlags))
    if (options[name as keyof typeof encoderFlags] !== undefined) refuse(flag, 'a live teacher')
}

/** Opens the live teacher of a distillation; undefined if there is none. */
async function encoderOf(
  options: DistillOptions,
  backend: Backend,
  dataset: Dataset,
): Promise<Encoder | undefined> {
  const { teacher, preset = stepDefaults.preset } = options
  if (teacher === undefined) return undefined
  return openEncoder(findCheckpoint(teacher), {
    ...options,
    backend,
    source: dataset,
    batch: options.batch ?? stepDefaults.batch,
    temperature: presets[preset].temperature,
  })
}

const countParameters = (model: StudentConfig): number =>
  [...flattenTree(modelParameters(model), isParameterSpec).values()].reduce(
    (sum, { shape }) => sum + sizeOf(shape),
    0,
  )

/** Returns the share of the most frequent class: the accuracy of a classifier that looks at no image. */
export const chanceAccuracy = ({ confusion, images }: Classification): number =>
  Math.max(...confusion.map((row) => row.reduce((sum, count) => sum + count, 0))) / images

/** Returns the preprocessing that the student was trained with. */
const inputOf = (dataset: Dataset): ModelInput => {
  const { channels, height, width, statistics } = dataset
  return { channels, height, width, ...statistics, fit: 'resize' }
}
