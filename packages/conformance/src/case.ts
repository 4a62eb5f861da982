// What a conformance case is and what comes of it: data, but for the body of a procedure. Running one is in run.ts.
import type { Backend } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import type { HostTensor } from '@embed-kd/core'
import type { Expected } from './compare.js'

interface CaseBase {
  /** `family/subject/variant`, unique in the suite. */
  readonly name: string
  /** What it holds the backend to: an op's constraint (`matmul C3`), an op's meaning (`matmul`), or a BackendRule (`B8`). */
  readonly contract: string
}

/** One run of a graph: right where every output is within its tolerance of what is expected. */
export interface NumericCase extends CaseBase {
  readonly kind: 'numeric'
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, HostTensor>>
  /** By output; worked out when first asked for. */
  readonly expected: () => ReadonlyMap<string, Expected>
}

/** What takes more than one run: throws where the backend breaks the contract. */
export interface ProcedureCase extends CaseBase {
  readonly kind: 'procedure'
  readonly run: (backend: Backend) => Promise<void>
}

export type ConformanceCase = NumericCase | ProcedureCase

export type CaseResult = {
  readonly name: string
  readonly contract: string
  readonly milliseconds: number
  /** Of a numeric case: the greatest error seen, as a share of what was allowed. */
  readonly worstShare?: number
} & (
  | { readonly status: 'passed' }
  | { readonly status: 'failed'; readonly failure: string }
  | { readonly status: 'excused'; readonly reason: string; readonly failure: string }
)
