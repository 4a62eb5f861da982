// Checks that several teachers were asked about the same images and classes. Otherwise the student would learn wrong targets,
// and nothing would show it.
import { UserError } from '@embed-kd/core'

import type { Centroids, SampleEmbeddings } from '../embeddings/embeddings.js'

interface Speaker {
  readonly name: string
  readonly centroids?: Centroids
  readonly samples?: SampleEmbeddings | { readonly width: number }
}

/** Checks several teachers. @throws UserError naming two that have other images, or the classes in another order. */
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

/** Checks the classes of each teacher against those of the teacher before. @throws UserError naming two that differ. */
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
