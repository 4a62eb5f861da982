// Emitters for tfjs:webgpu where tf's kernels will not do: they compute integers as float32, give up beyond rank 4, read
// casts by the wrong type, lose NaN, or take a pass for each operation. The programs are in wgsl.ts.
import { sizeOf, type OpName, type Shape, type TensorType } from '@embed-kd/core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import {
  matmulWith,
  emitters as shared,
  spread,
  type Broadcast,
  type Emitter,
  type Emitters,
  type Run,
} from '../emitters.js'
import type { TfTensor, Workspace } from '../workspace.js'
import { erfSeries } from './erf.js'
import * as functions from './wgsl-functions.js'
import {
  broadcast,
  mapped,
  padded,
  perElement,
  runForSeveral,
  runProgram,
  sliced,
  transposed,
  workgroup,
  type Program,
} from './wgsl.js'

/** What tf's programs index a shape with has four components; beyond, some of them do not compile. */
const MAX_TF_RANK = 4

export function webgpuEmitters(gpu: WebGPUBackend) {
  const repeat: Broadcast = (x, shape, tf) => tf.adopt(broadcast(gpu, x, shape))
  /** Operands of the output's shape, or of one element, which `mapped` repeats by itself. */
  const fitting = (inputs: readonly TfTensor[], shape: Shape, tf: Workspace) =>
    inputs.map((x) => (sizeOf(x.shape) === 1 ? x : spread([x], shape, tf, repeat)[0]!))

  const elementwise =
    (expression: string, declarations = ''): Emitter<OpName> =>
    ({ outputs: [output] }, tf) =>
    (inputs) =>
      tf.adopt(mapped(gpu, fitting(inputs, output!.shape, tf), output!, expression, declarations))

  /** Runs a program on the vectors along an axis of the first output, which has the shape of the rows that it reads. */
  const runOnRows = (
    key: string,
    axis: number,
    outputs: readonly TensorType[],
    tf: Workspace,
    program: (rows: functions.Rows) => Pick<Program, 'functions' | 'main'>,
  ): Run => {
    const { shape } = outputs[0]!
    const columns = shape[axis]!
    const stride = sizeOf(shape.slice(axis + 1))
    const rows = { columns, stride, threads: workgroup }
    const whole = {
      key: `${key} ${columns} ${stride}`,
      ...program(rows),
      threads: (sizeOf(shape) / columns) * workgroup,
    }
    return (inputs) => runForSeveral(gpu, inputs, outputs, whole).map((y) => tf.adopt(y))
  }

  /** tf's emitter for floats of few axes, ours for everything else. */
  const ours =
    <K extends OpName>(tfs: Emitter<K>, own: Emitter<K>): Emitter<K> =>
    (application, tf) => {
      const theirs =
        application.inputs[0]!.dtype === 'float32' &&
        application.outputs[0]!.shape.length <= MAX_TF_RANK
      return (theirs ? tfs : own)(application, tf)
    }

  /** One expression for integers, another for floats. */
  const compared = (integers: string, floats: string): Emitter<OpName> => {
    const [exact, ranked] = [elementwise(integers), elementwise(floats, functions.comparison)]
    return (application, tf) =>
      (application.inputs[0]!.dtype === 'int32' ? exact : ranked)(application, tf)
  }

  return {
    randomUniform: ({ attrs: { shape, stream } }, tf) => {
      const bits = `threefry(u32(A[0]), u32(A[1]), ${stream}u, u32(index))`
      const program = {
        key: `uniform ${stream}`,
        functions: functions.threefry,
        main: perElement(`result[index] = f32(${bits} >> 8u) * 0x1p-24;`),
      }
      return ([key]) => tf.adopt(runProgram(gpu, [key!], { dtype: 'float32', shape }, program))
    },
    bernoulli: ({ attrs: { shape, stream, probability } }, tf) => {
      const bits = `threefry(u32(A[0]), u32(A[1]), ${stream}u, u32(index))`
      const drawn = `select(0.0, 1.0, f32(${bits} >> 8u) * 0x1p-24 < ${literal(probability)})`
      const program = {
        key: `bernoulli ${stream} ${probability}`,
        functions: functions.threefry,
        main: perElement(`result[index] = ${drawn};`),
      }
      return ([key]) => tf.adopt(runProgram(gpu, [key!], { dtype: 'float32', shape }, program))
    },

    exp: elementwise('exponential(a)', functions.exponential),
    log: elementwise('logarithm(a)', functions.logarithm),
    sqrt: elementwise('squareRoot(a)', functions.squareRoot),
    rsqrt: elementwise('reciprocalRoot(a)', functions.reciprocalRoot),
    sigmoid: elementwise('logistic(a)', functions.logistic),
    erf: elementwise('errorFunction(a)', functions.errorFunction(erfSeries)),
    sin: elementwise('sine(a, 0)', functions.sine),
    cos: elementwise('sine(a, 1)', functions.sine),
    add: ours(shared.add, elementwise('a + b')),
    sub: ours(shared.sub, elementwise('a - b')),
    mul: ours(shared.mul, elementwise('a * b')),
    div: elementwise('quotient(a, b)', functions.quotient),
    maximum: ours(shared.maximum, elementwise('max(a, b)')),
    minimum: ours(shared.minimum, elementwise('min(a, b)')),
    equal: compared('a == b', 'ordered(a, b) && rank(a) == rank(b)'),
    less: compared('a < b', 'ordered(a, b) && rank(a) < rank(b)'),
    lessEqual: compared('a <= b', 'ordered(a, b) && rank(a) <= rank(b)'),
    select: elementwise('select(c, b, a != 0)'),
    cast: (application, tf) => {
      const fromFloat = application.inputs[0]!.dtype === 'float32'
      const truth = fromFloat ? '(bitcast<u32>(a) & 0x7fffffffu) != 0u' : 'a != 0'
      return elementwise(application.attrs.dtype === 'bool' ? truth : 'a')(application, tf)
    },

    broadcastTo:
      ({ attrs: { shape } }, tf) =>
      ([x]) =>
        repeat(x!, shape, tf),
    transpose: ours(
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
    concat: ours(shared.concat, ({ attrs: { axis }, outputs: [output] }, tf) => (inputs) => {
      // Each part is padded with zeros in place of the others, and the padded parts are added.
      let start = 0
      const { dtype, shape } = output!
      return inputs
        .filter((x) => sizeOf(x.shape) > 0)
        .map((x) => {
          const low = shape.map((_, i) => (i === axis ? start : 0))
          start += x.shape[axis]!
          const high = shape.map((n, i) => (i === axis ? n - start : 0))
          return tf.adopt(padded(gpu, x, low, high))
        })
        .reduce((a, b) => tf.adopt(mapped(gpu, [a, b], { dtype, shape }, 'a + b')))
    }),
    matmul: matmulWith((a, b, attrs, tf) => tf.run('BatchMatMul', { a, b }, attrs), repeat),

    softmax: ({ attrs: { axis }, outputs }, tf) =>
      runOnRows('softmax', axis, outputs, tf, functions.softmaxRows),
    softmaxGradient: ({ attrs: { axis }, outputs }, tf) =>
      runOnRows('softmax gradient', axis, outputs, tf, functions.softmaxGradientRows),

    quickGelu: elementwise('a * logistic(1.702 * a)', functions.logistic),
    quickGeluGradient: elementwise('b * quickGeluSlope(a)', functions.quickGeluSlope),

    layerNorm: ({ attrs: { epsilon }, outputs }, tf) =>
      runOnRows(`layer norm ${epsilon}`, lastAxis(outputs), outputs, tf, (rows) =>
        functions.normalisedRows(rows, epsilon),
      ),
    standardizeGradient: ({ outputs }, tf) =>
      runOnRows(
        'standardize gradient',
        lastAxis(outputs),
        outputs,
        tf,
        functions.standardizeGradientRows,
      ),

    // In one launch if the device binds its ten buffers, else in one for each output.
    adamw: ({ attrs: { beta1, beta2, epsilon, weightDecay }, outputs }, tf) => {
      const [b1, b2, eps, decay] = [beta1, beta2, epsilon, weightDecay].map(literal)
      const nextM = (m: string, g: string) => `${b1} * ${m} + ${literal(1 - beta1)} * ${g}`
      const nextV = (v: string, g: string) => `${b2} * ${v} + ${literal(1 - beta2)} * ${g} * ${g}`
      const next = (p: string, m: string, v: string, [rate, c1, c2]: readonly string[]) =>
        `${p} * (1 - ${rate} * ${decay}) - ${rate} / ${c1} * ${m} / (sqrt(${v}) / sqrt(${c2}) + ${eps})`
      if (gpu.device.limits.maxStorageBuffersPerShaderStage >= 10) {
        const program = {
          key: `adamw ${b1} ${b2} ${eps} ${decay}`,
          main: perElement(`
            let g = B[index];
            let m = ${nextM('C[index]', 'g')};
            let v = ${nextV('D[index]', 'g')};
            H[index] = m;
            I[index] = v;
            result[index] = ${next('A[index]', 'm', 'v', ['E[0]', 'F[0]', 'G[0]'])};`),
        }
        return (inputs) => runForSeveral(gpu, inputs, outputs, program).map((y) => tf.adopt(y))
      }
      const step = (inputs: readonly TfTensor[], expression: string) =>
        tf.adopt(mapped(gpu, inputs, outputs[0]!, expression))
      return ([parameter, gradient, m, v, ...scalars]) => {
        const [newM, newV] = [
          step([m!, gradient!], nextM('a', 'b')),
          step([v!, gradient!], nextV('a', 'b')),
        ]
        const operands = [parameter!, newM, newV, ...scalars]
        return [step(operands, next('a', 'b', 'c', ['d', 'e', 'f'])), newM, newV]
      }
    },
  } satisfies Partial<Emitters>
}

const lastAxis = ([type]: readonly TensorType[]) => type!.shape.length - 1

/** A number as a WGSL float. */
const literal = (x: number) => `f32(${x})`
