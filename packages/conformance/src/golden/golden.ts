// PyTorch's tensors, for the tests of every package: which cases there are, their tensors, and the measure of error.
// The directory is GOLDEN_DIR, by default the one committed at the root of the repository; its manifest.json lists the cases.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  l2Normalize,
  op,
  parseSafetensors,
  patches,
  type HostTensor,
  type Tensor,
} from '@embed-kd/core'

export const goldenDirectory = resolve(
  process.env.GOLDEN_DIR ?? join(import.meta.dirname, '../../../../golden'),
)

/** One entry of the manifest; its further fields depend on its kind. */
export interface GoldenEntry {
  readonly name: string
  readonly kind: string
  readonly file: string
  readonly [detail: string]: unknown
}

export interface GoldenCase<Entry = GoldenEntry> {
  readonly entry: Entry
  /** @throws if there is no tensor of that name. */
  tensor(name: string): HostTensor
  /** Names of all tensors. */
  readonly names: readonly string[]
  /** Returns `in.0`, `in.1`, … for the prefix `in`; likewise for any other prefix. */
  list(prefix: string): HostTensor[]
}

/**
 * Returns the cases of one kind.
 * @throws if the directory has none: a golden test that checks nothing must not pass.
 */
export function goldenCases<Entry extends GoldenEntry = GoldenEntry>(
  kind: string,
): GoldenCase<Entry>[] {
  const path = join(goldenDirectory, 'manifest.json')
  if (!existsSync(path))
    throw new Error(
      `golden tensors: ${path} is missing; set GOLDEN_DIR to a copy of golden/ of the repository`,
    )
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly cases: readonly Entry[]
  }
  const entries = manifest.cases.filter((entry) => entry.kind === kind)
  if (entries.length === 0) throw new Error(`${goldenDirectory} has no cases of kind ${kind}`)
  return entries.map((entry) => {
    const bytes = readFileSync(join(goldenDirectory, entry.file))
    const { tensors } = parseSafetensors(bytes)
    const tensor = (name: string): HostTensor => {
      const found = tensors.get(name)
      if (!found) throw new Error(`golden case ${entry.name} has no tensor ${name}`)
      return found
    }
    const names = [...tensors.keys()]
    return {
      entry,
      tensor,
      names,
      list: (prefix) =>
        Array.from(
          { length: names.filter((name) => name.startsWith(`${prefix}.`)).length },
          (_, i) => tensor(`${prefix}.${i}`),
        ),
    }
  })
}

/** Returns max |a - b| / max |b|, or max |a| if b is all zeros. `b` is the expected tensor. NaN in either gives NaN. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new Error(`${a.length} elements cannot be compared with ${b.length}`)
  let difference = 0
  let scale = 0
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
    scale = Math.max(scale, Math.abs(b[i]!))
  }
  return scale === 0 ? difference : difference / scale
}

export interface OperatorEntry extends GoldenEntry {
  readonly op: string
  readonly eps?: number
}

/**
 * The operators of kind `operator` in terms of this repository's ops, from `in.0`, `in.1`, … to `out`.
 * @throws if the operator is unknown.
 */
export function goldenOperator(entry: OperatorEntry): (inputs: readonly Tensor[]) => Tensor {
  const operator = operators[entry.op]
  if (!operator)
    throw new Error(
      `golden case ${entry.name}: no operator ${entry.op}; known: ${Object.keys(operators).join(', ')}`,
    )
  return (inputs) => operator(inputs as [Tensor, Tensor, Tensor], entry)
}

type Operator = (inputs: readonly [Tensor, Tensor, Tensor], entry: OperatorEntry) => Tensor

const operators: Record<string, Operator> = {
  'gelu-erf': ([x]) => op.gelu(x),
  'gelu-tanh': ([x]) => op.gelu(x, 'tanh'),
  'quick-gelu': ([x]) => op.quickGelu(x),
  softmax: ([x]) => op.softmax(x),
  'log-softmax': ([x]) => op.logSoftmax(x),
  'layer-norm': ([x, scale, bias], { eps = 1e-5 }) => op.layerNorm(x, scale, bias, eps),
  linear: ([x, weight, bias]) => op.linear(x, weight, bias),
  'l2-normalize': ([x]) => l2Normalize(x),
  /** softmax(q kᵀ / √d) v */
  attention: ([q, k, v]) => {
    const scores = op.mul(op.matmul(q, k, { transposeB: true }), 1 / Math.sqrt(q.shape.at(-1)!))
    return op.matmul(op.softmax(scores), v)
  },
  /** A convolution (NCHW, without bias) whose stride is the size of its kernel. */
  'patch-conv': ([images, kernel]) => {
    const [batch, channels, height, width] = images.shape as [number, number, number, number]
    const [out, , p] = kernel.shape as [number, number, number, number]
    const [rows, columns] = [height / p, width / p]
    const y = op.linear(patches(images, p), op.reshape(kernel, [out, channels * p * p]))
    return op.reshape(op.transpose(y, [0, 2, 1]), [batch, out, rows, columns])
  },
  'matmul-broadcast': ([a, b]) => op.matmul(a, b),
  /** The mean over the first and the last axis. */
  mean: ([x]) => op.mean(x, { axes: [0, x.rank - 1] }),
  /** The maximum along the last axis. */
  max: ([x]) => op.max(x, { axes: [x.rank - 1] }),
  log: ([x]) => op.log(x),
  rsqrt: ([x]) => op.rsqrt(x),
  div: ([a, b]) => op.div(a, b),
}
