// The result of a classifier on labelled images: its accuracy and its confusion matrix.

/** Result of a classifier on labelled images. */
export interface Classification {
  readonly images: number
  readonly accuracy: number
  /** Number of images by [true class][predicted class]. */
  readonly confusion: readonly (readonly number[])[]
  /** Share of each class's images that are classified correctly; null for a class without images. */
  readonly classAccuracy: readonly (number | null)[]
}

/** Compares labels with predictions of the same images. */
export function classification(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): Classification {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (let i = 0; i < labels.length; i++) confusion[labels[i]!]![predictions[i]!]!++
  const right = confusion.reduce((sum, row, label) => sum + row[label]!, 0)
  return {
    images: labels.length,
    accuracy: right / labels.length,
    confusion,
    classAccuracy: confusion.map((row, label) => {
      const images = row.reduce((sum, count) => sum + count, 0)
      return images === 0 ? null : row[label]! / images
    }),
  }
}

/** Formats a confusion matrix with a row for each true class; for more than 20 classes, only the worst confusions. */
export function formatConfusion(
  { confusion }: Classification,
  classNames: readonly string[] = [],
): string {
  const name = (label: number) => classNames[label] ?? `${label}`
  if (confusion.length > 20) {
    const worst = confusion
      .flatMap((row, label) => row.map((count, other) => ({ label, other, count })))
      .filter(({ label, other, count }) => label !== other && count > 0)
      .sort((a, b) => b.count - a.count)
      .slice(0, 10)
    return worst
      .map(({ label, other, count }) => `${name(label)} taken for ${name(other)}: ${count}`)
      .join('\n')
  }
  const names = confusion.map((_, label) => name(label))
  const wide = Math.max(...names.map(({ length }) => length))
  const cell = Math.max(5, ...confusion.flat().map((count) => `${count}`.length + 1))
  const head = ' '.repeat(wide) + names.map((n) => n.slice(0, cell - 1).padStart(cell)).join('')
  const rows = confusion.map(
    (row, label) =>
      names[label]!.padEnd(wide) + row.map((count) => `${count}`.padStart(cell)).join(''),
  )
  return [head, ...rows].join('\n')
}
