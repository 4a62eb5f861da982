// What is known of a trial's teacher before anything runs: its sizes, its digest, and whether a method can use it.
import {
  embeddingWidth,
  methodDefinition,
  methodName,
  parameterCount,
  UserError,
  vitParameters,
  type ClassifierConfig,
  type TeacherNeed,
  type ViTConfig,
} from '@embed-kd/core'

import { checkAnchors, type AnchorControl } from '../../embeddings/anchors.js'
import { noAugmentation, type Augmentation } from '../../images/augment.js'
import type { RowContent } from '../../embeddings/embeddings.js'
import { contentOf, type MethodChoice } from '../../training/teacher.js'
import { squareImages } from '../data/feed.js'
import type { Dataset } from '../data/dataset.js'
import { describeEmbeddings, type EmbeddingFacts } from '../embeddings/describe.js'
import { describeAugmentation } from '../embeddings/metadata.js'
import { requireSameOrigin } from '../embeddings/same-origin.js'
import { digestFiles } from './checkpoint.js'
import { describeHfTeacher } from './hf.js'
import type { NamedTeacher } from './named.js'
import { scoreOrder } from './scores.js'
import { shortTeacherName } from './resolve.js'
import type { TeacherWord } from './teacher-set.js'

export interface TeacherFacts {
  /** Name without the path, for records. */
  readonly name: string
  readonly kind: NamedTeacher['kind']
  readonly place: NamedTeacher['place']
  /** Width of the embeddings. */
  readonly width: number
  /** Model that runs in the training graph; absent if none does. */
  readonly model?: ViTConfig | ClassifierConfig
  /** Number of classes it scores; absent if it only embeds. */
  readonly classes?: number
  /** Names of those classes in the order of their scores, if they are known. */
  readonly classNames?: readonly string[]
  /** Height of the images it sees, in pixels. */
  readonly imageSize?: number
  /** Side of a patch, in pixels. */
  readonly patch?: number
  readonly parameterCount?: number
  /** SHA-256 of its files; absent before a sweep has trained it, and for random weights. */
  readonly digest?: string
  /** Value that differs whenever the embedding of an image may differ. */
  readonly identity: unknown
  /** Contents of a file of embeddings. */
  readonly stored?: Omit<EmbeddingFacts, 'width' | 'digest' | 'teacher'>
  /** Each of several teachers, whose widths and parameters the other fields count together. */
  readonly members?: readonly TeacherMember[]
}

/** One of several teachers: its word, name and weight, and its facts. */
export interface TeacherMember extends TeacherWord {
  readonly facts: TeacherFacts
}

/**
 * Describes the teacher of a data set's trials. An ONNX model is opened and run on two images; nothing else runs.
 * @param tell receives lines for the user, such as which preprocessing is used.
 * @throws UserError if its files cannot be used, or belong to other data.
 */
export async function describeTeacher(
  teacher: NamedTeacher,
  dataset: Dataset,
  tell?: (message: string) => void,
): Promise<TeacherFacts> {
  if (teacher.place === 'stored') return describeSeveral(teacher.members, dataset, tell)
  const { place, kind } = teacher
  const name = shortTeacherName(teacher.name)
  if (teacher.place === 'graph') {
    const { channels, size } = squareImages(dataset)
    const model = teacher.model({ channels, size, classes: dataset.classes })
    const described =
      teacher.directory === undefined ? undefined : describeHfTeacher(teacher.directory)
    const digest = described && (await digestFiles(described.weightFiles))
    return {
      name,
      kind,
      place,
      ...modelFacts(model),
      model,
      ...(described ? { classNames: described.classNames } : {}),
      ...(digest === undefined ? {} : { digest }),
      identity: { model, training: teacher.training, weights: digest },
    }
  }
  if (teacher.place === 'file') {
    const {
      width,
      digest,
      teacher: size,
      ...stored
    } = await describeEmbeddings(teacher.file, dataset)
    // Rows of which the file does not say that they are embeddings may be scores.
    const classes =
      stored.kind === 'samples' && stored.content !== 'embeddings' ? { classes: width } : {}
    const identity = { embeddings: digest }
    return { name, kind, place, ...size, width, ...classes, digest, identity, stored }
  }
  const { source } = teacher
  if (source.kind === 'checkpoint') {
    const { model, input, preprocessing, classNames, weightFiles } = describeHfTeacher(
      source.directory,
      { source: dataset },
    )
    tell?.(`${name}: preprocessing: ${preprocessing}`)
    const digest = await digestFiles(weightFiles)
    const identity = { model, input, weights: digest }
    return { name, kind, place, ...modelFacts(model), classNames, digest, identity }
  }
  const { OnnxEncoder } = await import('./onnx-encoder.js')
  const encoder = await OnnxEncoder.open(source.file, {
    source: dataset,
    batch: 2,
    ...(tell
      ? { tell: (line) => tell(line.startsWith(source.file) ? line : `${name}: ${line}`) }
      : {}),
  })
  await encoder.dispose()
  const { width, classes, classNames, input, digest, pooling } = encoder
  return {
    name,
    kind,
    place,
    width,
    ...(classes === undefined ? {} : { classes }),
    ...(classNames ? { classNames } : {}),
    imageSize: input.height,
    ...(encoder.parameterCount === undefined ? {} : { parameterCount: encoder.parameterCount }),
    digest,
    identity: { input, pooling, model: digest },
  }
}

/** Describes several teachers. @throws UserError if files of embeddings are of different data. */
async function describeSeveral(
  members: Extract<NamedTeacher, { kind: 'several' }>['members'],
  dataset: Dataset,
  tell?: (message: string) => void,
): Promise<TeacherFacts> {
  requireSameOrigin(members.flatMap(({ teacher }) => ('file' in teacher ? [teacher.file] : [])))
  const found: TeacherMember[] = []
  for (const { teacher, ...word } of members)
    found.push({ ...word, facts: await describeTeacher(teacher, dataset, tell) })
  const counts = found.map(({ facts }) => facts.parameterCount)
  return {
    name: found
      .map(({ facts, weight }) => (weight === 1 ? facts.name : `${facts.name}@${weight}`))
      .join(' + '),
    kind: 'several',
    place: 'stored',
    width: found.reduce((sum, { facts }) => sum + facts.width, 0),
    ...(counts.every((count) => count !== undefined)
      ? { parameterCount: counts.reduce((sum, count) => sum + count, 0) }
      : {}),
    identity: found.map(({ facts, weight }) => ({ teacher: facts.identity, weight })),
    members: found,
  }
}

const modelFacts = (model: ViTConfig | ClassifierConfig) => ({
  width: embeddingWidth(model),
  ...('classes' in model ? { classes: model.classes } : {}),
  imageSize: model.imageSize,
  patch: model.patchSize,
  parameterCount: parameterCount(vitParameters(model)),
})

/** The settings of a trial that a teacher may not suit. */
export interface TeacherUse {
  readonly augmentation: Augmentation
  /** Vectors of each class, if others than one are asked for. */
  readonly prototypes?: number | undefined
  /** Control in place of the teacher's centroids. */
  readonly anchors?: AnchorControl | undefined
  /** How embeddings of single images are stored, if other than float32 is asked for. */
  readonly store?: string | undefined
  /** Share of the training images whose labels the student may see; all if absent. */
  readonly labels?: number | undefined
}

/** Checks that a method can learn from a teacher. @throws UserError that names what was found. */
export function checkTeacher(
  method: MethodChoice,
  { name, width, classes, classNames, stored, members }: TeacherFacts,
  dataset: Pick<Dataset, 'classes' | 'classNames'>,
  use: TeacherUse,
): void {
  const { teacher: need, takes } = methodDefinition(method)
  const who = methodName(method)
  if (members) {
    if (need === 'live')
      throw new UserError(
        `${who} learns from one teacher that sees each batch, but ${name} are several`,
        'give one teacher, or choose a method that takes stored embeddings, such as embed-kd or cached-kd',
      )
    for (const { facts } of members) checkTeacher(method, facts, dataset, use)
    return
  }
  if (stored && need !== 'none') {
    const problem = fileProblems[need](stored, { ...use, content: contentOf(method) })
    if (problem)
      throw new UserError(
        `${who} needs ${problem.needs}, but ${name} ${problem.has}`,
        problem.remedy,
      )
  }
  if (need === 'centroids' && use.anchors) {
    const prototypes = stored?.prototypes ?? use.prototypes ?? 1
    checkAnchors({ classes: dataset.classes, prototypes, width }, use.anchors)
  }
  if (takes === 'probabilities') scoreOrder(who, { name, classes, classNames }, dataset)
}

interface Problem {
  readonly needs: string
  readonly has: string
  readonly remedy: string
}
type Stored = NonNullable<TeacherFacts['stored']>

/** Returns why a file of embeddings does not suit a method, by the teacher that the method needs; undefined if it does. */
const fileProblems: Readonly<
  Record<
    Exclude<TeacherNeed, 'none'>,
    (stored: Stored, use: TeacherUse & { readonly content: RowContent }) => Problem | undefined
  >
> = {
  live: () => ({
    needs: 'a teacher that sees each batch',
    has: 'is a file of embeddings',
    remedy:
      'give the teacher itself, or choose a method that takes embeddings, such as embed-kd or cached-kd',
  }),
  samples: (
    { kind, content: rows, augmentation: seen, store: found = 'float32' },
    { content, augmentation, store },
  ) => {
    if (rows !== undefined && rows !== content)
      return {
        needs:
          content === 'scores' ? 'the class scores of each image' : 'an embedding of each image',
        has: rows === 'scores' ? 'has class scores' : 'has embeddings',
        remedy: `make the file with embed-kd embed --kind ${content === 'scores' ? 'scores' : 'samples'}`,
      }
    if (kind === 'centroids')
      return {
        needs: 'an embedding for each image',
        has: 'has one for each class',
        remedy: 'make the file with embed-kd embed --kind samples, or choose embed-kd',
      }
    if (store !== undefined && store !== found)
      return {
        needs: `embeddings in the store ${store}`,
        has: `has them in ${found}`,
        remedy: `leave out --store, or make the file with embed-kd embed --store ${store}`,
      }
    if (isSame(seen!, augmentation)) return undefined
    return {
      needs: `embeddings of images with ${describeAugmentation(augmentation)}`,
      has: `has them of images with ${describeAugmentation(seen!)}`,
      remedy: 'give the --augment that the file was made with, or make another with embed-kd embed',
    }
  },
  centroids: ({ kind, augmentation: seen, prototypes: found, ofThisData }, use) => {
    const { prototypes, labels } = use
    if (kind === 'samples')
      return isSame(seen!, noAugmentation)
        ? undefined
        : {
            needs: 'embeddings of plain images',
            has: `has them of images with ${describeAugmentation(seen!)}`,
            remedy: 'make the file without --augment, or choose cached-kd',
          }
    if (prototypes !== undefined && prototypes !== found)
      return {
        needs: `${prototypes} vectors of each class`,
        has: `has ${found}`,
        remedy: `leave out --prototypes, or make the file with embed-kd embed --prototypes ${prototypes}`,
      }
    if (labels !== undefined && ofThisData)
      return {
        needs: 'centroids of the labelled images alone',
        has: 'has centroids of more',
        remedy: 'give the teacher itself or a file with an embedding for each image',
      }
    return undefined
  },
}

const isSame = (a: Augmentation, b: Augmentation): boolean =>
  a.flip === b.flip && a.cropPadding === b.cropPadding
