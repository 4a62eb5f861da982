// What the parts of the page share: the records with the reader's choices, and the form of a part. Types only.
import type { Configuration, Content } from '@embed-kd/records'
import type { RecordNames } from '../model/names.js'
import type { State } from '../model/state.js'
import type { View } from '../model/view.js'

export interface App {
  readonly content: Content
  /** All configurations, filtered or not. */
  readonly configurations: readonly Configuration[]
  readonly names: RecordNames
  readonly state: () => State
  /** Changes what is shown and rewrites the address, without a new entry in the history. */
  readonly change: (change: Partial<State>) => void
  /** Returns the address of the report in another state. */
  readonly link: (change: Partial<State>) => string
}

/** A part of the page that can be brought up to date. */
export interface Part {
  readonly node: HTMLElement
  readonly update: (view: View) => void
}
