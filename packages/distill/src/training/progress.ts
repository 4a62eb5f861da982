// Progress of long work, as its callers receive it.

/** `done` of `total` units of `phase`. */
export interface Progress {
  readonly phase: string
  readonly done: number
  readonly total: number
}

/** Receives progress at every change; the receiver decides how often to show it. */
export type Report = (progress: Progress) => void
