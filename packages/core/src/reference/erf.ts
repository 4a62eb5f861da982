// The error function in double precision, which JavaScript lacks.

/** Number of terms of the continued fraction. 60 give double precision for x ≥ 2. */
const terms = 60

/**
 * Returns erf x = 2/√π ∫₀ˣ e^(-t²) dt with a relative error of about 2e-16. Below 2 it sums the series
 * 2/√π e^(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)), whose terms all have the same sign (Abramowitz & Stegun 7.1.6). From 2 on it subtracts
 * the continued fraction of erfc from one (7.1.14).
 */
export function erf(x: number): number {
  const size = Math.abs(x)
  if (size < 2) {
    let sum = x
    let term = x
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 2 ** -54; n++) {
      term *= (2 * x * x) / (2 * n + 1)
      sum += term
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
  }
  if (Number.isNaN(x)) return NaN
  if (size > 6) return Math.sign(x)
  let fraction = size
  for (let n = terms; n > 0; n--) fraction = size + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction)
}
