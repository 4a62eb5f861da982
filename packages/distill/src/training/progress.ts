// Progress of long work, for whoever waits for it.

/** `done` of `total` units of `phase`. */
export interface Progress {
  readonly phase: string
  readonly done: number
  readonly total: number
}

/** Receives every bit of progress; the receiver decides how often to show it. */
export type Report = (progress: Progress) => void
