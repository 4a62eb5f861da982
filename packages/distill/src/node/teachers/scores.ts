// A teacher's class scores in the order of a data set's classes, and an encoder that gives them in place of embeddings.
import { UserError } from '@embed-kd/core'

import type { Dataset } from '../data/dataset.js'
import { classOrder, reorderColumns } from './classes.js'
import type { Encoder } from './encoder.js'

/** What scores classes: an encoder, or what is known of one. */
interface Scorer {
  readonly name: string
  readonly classes?: number | undefined
  readonly classNames?: readonly string[] | undefined
}

type Classes = Pick<Dataset, 'classes' | 'classNames'>

/**
 * Returns the position of each class of the data among a teacher's scores; undefined if the order is the same.
 * @param who needs the scores, for the error.
 * @throws UserError if the teacher does not score these classes.
 */
export function scoreOrder(
  who: string,
  { name, classes, classNames }: Scorer,
  data: Classes,
): number[] | undefined {
  if (classes !== data.classes)
    throw new UserError(
      `${who} needs a teacher that scores the ${data.classes} classes of the data, ${name} ` +
        (classes === undefined ? 'has no classifier' : `scores ${classes}`),
      'train one with embed-kd train-teacher, or choose a method that takes embeddings, such as teacher-kd or cached-kd',
    )
  return classOrder(name, classNames, data.classNames)
}

/** Returns a function that gives a batch's probabilities in the order of the data's classes. @throws UserError as `scoreOrder`. */
export function probabilitiesIn(
  who: string,
  encoder: Encoder,
  data: Classes,
): (pixels: Uint8Array, count: number) => Promise<Float32Array> {
  const order = scoreOrder(who, encoder, data)
  return async (pixels, count) => {
    const { probabilities } = await encoder.embed(pixels, count)
    return order ? reorderColumns(probabilities!, order) : probabilities!
  }
}

/** Probability that stands for 0, which has no logarithm: the smallest normal float32. */
const LEAST = 2 ** -126

/**
 * Returns an encoder whose embeddings are a classifier's scores: the logarithms of its probabilities, [images, classes].
 * @param encoder opened with temperature 1; whoever opened it disposes of it.
 * @throws UserError if the encoder does not score the classes of the data.
 */
export function scoreEncoder(encoder: Encoder, data: Classes): Encoder {
  const { name, digest, input, parameterCount, patch } = encoder
  const probabilities = probabilitiesIn('embed --kind scores', encoder, data)
  return {
    name,
    digest,
    pooling: 'class scores',
    width: data.classes,
    input,
    ...(parameterCount === undefined ? {} : { parameterCount }),
    ...(patch === undefined ? {} : { patch }),
    async embed(pixels, count) {
      const found = await probabilities(pixels, count)
      return { embeddings: found.map((p) => Math.log(Math.max(p, LEAST))) }
    },
    dispose: async () => {},
  }
}
