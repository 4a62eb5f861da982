// The students that can be trained: four by name, others described in a few words. What they compute is in core.
import { guess, UserError, type ClassifierConfig, type ViTConfig } from '@embed-kd/core'

/** The model of a student: a classifier, or an encoder that learns without labels. */
export type StudentConfig = ClassifierConfig | ViTConfig

/** Sizes of a vision transformer that is trained as a student. */
export interface Student {
  readonly name: string
  /** Side of the square input in pixels; other images are resized. */
  readonly imageSize: number
  /** Side of a patch in pixels; divides `imageSize`. */
  readonly patch: number
  /** Width of the embeddings. */
  readonly width: number
  /** Number of blocks. */
  readonly layers: number
  /** Number of attention heads; divides `width`. */
  readonly heads: number
}

/**
 * Students by name. `paper` is the paper's student (section 4), which the paper also trains at 64 px; `small-32` has the same
 * patches at a quarter of the width; `small` suits CPUs.
 */
export const students: readonly Student[] = [
  { name: 'small', imageSize: 28, patch: 14, width: 64, layers: 3, heads: 4 },
  { name: 'small-32', imageSize: 32, patch: 4, width: 64, layers: 4, heads: 4 },
  { name: 'paper', imageSize: 32, patch: 4, width: 256, layers: 6, heads: 8 },
  { name: 'paper-64', imageSize: 64, patch: 4, width: 256, layers: 6, heads: 8 },
]

/** How another student is described, for help texts and errors. */
export const STUDENT_EXAMPLE = 'vit:width=128,layers=4,heads=4,patch=4,image=32'

/** Sizes in a description, by the field of a student that each one sets. */
const fieldOf = {
  width: 'width',
  layers: 'layers',
  heads: 'heads',
  patch: 'patch',
  image: 'imageSize',
} as const satisfies Record<string, keyof Student>

/**
 * Finds a student by its name, or reads its description, such as `vit:width=128,layers=4,heads=4,patch=4,image=32`.
 * @throws UserError if there is no such name, or the description is incomplete.
 */
export function findStudent(text: string): Student {
  const student = students.find(({ name }) => name === text)
  if (student) return student
  if (text.startsWith('vit:')) return parseStudent(text)
  throw new UserError(
    `unknown student "${text}"`,
    `${guess(
      text,
      students.map((s) => s.name),
    )}choose one of ${students.map(({ name }) => name).join(', ')}, or describe one as ${STUDENT_EXAMPLE}`,
  )
}

function parseStudent(text: string): Student {
  const remedy = `write it as ${STUDENT_EXAMPLE}`
  const sizes = new Map<string, number>()
  for (const part of text.slice('vit:'.length).split(',')) {
    const [, key, digits] = /^(\w+)=(\d+)$/.exec(part.trim()) ?? []
    if (key === undefined || !(key in fieldOf) || Number(digits) < 1)
      throw new UserError(`student ${text}: "${part}" is not a size`, remedy)
    if (sizes.has(key)) throw new UserError(`student ${text} has two sizes named ${key}`, remedy)
    sizes.set(key, Number(digits))
  }
  const absent = Object.keys(fieldOf).filter((key) => !sizes.has(key))
  if (absent.length > 0) throw new UserError(`student ${text} lacks ${absent.join(', ')}`, remedy)
  const fields = Object.entries(fieldOf).map(([key, field]) => [field, sizes.get(key)!])
  return { name: text, ...(Object.fromEntries(fields) as Omit<Student, 'name'>) }
}

/**
 * Returns the model of a student for images of `channels` channels: a classifier, or an encoder if there are no classes.
 * @param dropout probability that an attention weight is dropped.
 * @throws UserError if a patch does not divide the image, or the heads do not divide the width.
 */
export function studentModel(
  student: Student,
  data: { readonly channels: number; readonly classes: number },
  dropout: number,
): ClassifierConfig
export function studentModel(
  student: Student,
  data: { readonly channels: number; readonly classes: number | undefined },
  dropout: number,
): StudentConfig
export function studentModel(
  { name, imageSize, patch, width, layers, heads }: Student,
  { channels, classes }: { readonly channels: number; readonly classes: number | undefined },
  dropout: number,
): StudentConfig {
  const problem =
    imageSize % patch !== 0
      ? `patches of ${patch} pixels do not divide images of ${imageSize}`
      : width % heads !== 0
        ? `${heads} heads do not divide the width ${width}`
        : undefined
  if (problem) throw new UserError(`student ${name}: ${problem}`, 'change these sizes')
  return {
    imageSize,
    patchSize: patch,
    channels,
    width,
    layers,
    heads,
    ...(classes === undefined ? {} : { classes }),
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout: dropout,
  }
}
