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
  /** Number of products in a row, each of the one before. */
  readonly products: number
}

const SMALLEST = 128
const LARGEST = 4096
/** A product this long hides the cost of a call. */
const LONG_ENOUGH_SECONDS = 0.01
const SAMPLING_SECONDS = 0.3
const MINIMUM_SAMPLES = 3
const MOST_PRODUCTS = 64
/** More products in a row must be faster than this times fewer, or the cost of a call is hidden already. */
const WORTHWHILE = 1.1

/** What a roofline is measured with. */
type Work = Pick<Roofline, 'size' | 'products'>

/**
 * Measures products of matrices as large as the device needs to be busy, and as many in a row as hide the copies of a device that
 * takes its inputs from host memory.
 * @param work that of an earlier result, to compare with it.
 */
export async function gemmRoofline(
  backend: Backend,
  dtype: FloatType,
  work?: Work,
): Promise<Roofline> {
  return sample(backend, dtype, work ?? (await findWork(backend, dtype)), SAMPLING_SECONDS)
}

async function findWork(backend: Backend, dtype: FloatType): Promise<Work> {
  const attempt = (size: number, products: number) => sample(backend, dtype, { size, products }, 0)
  let best = await attempt(SMALLEST, 1)
  while (best.size < LARGEST && gemmFlops(best.size) / best.flopsPerSecond < LONG_ENOUGH_SECONDS)
    best = await attempt(2 * best.size, 1)
  // Within host memory there is nothing to copy.
  while (!backend.capabilities.hostMemory && best.products < MOST_PRODUCTS) {
    const more = await attempt(best.size, 4 * best.products)
    if (more.flopsPerSecond < WORTHWHILE * best.flopsPerSecond) break
    best = more
  }
  return best
}

/** Has the runtime do something small for the first time. */
export async function warmUp(backend: Backend, dtype: FloatType): Promise<void> {
  await sample(backend, dtype, { size: SMALLEST, products: 1 }, 0)
}

const gemmFlops = (n: number) => 2 * n ** 3

async function sample(
  backend: Backend,
  dtype: FloatType,
  { size: n, products }: Work,
  forSeconds: number,
): Promise<Roofline> {
  const matrices = { a: spec([n, n], { dtype }), b: spec([n, n], { dtype }) }
  const graph = trace(`gemm ${n}`, matrices, ({ a, b }) => {
    let product = a
    for (let i = 0; i < products; i++) product = op.matmul(product, b)
    return { product }
  })
  const executable = await backend.compile(graph)
  const random = new Random(n)
  const matrix = () => {
    const tensor = hostTensor(dtype, [n, n])
    for (let i = 0; i < tensor.data.length; i++) {
      // Elements with variance 1/n make products that neither grow nor vanish.
      const value = (2 * random.uniform() - 1) * Math.sqrt(3 / n)
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
  return { flopsPerSecond: (products * gemmFlops(n)) / fastest, size: n, products }
}

/** Two measurements that differ by more say that the machine was not left alone between them. */
const TOLERATED_DRIFT = 0.1

export const isNoisy = (before: Roofline, after: Roofline): boolean =>
  Math.abs(after.flopsPerSecond / before.flopsPerSecond - 1) > TOLERATED_DRIFT
