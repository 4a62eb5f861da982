// The fastest this process multiplies matrices on its backend: the roofline that a step's FLOP/s are held against.
// Measured with the same runtime and threads as the step, so that the share tells the program's loss, not the machine's.
import {
  Random,
  hostTensor,
  op,
  spec,
  toFloat16,
  trace,
  type Backend,
  type FloatType,
} from '@embed-kd/core'

export interface Roofline {
  readonly flopsPerSecond: number
  /** Rows and columns of the square matrices it was reached with. */
  readonly size: number
}

const SMALLEST = 128
const LARGEST = 4096
/** A product this long hides the cost of a call. */
const LONG_ENOUGH_SECONDS = 0.01
const SAMPLING_SECONDS = 0.3
const MINIMUM_SAMPLES = 3

/** Measures products of matrices as large as the device needs to be busy; or of a given size, to compare with an earlier result. */
export async function gemmRoofline(
  backend: Backend,
  dtype: FloatType,
  size?: number,
): Promise<Roofline> {
  if (size !== undefined) return sample(backend, dtype, size, SAMPLING_SECONDS)
  for (let n = SMALLEST; n < LARGEST; n *= 2) {
    const { flopsPerSecond } = await sample(backend, dtype, n, 0)
    if (gemmFlops(n) / flopsPerSecond >= LONG_ENOUGH_SECONDS)
      return sample(backend, dtype, n, SAMPLING_SECONDS)
  }
  return sample(backend, dtype, LARGEST, SAMPLING_SECONDS)
}

/** Has the runtime do something small for the first time. */
export async function warmUp(backend: Backend, dtype: FloatType): Promise<void> {
  await sample(backend, dtype, SMALLEST, 0)
}

const gemmFlops = (n: number) => 2 * n ** 3

async function sample(
  backend: Backend,
  dtype: FloatType,
  n: number,
  forSeconds: number,
): Promise<Roofline> {
  const matrices = { a: spec([n, n], { dtype }), b: spec([n, n], { dtype }) }
  const graph = trace(`gemm ${n}`, matrices, ({ a, b }) => ({ product: op.matmul(a, b) }))
  const executable = await backend.compile(graph)
  const random = new Random(n)
  const matrix = () => {
    const tensor = hostTensor(dtype, [n, n])
    for (let i = 0; i < tensor.data.length; i++) {
      const value = random.uniform()
      tensor.data[i] = dtype === 'float16' ? toFloat16(value) : value
    }
    return backend.upload(tensor)
  }
  const inputs = { a: await matrix(), b: await matrix() }
  const run = async (): Promise<number> => {
    const start = performance.now()
    const { product } = await executable.run(inputs)
    await backend.synchronize()
    const seconds = (performance.now() - start) / 1000
    product!.dispose()
    return seconds
  }
  await run()
  // The fastest, not the median: a roofline is what the machine can do, and disturbances only ever slow it down.
  let fastest = Infinity
  const start = performance.now()
  for (let i = 0; i < MINIMUM_SAMPLES || performance.now() - start < forSeconds * 1000; i++)
    fastest = Math.min(fastest, await run())
  inputs.a.dispose()
  inputs.b.dispose()
  await executable.dispose()
  return { flopsPerSecond: gemmFlops(n) / fastest, size: n }
}

/** Two measurements that differ by more say that the machine was not left alone between them. */
const TOLERATED_DRIFT = 0.1

export const isNoisy = (before: Roofline, after: Roofline): boolean =>
  Math.abs(after.flopsPerSecond / before.flopsPerSecond - 1) > TOLERATED_DRIFT
