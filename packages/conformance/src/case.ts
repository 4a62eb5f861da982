// The forms of a conformance case and of its result. run.ts runs a case.
import type { Backend } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import type { HostTensor } from '@embed-kd/core'
import type { Expected } from './compare.js'

interface CaseBase {
  /** `family/subject/variant`, unique in the suite. */
  readonly name: string
  /** The tested contract: an op's constraint (`matmul C3`), an op's meaning (`matmul`), or a BackendRule (`B8`). */
  readonly contract: string
}

/** One run of a graph. It passes if every output is within its tolerance of the expected one. */
export interface NumericCase extends CaseBase {
  readonly kind: 'numeric'
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, HostTensor>>
  /** Returns the expected outputs by name. They are computed at the first call. */
  readonly expected: () => ReadonlyMap<string, Expected>
}

/** A case of several steps; `run` throws if the backend breaks the contract. */
export interface ProcedureCase extends CaseBase {
  readonly kind: 'procedure'
  readonly run: (backend: Backend) => Promise<void>
}

export type ConformanceCase = NumericCase | ProcedureCase

export type CaseResult = {
  readonly name: string
  readonly contract: string
  readonly milliseconds: number
  /** Maximum error of a numeric case, as a share of the tolerance. */
  readonly worstShare?: number
} & (
  | { readonly status: 'passed' }
  | { readonly status: 'failed'; readonly failure: string }
  | { readonly status: 'excused'; readonly reason: string; readonly failure: string }
)
