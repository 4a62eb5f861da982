// erf to float32's precision, for devices whose kernels in tf are accurate to 1.5e-7 of its range, not of small results.

/** The Maclaurin series of erf, by powers of x² (Abramowitz & Stegun 7.1.5): 2/√π · (-1)ⁿ / (n! (2n + 1)). */
export const erfSeries: readonly number[] = Array.from({ length: 11 }, (_, n) => {
  let factorial = 1
  for (let k = 2; k <= n; k++) factorial *= k
  return ((2 / Math.sqrt(Math.PI)) * (-1) ** n) / (factorial * (2 * n + 1))
})

/** Its series below 1; above, the approximation that tf's kernels take everywhere (Abramowitz & Stegun 7.1.26). */
export function erf(x: number): number {
  const size = Math.abs(x)
  if (size < 1) {
    const square = x * x
    let sum = 0
    for (let n = erfSeries.length - 1; n >= 0; n--) sum = erfSeries[n]! + sum * square
    return x * sum
  }
  const t = 1 / (1 + 0.3275911 * size)
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return Math.sign(x) * (1 - tail * Math.exp(-x * x))
}
