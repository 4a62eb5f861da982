// Embeddings in two dimensions: their first two principal components, turned like the last ones so that points do not jump.
// Power iteration is enough for two components of a few hundred rows.

/** Two axes, each of unit length. */
export interface Axes {
  readonly mean: Float32Array
  readonly first: Float32Array
  readonly second: Float32Array
}

/** Scales each row of `[rows, width]` to unit length, in place. */
export function normaliseRows(rows: Float32Array, width: number): Float32Array {
  for (let at = 0; at < rows.length; at += width) {
    const row = rows.subarray(at, at + width)
    const norm = Math.hypot(...row) || 1
    row.forEach((value, i) => (row[i] = value / norm))
  }
  return rows
}

const ITERATIONS = 30

/** Finds the first two principal components of rows by power iteration. @param last axes to begin from. */
export function principalAxes(rows: Float32Array, width: number, last?: Axes): Axes {
  const count = rows.length / width
  const mean = new Float32Array(width)
  rows.forEach((value, i) => (mean[i % width]! += value / count))
  const centred = rows.map((value, i) => value - mean[i % width]!)
  const component = (from: Float32Array | undefined, without?: Float32Array): Float32Array => {
    let axis = from?.length === width ? from : Float32Array.from(mean, (_, i) => Math.cos(i * 1.7))
    for (let k = 0; k < ITERATIONS; k++) {
      const next = new Float32Array(width)
      for (let at = 0; at < centred.length; at += width) {
        let dot = 0
        for (let i = 0; i < width; i++) dot += centred[at + i]! * axis[i]!
        for (let i = 0; i < width; i++) next[i]! += dot * centred[at + i]!
      }
      if (without) {
        const dot = next.reduce((sum, value, i) => sum + value * without[i]!, 0)
        next.forEach((value, i) => (next[i] = value - dot * without[i]!))
      }
      axis = normaliseRows(next, width)
    }
    return axis
  }
  const first = component(last?.first)
  return { mean, first, second: component(last?.second, first) }
}

/** Returns rows as points `[x, y]`. */
export function project(rows: Float32Array, width: number, axes: Axes): [number, number][] {
  return Array.from({ length: rows.length / width }, (_, row) => {
    let [x, y] = [0, 0]
    for (let i = 0; i < width; i++) {
      const value = rows[row * width + i]! - axes.mean[i]!
      x += value * axes.first[i]!
      y += value * axes.second[i]!
    }
    return [x, y]
  })
}
