// What travels from Node into the page: the records, and what the caller says about them. Nothing is computed here.
import type { BenchRecord } from '@embed-kd/record'

export interface Payload {
  readonly title: string
  readonly records: readonly BenchRecord[]
  /** An earlier set of records to compare with. */
  readonly before?: readonly BenchRecord[]
}
