// How long work tells those who wait for it how far it is.

/** `done` of `total` units of `phase`. */
export interface Progress {
  readonly phase: string
  readonly done: number
  readonly total: number
}

/** Takes progress as often as there is some; whoever shows progress decides how often to show it. */
export type Report = (progress: Progress) => void
