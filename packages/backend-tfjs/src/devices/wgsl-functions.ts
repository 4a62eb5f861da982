// Functions in WGSL that devices must agree on. WGSL lets an implementation assume that NaN and infinities do not occur
// and flush denormals, and asks little precision of sin and cos; what depends on that is settled here, on the bits.

const magnitude = `
  fn magnitude(x : f32) -> u32 { return bitcast<u32>(x) & 0x7fffffffu; }
  fn infinite(x : f32) -> bool { return magnitude(x) == 0x7f800000u; }
  /** Less than zero, or NaN. */
  fn negative(x : f32) -> bool { return isnan(x) || bitcast<u32>(x) > 0x80000000u; }`

/** e^x, NaN included. */
export const exponential = `
  fn exponential(x : f32) -> f32 { if (isnan(x)) { return x; } return exp(x); }`

export const logarithm = `${magnitude}
  fn logarithm(x : f32) -> f32 {
    if (magnitude(x) == 0u) { return -uniforms.INFINITY; }
    if (negative(x)) { return uniforms.NAN; }
    if (infinite(x)) { return x; }
    return log(x);
  }`

export const squareRoot = `${magnitude}
  fn squareRoot(x : f32) -> f32 { if (negative(x)) { return uniforms.NAN; } return sqrt(x); }`

export const reciprocalRoot = `${magnitude}
  fn reciprocalRoot(x : f32) -> f32 {
    if (negative(x)) { return uniforms.NAN; }
    return inverseSqrt(x);
  }`

export const logistic = `
  fn logistic(x : f32) -> f32 { if (isnan(x)) { return x; } return 1 / (1 + exp(-x)); }`

export const quickGeluSlope = `${logistic}
  fn quickGeluSlope(x : f32) -> f32 {
    let s = logistic(1.702 * x);
    return s + 1.702 * x * s * (1 - s);
  }`

/** a / b; also a denormal by zero. */
export const quotient = `${magnitude}
  fn quotient(a : f32, b : f32) -> f32 {
    if (magnitude(b) == 0u && magnitude(a) != 0u && !isnan(a)) {
      let positive = (bitcast<u32>(a) ^ bitcast<u32>(b)) < 0x80000000u;
      return select(-uniforms.INFINITY, uniforms.INFINITY, positive);
    }
    return a / b;
  }`

/** The order of floats is that of their bits as integers, negative ones counted backwards. */
export const comparison = `
  fn rank(x : f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, -2147483647 - 1 - bits, bits < 0);
  }
  fn ordered(a : f32, b : f32) -> bool { return !isnan(a) && !isnan(b); }`

/** erf as in erf.ts. */
export const errorFunction = (series: readonly number[]): string => `
  fn errorFunction(x : f32) -> f32 {
    if (isnan(x)) { return x; }
    let size = abs(x);
    let square = x * x;
    if (size < 1) {
      return x * (${series.reduceRight((sum, c) => (sum === '' ? `f32(${c})` : `(f32(${c}) + square * ${sum})`), '')});
    }
    let t = 1 / (1 + 0.3275911 * size);
    let tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1 - tail * exp(-square));
  }`

/**
 * sin(x + shift · π/2): x less the nearest multiple n of π/2, which is subtracted in three parts that n times is exact
 * (Cody & Waite 1980), then the Taylor series of sine or cosine on [-π/4, π/4], by n modulo 4. Beyond 2^22 float32
 * does not say where in its period x is.
 */
export const sine = `
  fn sine(x : f32, shift : i32) -> f32 {
    if (isnan(x) || abs(x) > 3.4028234e38) { return uniforms.NAN; }
    if (abs(x) > 0x1p22) { return 0; }
    let n = round(x * 0.63661977);
    let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789954891882e-8;
    let s = r * r;
    let quadrant = (i32(n) + shift) & 3;
    let odd = r * (1 + s * (-1 / 6.0 + s * (1 / 120.0 + s * (-1 / 5040.0 + s / 362880.0))));
    let even = 1 + s * (-0.5 + s * (1 / 24.0 + s * (-1 / 720.0 + s * (1 / 40320.0 - s / 3628800.0))));
    let y = select(odd, even, (quadrant & 1) == 1);
    return select(y, -y, quadrant >= 2);
  }`

/** Threefry-2x32 with 20 rounds (Salmon et al. 2011): the first word of (c0, c1) encrypted with (k0, k1). */
export const threefry = `
  fn threefry(k0 : u32, k1 : u32, c0 : u32, c1 : u32) -> u32 {
    var keys = array<u32, 3>(k0, k1, 0x1bd11bdau ^ k0 ^ k1);
    var rotations = array<u32, 8>(13u, 15u, 26u, 6u, 17u, 29u, 16u, 24u);
    var x = c0 + k0;
    var y = c1 + k1;
    for (var round = 0u; round < 20u; round++) {
      x = x + y;
      let r = rotations[round % 8u];
      y = ((y << r) | (y >> (32u - r))) ^ x;
      if (round % 4u == 3u) {
        let injection = round / 4u + 1u;
        x = x + keys[injection % 3u];
        y = y + keys[(injection + 1u) % 3u] + injection;
      }
    }
    return x;
  }`

/** Rows that a program works on: vectors of `columns` elements that lie `stride` elements apart. */
export interface Rows {
  readonly columns: number
  readonly stride: number
  /** Threads of the workgroup that shares a row. */
  readonly threads: number
}

/**
 * `total` gives each thread of a workgroup the sum (or the greatest) of what all of them bring. Threads meet at barriers there, so
 * that workgroups beyond the last row must work along.
 */
const together = (threads: number) => `
  var<workgroup> parts : array<f32, ${threads}>;
  fn total(part : f32, thread : i32, greatest : bool) -> f32 {
    parts[thread] = part;
    workgroupBarrier();
    for (var half = ${threads} / 2; half > 0; half = half / 2) {
      if (thread < half) {
        let other = parts[thread + half];
        parts[thread] = select(parts[thread] + other, max(parts[thread], other), greatest);
      }
      workgroupBarrier();
    }
    let result = parts[0];
    workgroupBarrier();
    return result;
  }`

/** A loop over the elements of a row that are this thread's; `i` is an element's place. */
const each = ({ columns, stride, threads }: Rows, body: string) =>
  `for (var i = start + thread * ${stride}; i < start + ${columns * stride}; i += ${threads * stride}) { ${body} }`

/** Statements that sum `term` over the row into `name`. */
const summed = (name: string, term: string, rows: Rows) => `
  var ${name} = 0.0;
  ${each(rows, `${name} += ${term};`)}
  ${name} = total(${name}, thread, false);`

/** A program of one workgroup for each row: `reductions` over the row, then `write`, by which threads write what is theirs. */
const onRows = (
  { columns, stride, threads }: Rows,
  { functions = '', reductions, write }: { functions?: string; reductions: string; write: string },
) => ({
  functions: `${functions} ${together(threads)}`,
  main: `
    let thread = i32(localId.x);
    let row = min(index / ${threads}, uniforms.size / ${columns} - 1);
    let start = row / ${stride} * ${stride * columns} + row % ${stride};
    ${reductions}
    if (index / ${threads} == row) { ${write} }`,
})

/** Softmax of the rows of A. */
export const softmaxRows = (rows: Rows) =>
  onRows(rows, {
    functions: exponential,
    reductions: `
      var greatest = -3.4028234e38;
      ${each(rows, 'greatest = max(greatest, f32(A[i]));')}
      greatest = total(greatest, thread, true);
      ${summed('sum', 'exponential(f32(A[i]) - greatest)', rows)}`,
    write: each(rows, 'result[i] = exponential(f32(A[i]) - greatest) / sum;'),
  })

/** The gradient of softmax's input: the rows A of its output times the rows B of the output's gradient less their expectation. */
export const softmaxGradientRows = (rows: Rows) =>
  onRows(rows, {
    reductions: summed('expected', 'f32(A[i]) * f32(B[i])', rows),
    write: each(rows, 'result[i] = f32(A[i]) * (f32(B[i]) - expected);'),
  })

/** Rows of A, less their mean, over their deviation, times B, plus C; means go to D and inverse deviations to E. */
export const normalisedRows = (rows: Rows, epsilon: number) =>
  onRows(rows, {
    reductions: `
      ${summed('sum', 'f32(A[i])', rows)}
      let mean = sum / ${rows.columns};
      ${summed('squares', '(f32(A[i]) - mean) * (f32(A[i]) - mean)', rows)}
      let inverse = inverseSqrt(squares / ${rows.columns} + f32(${epsilon}));`,
    write: `
      ${each(rows, 'result[i] = (f32(A[i]) - mean) * inverse * f32(B[i - start]) + f32(C[i - start]);')}
      if (thread == 0) { D[row] = mean; E[row] = inverse; }`,
  })

/** The gradient of rows that were standardized to A, from their inverse deviations B and the gradient C of A. */
export const standardizeGradientRows = (rows: Rows) =>
  onRows(rows, {
    reductions: `
      ${summed('sum', 'f32(C[i])', rows)}
      let mean = sum / ${rows.columns};
      ${summed('projection', 'f32(A[i]) * (f32(C[i]) - mean)', rows)}`,
    write: each(
      rows,
      `result[i] = (f32(C[i]) - mean - f32(A[i]) * (projection / ${rows.columns})) * f32(B[row]);`,
    ),
  })
