// Reads ONNX Runtime's own profile of a session: the runtime writes trace events to a file, which is read once and removed.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  scopeOf,
  sizeOf,
  type Graph,
  type OperatorTime,
  type Place,
  type Shape,
} from '@embed-kd/core'
import type { InferenceSession } from 'onnxruntime-common'

/** One operator that the runtime executed, and its execution provider. */
export interface ProfiledOperator extends OperatorTime {
  readonly provider: string
}

type Typed = Readonly<Record<string, Shape>>

/** One trace event, of a whole run or of a single kernel. Times are in microseconds. */
interface TraceEvent {
  readonly cat: string
  readonly name: string
  readonly ts: number
  readonly dur: number
  readonly args?: {
    readonly op_name: string
    readonly provider: string
    readonly input_type_shape: readonly Typed[]
    readonly output_type_shape: readonly Typed[]
  }
}

export class Profile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'embed-kd-profile-'))
  /** Places of the graph's nodes by the text that their operators are named after. */
  readonly #places: ReadonlyMap<string, Place>

  /** @param graph the lowered graph that the session was made of. */
  constructor(graph: Graph) {
    this.#places = new Map(graph.nodes.map(({ place }) => [scopeOf(place), place]))
  }

  get sessionOptions(): InferenceSession.SessionOptions {
    return {
      enableProfiling: true,
      profileFilePrefix: join(this.#directory, 'session'),
    }
  }

  /** Ends the profile and returns the operators of each run so far, in the order in which they ran. */
  end(session: InferenceSession): ProfiledOperator[][] {
    session.endProfiling()
    const [file] = readdirSync(this.#directory)
    const events = JSON.parse(readFileSync(join(this.#directory, file!), 'utf8')) as TraceEvent[]
    this.discard()
    const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith(KERNEL))
    return events
      .filter(({ name }) => name === 'model_run')
      .map(({ ts, dur }) =>
        kernels
          .filter((kernel) => kernel.ts >= ts && kernel.ts <= ts + dur)
          .map((kernel) => operatorOf(kernel, this.#places)),
      )
  }

  discard(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

const KERNEL = '_kernel_time'

function operatorOf(
  { name, dur, args }: TraceEvent,
  places: ReadonlyMap<string, Place>,
): ProfiledOperator {
  const { op_name: operator, provider } = args!
  // ModelBuilder names nodes `scope/type/number`; the runtime calls the nodes that it makes itself otherwise.
  const [, scope] = /^(.*)\/\w+\/\d+/.exec(name) ?? []
  const place = scope === undefined ? undefined : places.get(scope)
  const shapesOf = (types: readonly Typed[]) => types.map((type) => Object.values(type)[0]!)
  const [inputs, outputs] = [shapesOf(args!.input_type_shape), shapesOf(args!.output_type_shape)]
  return {
    operator,
    ...(place ? { place } : {}),
    seconds: dur * 1e-6,
    provider,
    ...(products.has(operator) ? { flops: productFlops(inputs, outputs[0]!) } : {}),
  }
}

const products: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'FusedMatMul', 'FusedGemm'])

/**
 * Returns 2·M·N·K for each matrix; a vector is a row before the matrix, or a column after it. K follows from the sizes, since the trace
 * does not say which operands are transposed. One operand may be shared by all matrices; the trace omits a constant second operand.
 */
const productFlops = ([a, b = []]: readonly Shape[], output: Shape): number => {
  const isColumn = b.length === 1
  const columns = isColumn ? 1 : output.at(-1)!
  const rows = a!.length === 1 ? 1 : output.at(isColumn ? -1 : -2)!
  return 2 * Math.max(sizeOf(a!) * columns, sizeOf(b) * rows)
}
