// Hadamard matrices: square matrices of ±1 whose rows are orthogonal. They are not known for every size; those of Sylvester and
// Paley cover the widths of common encoders (384, 768, 1024, 1152, 1280, 1408 …).

/** Returns a Hadamard matrix [size, size], row by row; undefined if none of these constructions has that size. */
export function hadamard(size: number): Int8Array | undefined {
  if (size === 1) return Int8Array.of(1)
  if (isPrime(size - 1) && size % 4 === 0) return paleyOfPrime(size - 1)
  if (size % 4 === 0 && isPrime(size / 2 - 1) && (size / 2) % 4 === 2)
    return paleyOfPairs(size / 2 - 1)
  const half = size % 2 === 0 ? hadamard(size / 2) : undefined
  return (
    half &&
    matrix(size, (i, j) => {
      const sign = i >= size / 2 && j >= size / 2 ? -1 : 1
      return sign * half[(i % (size / 2)) * (size / 2) + (j % (size / 2))]!
    })
  )
}

const matrix = (size: number, entry: (i: number, j: number) => number): Int8Array =>
  Int8Array.from({ length: size * size }, (_, at) => entry(Math.floor(at / size), at % size))

/** Paley's first construction, of size q + 1 for a prime q of the form 4n + 3. */
function paleyOfPrime(q: number): Int8Array {
  const character = quadraticCharacter(q)
  return matrix(q + 1, (i, j) => {
    if (i === 0) return 1
    if (j === 0) return -1
    return i === j ? 1 : character(i - j)
  })
}

/** Paley's second construction, of size 2 (q + 1) for a prime q of the form 4n + 1: each entry becomes a block of four. */
function paleyOfPairs(q: number): Int8Array {
  const character = quadraticCharacter(q)
  return matrix(2 * (q + 1), (row, column) => {
    const [i, j] = [row >> 1, column >> 1]
    const lowerRight = row % 2 === 1 && column % 2 === 1
    if (i === j) return row % 2 === 0 && column % 2 === 0 ? 1 : -1
    const entry = i === 0 || j === 0 ? 1 : character(i - j)
    return lowerRight ? -entry : entry
  })
}

/** Returns the function that is 1 for squares modulo q, -1 for other numbers, and 0 for multiples of q. */
function quadraticCharacter(q: number): (x: number) => number {
  const squares = new Set(Array.from({ length: q - 1 }, (_, i) => (i + 1) ** 2 % q))
  return (x) => {
    const rest = ((x % q) + q) % q
    if (rest === 0) return 0
    return squares.has(rest) ? 1 : -1
  }
}

function isPrime(n: number): boolean {
  if (n < 2) return false
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return true
}
