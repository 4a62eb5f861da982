// The error of a device that cannot be used here.

/** Says why a device cannot be used, and what would help. */
export class Unavailable extends Error {
  readonly reason: string
  readonly remedy: string

  constructor(reason: string, remedy: string) {
    super(`${reason}; ${remedy}`)
    this.reason = reason
    this.remedy = remedy
  }
}
