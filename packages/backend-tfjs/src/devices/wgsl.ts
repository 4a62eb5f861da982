// Small WGSL programs of our own on tf's WebGPU backend: what they have in common, and the ways elements are picked.
// Which ops use them, and why tf's own kernels will not do, is in webgpu-emitters.ts.
import { sizeOf, stridesOf, type DType, type Shape } from '@embed-kd/core'
import { webgpu_util, type WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import type { TfDType, TfTensor } from '../workspace.js'

/** A value of a dtype in WGSL; a bool is an i32, 0 or 1. */
export const wgslType: Record<TfDType, string> = { float32: 'f32', int32: 'i32', bool: 'i32' }

export interface Program {
  /** Tells programs of different code apart. */
  readonly key: string
  /** Statements that each thread runs, with its number in `index`. */
  readonly main: string
  /** Declarations before `main`. */
  readonly functions?: string
  /** How many threads, in workgroups of `workgroup`; default: one for each element of the output. */
  readonly threads?: number
}

/** Threads of a workgroup. */
export const workgroup = 64

/**
 * Runs a program, which writes the output as `result[index]`, and whose `uniforms.size` is the number of its elements.
 * Inputs are arrays named A, B, C, …; their element type is that of the stored data, which tf's casts may share, so
 * that reads must convert.
 */
export function runProgram(
  tf: WebGPUBackend,
  inputs: readonly TfTensor[],
  output: { readonly dtype: DType; readonly shape: Shape },
  { key, main, functions = '', threads = sizeOf(output.shape) }: Program,
): TfTensor {
  const dtype = output.dtype as TfDType
  const workgroupSize: [number, number, number] = [workgroup, 1, 1]
  const dispatchLayout = { x: [0] }
  const flat = inputs.map(({ dataId, dtype, shape }) => ({ dataId, dtype, shape: [sizeOf(shape)] }))
  const { dataId } = tf.runWebGPUProgram(
    {
      shaderKey: `embed-kd ${key}`,
      variableNames: inputs.map((_, i) => String.fromCodePoint(65 + i)),
      outputShape: [sizeOf(output.shape)],
      size: true,
      workgroupSize,
      dispatchLayout,
      dispatch: webgpu_util.computeDispatch(dispatchLayout, [threads], workgroupSize),
      getUserCode: () => `${functions}\nfn main(index : i32) {\n${main}\n}`,
    },
    flat,
    dtype,
  )
  return { dataId, dtype, shape: output.shape as number[] }
}

interface Output {
  readonly dtype: DType
  readonly shape: Shape
}

/**
 * Runs a program that writes several outputs: the first as `result`, the others as the arrays named after those of the inputs. tf's
 * programs have one output, so that the others go in as inputs, and `withWritable` changes how they are declared.
 */
export function runForSeveral(
  tf: WebGPUBackend,
  inputs: readonly TfTensor[],
  [first, ...others]: readonly Output[],
  program: Program,
): TfTensor[] {
  const made = others.map(({ dtype, shape }): TfTensor => {
    const dataId = tf.write(null!, shape as number[], dtype as TfDType)
    return { dataId, shape: shape as number[], dtype: dtype as TfDType }
  })
  const names = made.map((_, i) => String.fromCodePoint(65 + inputs.length + i))
  const functions = `${WRITABLE}${names.join('')}\n${program.functions ?? ''}`
  return [runProgram(tf, [...inputs, ...made], first!, { ...program, functions }), ...made]
}
const WRITABLE = '// writable: '

/** Makes those inputs of a program's code writable that a comment names. */
export function withWritable(code: string): string {
  const names = new RegExp(`${WRITABLE}([A-Z]+)`).exec(code)?.[1]
  if (names === undefined) return code
  return code.replaceAll(
    new RegExp(`var<storage, read> ([${names}])\\b`, 'g'),
    'var<storage, read_write> $1',
  )
}

/** `main` that runs `body` for each element of the output. */
export const perElement = (body: string): string => `if (index < uniforms.size) { ${body} }`

/** Along one axis of the output: how far apart its elements lie in the input, and which of them are there at all. */
interface Axis {
  readonly size: number
  readonly stride: number
  /** Elements before this one, and from `to` on, are zero. */
  readonly from: number
  readonly to: number
}

/** Picks each element of the output from one place of the input: transpose, broadcastTo, slice and pad are this. */
function gather(tf: WebGPUBackend, x: TfTensor, axes: readonly Axis[], offset: number): TfTensor {
  const dtype = x.dtype as TfDType
  const shape = axes.map((axis) => axis.size)
  const strides = stridesOf(shape)
  const steps = axes.map(({ size, stride, from, to }, i) =>
    [
      `let c${i} = rest / ${strides[i]}; rest = rest - c${i} * ${strides[i]};`,
      `at = at + c${i} * ${stride};`,
      from > 0 ? `inside = inside && c${i} >= ${from};` : '',
      to < size ? `inside = inside && c${i} < ${to};` : '',
    ].join(' '),
  )
  const body = `
    var rest = index; var at = ${offset}; var inside = true;
    ${steps.join('\n    ')}
    if (inside) { result[index] = ${wgslType[dtype]}(A[at]); } else { result[index] = 0; }`
  return runProgram(tf, [x], { dtype, shape }, { key: `gather ${body}`, main: perElement(body) })
}

const whole = (size: number, stride: number): Axis => ({ size, stride, from: 0, to: size })

export const transposed = (tf: WebGPUBackend, x: TfTensor, permutation: readonly number[]) => {
  const strides = stridesOf(x.shape)
  return gather(
    tf,
    x,
    permutation.map((axis) => whole(x.shape[axis]!, strides[axis]!)),
    0,
  )
}

export const broadcast = (tf: WebGPUBackend, x: TfTensor, shape: Shape) => {
  const strides = stridesOf(x.shape)
  const lead = shape.length - x.shape.length
  const stride = (axis: number) => (x.shape[axis - lead] === 1 ? 0 : (strides[axis - lead] ?? 0))
  return gather(
    tf,
    x,
    shape.map((size, axis) => whole(size, stride(axis))),
    0,
  )
}

export const sliced = (tf: WebGPUBackend, x: TfTensor, starts: Shape, sizes: Shape) => {
  const strides = stridesOf(x.shape)
  const offset = starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0)
  return gather(
    tf,
    x,
    sizes.map((size, axis) => whole(size, strides[axis]!)),
    offset,
  )
}

export const padded = (tf: WebGPUBackend, x: TfTensor, low: Shape, high: Shape) => {
  const strides = stridesOf(x.shape)
  const offset = low.reduce((sum, before, axis) => sum - before * strides[axis]!, 0)
  const axes = x.shape.map((n, axis) => ({
    size: low[axis]! + n + high[axis]!,
    stride: strides[axis]!,
    from: low[axis]!,
    to: low[axis]! + n,
  }))
  return gather(tf, x, axes, offset)
}

/** `expression` in a, b, c for each element; operands have the output's shape, or one element. */
export function mapped(
  tf: WebGPUBackend,
  inputs: readonly TfTensor[],
  output: { readonly dtype: DType; readonly shape: Shape },
  expression: string,
  functions = '',
): TfTensor {
  const operands = inputs.map((x, i) => {
    const at = sizeOf(x.shape) === 1 ? '0' : 'index'
    const name = String.fromCodePoint(65 + i)
    return `let ${name.toLowerCase()} = ${wgslType[x.dtype as TfDType]}(${name}[${at}]);`
  })
  const body = `${operands.join(' ')} result[index] = ${wgslType[output.dtype as TfDType]}(${expression});`
  const key = `map ${body}`
  return runProgram(tf, inputs, output, { key, main: perElement(body), functions })
}
