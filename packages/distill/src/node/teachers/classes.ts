// Which of a teacher's scores belongs to which class of a data set: classes are matched by name, as people write them, never by
// position if both sides have names.
import { UserError } from '@embed-kd/core'

/** Names that say nothing but their position, as transformers writes them for models without labels. */
const isPlaceholder = (name: string, label: number): boolean =>
  name === `LABEL_${label}` || name === `${label}`

/**
 * Position of each class of the data set among the teacher's scores.
 * @param teacher for errors.
 * @returns undefined if the order is the same, or one side has no names.
 * @throws UserError if a class has no counterpart, or more than one.
 */
export function classOrder(
  teacher: string,
  teacherNames: readonly string[] | undefined,
  datasetNames: readonly string[] | undefined,
): number[] | undefined {
  if (!teacherNames?.length || !datasetNames?.length) return undefined
  if (teacherNames.every(isPlaceholder) || datasetNames.every(isPlaceholder)) return undefined
  const spelled = teacherNames.map(spellings)
  const order = datasetNames.map((name) => {
    const own = spellings(name)
    const found = spelled.flatMap((theirs, label) =>
      own.some((s) => theirs.includes(s)) ? [label] : [],
    )
    if (found.length === 1) return found[0]!
    throw new UserError(
      found.length === 0
        ? `the class ${JSON.stringify(name)} of the data set is none of those that ${teacher} scores (${list(teacherNames)})`
        : `the class ${JSON.stringify(name)} of the data set could be ${list(found.map((label) => teacherNames[label]!))} of ${teacher}`,
      'give the classes the same names in the data set and in id2label of config.json',
    )
  })
  const twice = order.findIndex((label, i) => order.indexOf(label) !== i)
  if (twice >= 0)
    throw new UserError(
      `the classes ${JSON.stringify(datasetNames[order.indexOf(order[twice]!)])} and ${JSON.stringify(datasetNames[twice])} of the data set are both ${JSON.stringify(teacherNames[order[twice]!])} of ${teacher}`,
      'give each class a name of its own',
    )
  return order.every((label, i) => label === i) ? undefined : order
}

/** `n01440764 Tench, Tinca_tinca` is `n01440764`, `tench` and `tinca tinca`: the synset, and each of the synonyms. */
function spellings(name: string): string[] {
  const [, synset, rest = name] = /^\s*(n\d{8})(?![0-9a-z])[\s_:,-]*(.*)$/i.exec(name) ?? []
  const words = rest
    .split(',')
    .map((word) =>
      word
        .normalize('NFKC')
        .toLowerCase()
        .replace(/[\s_\-.]+/g, ' ')
        .trim(),
    )
    .filter((word) => word !== '')
  const whole = words.length > 1 ? [words.join(', ')] : []
  return [...(synset ? [synset.toLowerCase()] : []), ...whole, ...words]
}

const list = (names: readonly string[]): string =>
  names
    .slice(0, 4)
    .map((name) => JSON.stringify(name))
    .join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : '')

/** Rows of `columns` values with their columns in another order. */
export function reorderColumns(values: Float32Array, order: readonly number[]): Float32Array {
  const columns = order.length
  return values.map((_, i) => values[i - (i % columns) + order[i % columns]!]!)
}
