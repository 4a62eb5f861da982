// Tests and the distributions behind them: McNemar's test of paired right-or-wrong results, Holm's correction, and the
// tails of Student's t and the normal distribution. They know numbers only, no records.

/**
 * Returns the two-sided mid-p value of McNemar's test, which counts the images that one classifier alone got right.
 * The mid-p form keeps the error rate of 5 % with less loss of power than the exact form (Fagerland and others 2013).
 * @param gained images that only the first classifier got right.
 * @param lost images that only the second classifier got right.
 */
export function mcnemar(gained: number, lost: number): number {
  const discordant = gained + lost
  if (discordant === 0) return 1
  if (gained === lost) return 1 - binomialHalf(discordant, gained) / 2
  const fewer = Math.min(gained, lost)
  return Math.min(1, 2 * lowerTail(discordant, fewer) - binomialHalf(discordant, fewer))
}

/** Probability of `k` heads in `n` throws of a fair coin. */
function binomialHalf(n: number, k: number): number {
  let logarithm = -n * Math.LN2
  for (let at = 1; at <= k; at++) logarithm += Math.log((n - k + at) / at)
  return Math.exp(logarithm)
}

/** Probability of at most `k` heads in `n` throws of a fair coin. */
function lowerTail(n: number, k: number): number {
  let term = binomialHalf(n, k)
  let sum = 0
  for (let at = k; at >= 0 && term > 0; at--) {
    sum += term
    term *= at / (n - at + 1)
  }
  return sum
}

/**
 * Corrects the p-values of several tests, so that chance rejects any of them in at most 5 of 100 families (Holm 1979).
 * @returns the corrected values in the order given; compare them with 0.05.
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, at) => at).sort((a, b) => values[a]! - values[b]!)
  const corrected = values.map(() => 1)
  let largest = 0
  for (const [rank, at] of order.entries()) {
    largest = Math.max(largest, Math.min(1, values[at]! * (values.length - rank)))
    corrected[at] = largest
  }
  return corrected
}

/** Probability that Student's t lies further from 0 than `t` on either side; a finite series for whole degrees of freedom. */
export function studentTail(t: number, degrees: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees))
  const cosine = Math.cos(angle)
  const odd = degrees % 2 === 1
  let term = odd ? cosine : 1
  let sum = degrees === 1 ? 0 : term
  for (let at = odd ? 3 : 2; at < degrees; at += 2) {
    term *= ((at - 1) / at) * cosine ** 2
    sum += term
  }
  const inside = odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum
  return Math.max(0, 1 - inside)
}

/** Probability that a standard normal lies further from 0 than `z` on either side. */
export function normalTail(z: number): number {
  const x = Math.abs(z)
  if (x > 3) {
    // Continued fraction of Laplace, which converges fast in the tail.
    let fraction = x
    for (let at = 60; at >= 1; at--) fraction = x + at / fraction
    return (2 * density(x)) / fraction
  }
  let term = x
  let sum = x
  for (let at = 3; term > 1e-17; at += 2) {
    term *= (x * x) / at
    sum += term
  }
  return 1 - 2 * density(x) * sum
}

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)

/** Returns the value beyond which a tail has the probability given. @param tail falls from 1 at 0. */
export function quantileOf(tail: (value: number) => number, probability: number): number {
  let low = 0
  let high = 1
  while (tail(high) > probability && high < 1e12) high *= 2
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (tail(middle) > probability) low = middle
    else high = middle
  }
  return high
}

/**
 * Returns the p-value of a mean whose interval adds two errors in quadrature: that of few runs, by Student's t, and one
 * that is normal. It is the probability at which the interval just reaches 0.
 */
export function quadratureP(
  mean: number,
  runs: { readonly error: number; readonly degrees: number },
  normalError: number,
): number {
  if (mean === 0) return 1
  if (runs.error === 0) return normalError === 0 ? 0 : normalTail(mean / normalError)
  if (normalError === 0) return studentTail(mean / runs.error, runs.degrees)
  // Along the normal quantile z the half width grows and its probability falls, so that one bisection finds both.
  const half = (z: number) => {
    const t = quantileOf((value) => studentTail(value, runs.degrees), normalTail(z))
    return Math.hypot(t * runs.error, z * normalError)
  }
  let low = 0
  let high = Math.min(8, Math.abs(mean) / normalError)
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (half(middle) < Math.abs(mean)) low = middle
    else high = middle
  }
  return normalTail(high)
}
