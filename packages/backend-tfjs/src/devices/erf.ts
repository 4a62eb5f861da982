// erf to float32's precision, for devices whose kernels in tf are accurate to 1.5e-7 of its range, not of small results.

/** The Maclaurin series of erf, by powers of x² (Abramowitz & Stegun 7.1.5): 2/√π · (-1)ⁿ / (n! (2n + 1)). */
export const erfSeries: readonly number[] = Array.from({ length: 11 }, (_, n) => {
  let factorial = 1
  for (let k = 2; k <= n; k++) factorial *= k
  return ((2 / Math.sqrt(Math.PI)) * (-1) ** n) / (factorial * (2 * n + 1))
})

const [c0 = 0, c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0, c6 = 0, c7 = 0, c8 = 0, c9 = 0, c10 = 0] =
  erfSeries

/** Its series below 1; above, the approximation that tf's kernels take everywhere (Abramowitz & Stegun 7.1.26). */
export function erf(x: number): number {
  const size = Math.abs(x)
  if (size < 1) {
    const s = x * x
    const high = c5 + s * (c6 + s * (c7 + s * (c8 + s * (c9 + s * c10))))
    return x * (c0 + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * high)))))
  }
  const t = 1 / (1 + 0.3275911 * size)
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return Math.sign(x) * (1 - tail * Math.exp(-x * x))
}
