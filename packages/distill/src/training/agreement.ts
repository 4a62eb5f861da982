// Checks that several teachers speak of the same images and classes. A teacher whose rows or classes are in another order would
// teach the student wrong without a trace.
import { UserError } from '@embed-kd/core'

import type { Centroids, SampleEmbeddings } from '../embeddings/embeddings.js'

interface Speaker {
  readonly name: string
  readonly centroids?: Centroids
  readonly samples?: SampleEmbeddings | { readonly width: number }
}

/** @throws UserError naming two teachers whose embeddings are of other images, or of classes in another order. */
export function requireAgreement(teachers: readonly Speaker[]): void {
  requireSameOrder(
    teachers.flatMap(({ name, centroids }) =>
      centroids?.classNames?.length ? [{ name, classNames: centroids.classNames }] : [],
    ),
  )
  const [first, ...others] = teachers.flatMap(({ name, samples }) =>
    samples && 'vectors' in samples ? [{ name, samples }] : [],
  )
  if (first) for (const other of others) requireSameImages(first, other)
}

interface Named {
  readonly name: string
  readonly classNames: readonly string[]
}

/** @throws UserError naming the first teacher that has the classes in another order than the one before, or other classes. */
export function requireSameOrder(teachers: readonly Named[]): void {
  teachers.slice(1).forEach((teacher, i) => {
    const before = teachers[i]!
    const count = Math.max(before.classNames.length, teacher.classNames.length)
    for (let label = 0; label < count; label++) {
      const [a, b] = [before.classNames[label], teacher.classNames[label]]
      if (a !== b)
        throw new UserError(
          `${before.name} calls class ${label} ${quote(a)}, ${teacher.name} ${quote(b)}`,
          'compute the embeddings of both teachers with the classes in one order',
        )
    }
  })
}

const quote = (name: string | undefined): string =>
  name === undefined ? 'nothing' : JSON.stringify(name)

interface Samples {
  readonly name: string
  readonly samples: SampleEmbeddings
}

function requireSameImages(first: Samples, other: Samples): void {
  const [a, b] = [first, other].map(({ samples: { vectors, width } }) => vectors.length / width)
  const remedy = 'give embeddings of the same images in the same order'
  if (a !== b)
    throw new UserError(
      `${first.name} has embeddings of ${a} images, ${other.name} of ${b}`,
      remedy,
    )
  const [labels, others] = [first.samples.labels, other.samples.labels]
  const odd = labels && others ? labels.findIndex((label, i) => label !== others[i]) : -1
  if (odd >= 0)
    throw new UserError(
      `${first.name} labels image ${odd} ${labels![odd]}, ${other.name} labels it ${others![odd]}`,
      remedy,
    )
}
