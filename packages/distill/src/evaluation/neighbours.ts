// What the nearest rows of a query tell: its class by a vote of k neighbours, and whether a row of its class is among them.
import { UserError } from '@embed-kd/core'

import { checkRows, rowCount, shareRight, type LabelledRows, type Rows } from './rows.js'
import { visitSimilarities, type SearchOptions } from './similarities.js'

/** The rows that are most similar to each query. */
export interface Neighbours {
  /** `[queries, k]`: positions of rows, the most similar first, and the earlier of equally similar ones. */
  readonly indices: Int32Array
  /** Neighbours of each query. */
  readonly k: number
}

/**
 * Finds the k rows of highest cosine similarity to each query.
 * @throws UserError if there are fewer than k rows, or widths differ.
 */
export async function nearestRows(
  queries: Rows,
  rows: Rows,
  k: number,
  options: SearchOptions = {},
): Promise<Neighbours> {
  if (!(Number.isInteger(k) && k >= 1 && k <= rowCount(rows)))
    throw new UserError(
      `${k} neighbours cannot be found among ${rowCount(rows)} rows`,
      'give a whole number from 1 to the number of rows',
    )
  const indices = new Int32Array(rowCount(queries) * k)
  const best = new Float64Array(k)
  const visit = (query: number, similarities: Float32Array) => {
    const found = indices.subarray(query * k, (query + 1) * k)
    best.fill(-Infinity)
    for (let row = 0; row < similarities.length; row++) {
      const similarity = similarities[row]!
      if (!(similarity > best[k - 1]!)) continue
      let at = k - 1
      for (; at > 0 && similarity > best[at - 1]!; at--) {
        best[at] = best[at - 1]!
        found[at] = found[at - 1]!
      }
      best[at] = similarity
      found[at] = row
    }
  }
  await visitSimilarities(queries, rows, visit, options)
  return { indices, k }
}

/**
 * Classifies each query by a vote of its k nearest rows, each with one vote. If classes have equally many votes, the lowest class
 * wins: the rule of scikit-learn's `KNeighborsClassifier`.
 * @param labels class of each row.
 */
export function voteClasses(
  { indices, k: found }: Neighbours,
  labels: ArrayLike<number>,
  k: number,
): Int32Array {
  const votes = new Map<number, number>()
  return Int32Array.from({ length: indices.length / found }, (_, query) => {
    votes.clear()
    let [winner, most] = [-1, 0]
    for (let i = 0; i < k; i++) {
      const label = labels[indices[query * found + i]!]!
      const count = (votes.get(label) ?? 0) + 1
      votes.set(label, count)
      if (count > most || (count === most && label < winner)) [winner, most] = [label, count]
    }
    return winner
  })
}

/** Returns the share of queries with a row of their own class among their k nearest rows. */
export function recallAt(
  { indices, k: found }: Neighbours,
  labels: ArrayLike<number>,
  queryLabels: ArrayLike<number>,
  k: number,
): number {
  let hits = 0
  for (let query = 0; query < queryLabels.length; query++) {
    const nearest = indices.subarray(query * found, query * found + k)
    if (nearest.some((row) => labels[row] === queryLabels[query])) hits++
  }
  return hits / queryLabels.length
}

/**
 * Computes the accuracy of k-nearest-neighbour classification of queries by rows, under the cosine distance with one vote for each
 * neighbour, as `KNeighborsClassifier(k, metric='cosine')` of scikit-learn has it.
 * @throws UserError if there are fewer than k rows, or widths differ.
 */
export async function knnAccuracy(
  queries: LabelledRows,
  rows: LabelledRows,
  k: number,
  options: SearchOptions = {},
): Promise<number> {
  checkRows(queries, 'queries')
  checkRows(rows, 'rows')
  const neighbours = await nearestRows(queries, rows, k, options)
  return shareRight(voteClasses(neighbours, rows.labels, k), queries.labels)
}

/**
 * Computes the mean over queries of their average precision, if all rows are ranked by cosine similarity and those of the query's
 * class are the relevant ones. Equally similar rows share a rank, as in scikit-learn's `average_precision_score`. A query without
 * relevant rows counts as 0.
 */
export async function meanAveragePrecision(
  queries: LabelledRows,
  rows: LabelledRows,
  options: SearchOptions = {},
): Promise<number> {
  checkRows(queries, 'queries')
  checkRows(rows, 'rows')
  const byClass = new Map<number, number[]>()
  for (let row = 0; row < rowCount(rows); row++) {
    const label = rows.labels[row]!
    const members = byClass.get(label)
    if (members) members.push(row)
    else byClass.set(label, [row])
  }
  let sum = 0
  const visit = (query: number, similarities: Float32Array) => {
    const relevant = byClass.get(queries.labels[query]!) ?? []
    sum += averagePrecision(
      Float32Array.from(relevant, (row) => similarities[row]!).sort(),
      similarities,
    )
  }
  await visitSimilarities(queries, rows, visit, options)
  return sum / rowCount(queries)
}

/** @param relevant similarities of the relevant rows, ascending; @param all those of all rows. */
function averagePrecision(relevant: Float32Array, all: Float32Array): number {
  const counts = countBelow(relevant, all)
  let [sum, rank] = [0, 0]
  for (let last = relevant.length - 1; last >= 0;) {
    let first = last
    while (first > 0 && relevant[first - 1] === relevant[last]) first--
    for (let i = last; i >= first; i--) rank += counts[i + 1]!
    // Rows of equal similarity raise the recall together, at the precision after all of them.
    sum += ((last - first + 1) * (relevant.length - first)) / rank
    last = first - 1
  }
  return relevant.length === 0 ? 0 : sum / relevant.length
}

/**
 * Returns the number of values with exactly i bounds at or below them, for each i. Bounds ascend. A table of equal parts of their
 * range says where to look for a value, which is many times as fast as sorting all values.
 */
function countBelow(bounds: Float32Array, values: Float32Array): Int32Array {
  const counts = new Int32Array(bounds.length + 1)
  const [lowest, highest] = [bounds[0]!, bounds.at(-1)!]
  const parts = 2 * bounds.length
  const scale = highest > lowest ? parts / (highest - lowest) : 0
  const starts = new Int32Array(parts + 2)
  for (const bound of bounds) starts[Math.floor((bound - lowest) * scale) + 1]!++
  for (let part = 0; part <= parts; part++) starts[part + 1]! += starts[part]!
  for (const value of values) {
    let below = 0
    if (value >= highest) below = bounds.length
    else if (value >= lowest) {
      below = starts[Math.floor((value - lowest) * scale)]!
      while (below < bounds.length && bounds[below]! <= value) below++
    }
    counts[below]!++
  }
  return counts
}
