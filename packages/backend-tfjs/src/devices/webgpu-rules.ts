// Rules for tfjs:webgpu, where tf's kernels compute everything as float32, give up beyond rank 4, or take a pass for
// each operation. The programs they are made of are in wgsl.ts.
import { sizeOf, type OpName, type Shape } from '@embed-kd/core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import {
  exactIntegers,
  matmulWith,
  rules as shared,
  spread,
  type Broadcast,
  type Rule,
  type Rules,
} from '../kernels.js'
import type { TfTensor, Workspace } from '../workspace.js'
import { broadcast, mapped, padded, runProgram, sliced, transposed } from './wgsl.js'

export function webgpuRules(gpu: WebGPUBackend) {
  const repeat: Broadcast = (x, shape, tf) => tf.adopt(broadcast(gpu, x, shape))
  /** Operands of the output's shape, or of one element, which `mapped` repeats by itself. */
  const fitting = (inputs: readonly TfTensor[], shape: Shape, tf: Workspace) =>
    inputs.map((x) => (sizeOf(x.shape) === 1 ? x : spread([x], shape, tf, repeat)[0]!))

  const elementwise =
    (expression: string, functions = ''): Rule<OpName> =>
    ({ outputs: [output] }, tf) =>
    (inputs) =>
      tf.adopt(mapped(gpu, fitting(inputs, output!.shape, tf), output!, expression, functions))

  return {
    randomUniform:
      ({ attrs: { shape, stream } }, tf) =>
      ([key]) =>
        tf.adopt(
          runProgram(
            gpu,
            [key!],
            { dtype: 'float32', shape },
            {
              key: `uniform ${stream}`,
              functions: threefry,
              body: `result[index] = f32(threefry(u32(A[0]), u32(A[1]), ${stream}u, u32(index)) >> 8u) * 0x1p-24;`,
            },
          ),
        ),

    add: exactIntegers(shared.add, elementwise('a + b')),
    sub: exactIntegers(shared.sub, elementwise('a - b')),
    mul: exactIntegers(shared.mul, elementwise('a * b')),
    maximum: exactIntegers(shared.maximum, elementwise('max(a, b)')),
    minimum: exactIntegers(shared.minimum, elementwise('min(a, b)')),
    equal: elementwise('a == b'),
    less: elementwise('a < b'),
    lessEqual: elementwise('a <= b'),
    select: elementwise('select(c, b, a != 0)'),
    // WGSL lets sin and cos be wrong by 2^-11.
    sin: elementwise('sine(a, 0)', sine),
    cos: elementwise('sine(a, 1)', sine),

    broadcastTo:
      ({ attrs: { shape } }, tf) =>
      ([x]) =>
        repeat(x!, shape, tf),
    transpose: exactIntegers(
      shared.transpose,
      ({ attrs: { permutation } }, tf) =>
        ([x]) =>
          tf.adopt(transposed(gpu, x!, permutation)),
    ),
    slice:
      ({ attrs: { starts, sizes } }, tf) =>
      ([x]) =>
        tf.adopt(sliced(gpu, x!, starts, sizes)),
    pad:
      ({ attrs: { low, high } }, tf) =>
      ([x]) =>
        tf.adopt(padded(gpu, x!, low, high)),
    concat: exactIntegers(
      shared.concat,
      ({ attrs: { axis }, outputs: [output] }, tf) =>
        (inputs) => {
          // Each part with zeros where the others go; their sum is all of them.
          let start = 0
          const { dtype, shape } = output!
          return inputs
            .map((x) => {
              const low = shape.map((_, i) => (i === axis ? start : 0))
              start += x.shape[axis]!
              const high = shape.map((n, i) => (i === axis ? n - start : 0))
              return tf.adopt(padded(gpu, x, low, high))
            })
            .reduce((a, b) => tf.adopt(mapped(gpu, [a, b], { dtype, shape }, 'a + b')))
        },
    ),
    matmul: matmulWith((a, b, attrs, tf) => tf.run('BatchMatMul', { a, b }, attrs), repeat),

    adamw: ({ attrs: { beta1, beta2, epsilon, weightDecay }, outputs: [output] }, tf) => {
      const step = (inputs: readonly TfTensor[], expression: string) =>
        tf.adopt(mapped(gpu, inputs, output!, expression))
      const [b1, b2, eps, decay] = [beta1, beta2, epsilon, weightDecay].map(literal)
      return ([parameter, gradient, m, v, learningRate, correction1, correction2]) => {
        const nextM = step([m!, gradient!], `${b1} * a + ${literal(1 - beta1)} * b`)
        const nextV = step([v!, gradient!], `${b2} * a + ${literal(1 - beta2)} * b * b`)
        const next = step(
          [parameter!, nextM, nextV, learningRate!, correction1!, correction2!],
          `a * (1 - d * ${decay}) - d / e * b / (sqrt(c) / sqrt(f) + ${eps})`,
        )
        return [next, nextM, nextV]
      }
    },
  } satisfies Partial<Rules>
}

/** A number as a WGSL float. */
const literal = (x: number) => `f32(${x})`

/** Threefry-2x32 with 20 rounds (Salmon et al. 2011): the first word of (c0, c1) encrypted with (k0, k1). */
const threefry = `
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

/**
 * sin(x + shift · π/2): x less the nearest multiple n of π/2, which is subtracted in three parts that n times is exact
 * (Cody & Waite 1980), then the Taylor series of sine or cosine on [-π/4, π/4], by n modulo 4.
 */
const sine = `
  fn sine(x : f32, shift : i32) -> f32 {
    let n = round(x * 0.63661977);
    let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789954891882e-8;
    let s = r * r;
    let quadrant = (i32(n) + shift) & 3;
    let odd = r * (1 + s * (-1 / 6.0 + s * (1 / 120.0 + s * (-1 / 5040.0 + s / 362880.0))));
    let even = 1 + s * (-0.5 + s * (1 / 24.0 + s * (-1 / 720.0 + s * (1 / 40320.0 - s / 3628800.0))));
    let y = select(odd, even, (quadrant & 1) == 1);
    return select(y, -y, quadrant >= 2);
  }`
