// Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a tridiagonal matrix, then QR steps with Wilkinson's
// shift (Golub & Van Loan, "Matrix Computations", section 8.3). In float64, on the host.

/** Number of QR steps for each eigenvalue after which a matrix is given up; two or three are usual. */
const MAX_STEPS = 60

/**
 * Returns the eigenvalues, greatest first, and the eigenvectors as rows in their order.
 * @param matrix symmetric [size, size], row by row; it is left as it is.
 * @throws if the steps do not converge, as with values that are not finite.
 */
export function symmetricEigen(
  matrix: Float64Array,
  size: number,
): { values: Float64Array; vectors: Float64Array } {
  const { diagonal, beside, basis } = tridiagonalise(matrix, size)
  diagonalise(diagonal, beside, basis)
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[b]! - diagonal[a]!)
  const vectors = new Float64Array(size * size)
  order.forEach((from, to) => vectors.set(basis[from]!, to * size))
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors }
}

interface Tridiagonal {
  readonly diagonal: Float64Array
  /** `beside[i]` is the element at (i, i + 1). */
  readonly beside: Float64Array
  /** Rows of an orthogonal matrix Q: the given matrix is Qᵀ · tridiagonal · Q. */
  readonly basis: readonly Float64Array[]
}

function tridiagonalise(matrix: Float64Array, size: number): Tridiagonal {
  const a = Array.from({ length: size }, (_, i) => matrix.slice(i * size, (i + 1) * size))
  const basis = Array.from({ length: size }, (_, i) => {
    const row = new Float64Array(size)
    row[i] = 1
    return row
  })
  for (let k = 0; k < size - 2; k++) {
    // The reflection I - factor · v · vᵀ, with v zero up to k, maps column k below the diagonal to its first element.
    const v = a[k]!.slice()
    v.fill(0, 0, k + 1)
    const length = Math.hypot(...v.subarray(k + 1))
    if (length === 0) continue
    v[k + 1]! += v[k + 1]! < 0 ? -length : length
    const factor = 2 / dot(v, v, k + 1)
    const image = new Float64Array(size)
    for (let i = k; i < size; i++) image[i] = factor * dot(a[i]!, v, k + 1)
    const half = (factor / 2) * dot(image, v, k + 1)
    for (let i = k; i < size; i++) image[i]! -= half * v[i]!
    for (let i = k; i < size; i++) {
      const row = a[i]!
      for (let j = k; j < size; j++) row[j]! -= v[i]! * image[j]! + image[i]! * v[j]!
    }
    const sums = new Float64Array(size)
    for (let i = k + 1; i < size; i++) addScaled(sums, basis[i]!, v[i]!)
    for (let i = k + 1; i < size; i++) addScaled(basis[i]!, sums, -factor * v[i]!)
  }
  return {
    diagonal: Float64Array.from(a, (row, i) => row[i]!),
    beside: Float64Array.from({ length: Math.max(size - 1, 0) }, (_, i) => a[i]![i + 1]!),
    basis,
  }
}

function dot(a: Float64Array, b: Float64Array, first: number): number {
  let sum = 0
  for (let i = first; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function addScaled(to: Float64Array, row: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * row[i]!
}

/** Makes a tridiagonal matrix diagonal in place; the rows of `basis` become its eigenvectors. */
function diagonalise(d: Float64Array, e: Float64Array, basis: readonly Float64Array[]): void {
  const isSmall = (i: number) =>
    Math.abs(e[i]!) <= Number.EPSILON * (Math.abs(d[i]!) + Math.abs(d[i + 1]!))
  let [last, steps] = [d.length - 1, 0]
  while (last > 0) {
    if (isSmall(last - 1)) {
      last--
      steps = 0
      continue
    }
    if (steps++ === MAX_STEPS) throw new Error('the eigenvalues of a matrix do not converge')
    let first = last - 1
    while (first > 0 && !isSmall(first - 1)) first--
    chase(d, e, basis, first, last)
  }
}

/** One QR step on the rows `first` to `last`: rotations of neighbours chase the element that the shift puts beside the diagonals. */
function chase(
  d: Float64Array,
  e: Float64Array,
  basis: readonly Float64Array[],
  first: number,
  last: number,
): void {
  const gap = (d[last - 1]! - d[last]!) / 2
  const root = Math.hypot(gap, e[last - 1]!)
  const shift = d[last]! - e[last - 1]! ** 2 / (gap + (gap < 0 ? -root : root))
  let [kept, chased] = [d[first]! - shift, e[first]!]
  for (let k = first; k < last; k++) {
    const length = Math.hypot(kept, chased)
    const [c, s] = length === 0 ? [1, 0] : [kept / length, chased / length]
    if (k > first) e[k - 1] = length
    const [a, b, g] = [d[k]!, e[k]!, d[k + 1]!]
    d[k] = c * c * a + 2 * c * s * b + s * s * g
    d[k + 1] = s * s * a - 2 * c * s * b + c * c * g
    e[k] = c * s * (g - a) + (c * c - s * s) * b
    kept = e[k]!
    if (k + 1 < last) {
      chased = s * e[k + 1]!
      e[k + 1]! *= c
    }
    rotate(basis[k]!, basis[k + 1]!, c, s)
  }
}

function rotate(a: Float64Array, b: Float64Array, c: number, s: number): void {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!]
    a[i] = c * x + s * y
    b[i] = c * y - s * x
  }
}
