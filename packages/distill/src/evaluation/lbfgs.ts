// L-BFGS (Liu & Nocedal 1989) for smooth convex functions of a few million parameters: the two-loop recursion over the last pairs of
// steps and changes of the gradient, and a line search that halves the step until the value falls enough.

/** A function's value and gradient at a point. */
export interface Evaluated {
  readonly value: number
  readonly gradient: Float64Array
}

export interface MinimiseOptions {
  /** Largest element of the gradient at which the search ends. */
  readonly tolerance: number
  readonly maxIterations: number
}

export interface Minimum extends Evaluated {
  readonly point: Float64Array
  readonly iterations: number
}

/** Pairs that the inverse Hessian is estimated from. */
const MEMORY = 10
/** Share of the linear decrease that a step must reach (Armijo). */
const SUFFICIENT = 1e-4
/** Relative error of values in float32. */
const ROUNDING = 1e-6
/** Share of the slope that may be left after a step whose decrease is hidden. */
const FLATTER = 0.9
const MOST_HALVINGS = 30

/** Minimises a convex function. The search also ends where rounding hides any further decrease. */
export async function minimise(
  evaluate: (point: Float64Array) => Promise<Evaluated>,
  start: Float64Array,
  { tolerance, maxIterations }: MinimiseOptions,
): Promise<Minimum> {
  let point = start
  let current = await evaluate(point)
  const pairs: Pair[] = []
  let iterations = 0
  for (; iterations < maxIterations && largest(current.gradient) > tolerance; iterations++) {
    const direction = descent(current.gradient, pairs)
    const slope = dot(direction, current.gradient)
    // The first step knows no curvature: its length is at most 1.
    let size = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1
    let next: { point: Float64Array; at: Evaluated } | undefined
    for (let halving = 0; halving < MOST_HALVINGS && !next; halving++, size /= 2) {
      const candidate = point.map((x, i) => x + size * direction[i]!)
      const at = await evaluate(candidate)
      const falls = at.value <= current.value + SUFFICIENT * size * slope
      // Near the minimum, rounding hides the decrease of the value before that of the gradient (Hager & Zhang 2005).
      const isFlat =
        at.value <= current.value + ROUNDING * Math.abs(current.value) &&
        Math.abs(dot(direction, at.gradient)) <= FLATTER * Math.abs(slope)
      if (falls || isFlat) next = { point: candidate, at }
    }
    if (!next) break
    const step = next.point.map((x, i) => x - point[i]!)
    const change = next.at.gradient.map((g, i) => g - current.gradient[i]!)
    const curvature = dot(step, change)
    if (curvature > 1e-12 * dot(change, change)) pairs.push({ step, change, rho: 1 / curvature })
    if (pairs.length > MEMORY) pairs.shift()
    point = next.point
    current = next.at
  }
  return { ...current, point, iterations }
}

interface Pair {
  readonly step: Float64Array
  readonly change: Float64Array
  readonly rho: number
}

/** Returns the negative product of the estimated inverse Hessian and the gradient. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const out = gradient.slice()
  const alphas = pairs.map(() => 0)
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, rho } = pairs[i]!
    alphas[i] = rho * dot(step, out)
    addScaled(out, change, -alphas[i]!)
  }
  const newest = pairs.at(-1)
  const scale = newest ? 1 / (newest.rho * dot(newest.change, newest.change)) : 1
  for (let i = 0; i < out.length; i++) out[i]! *= -scale
  for (const [i, { step, change, rho }] of pairs.entries())
    addScaled(out, step, -alphas[i]! - rho * dot(change, out))
  return out
}

function addScaled(into: Float64Array, from: Float64Array, scale: number): void {
  for (let i = 0; i < into.length; i++) into[i]! += scale * from[i]!
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const largest = (values: Float64Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
