// A limit on what runs at a time, by count or by weight, first come first served.

export class Gate {
  readonly #limit: number
  #taken = 0
  readonly #waiting: { readonly weight: number; readonly start: () => void }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Runs a task once its weight fits below the limit; one heavier than the limit runs alone. */
  async run<T>(weight: number, task: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(weight))
      await new Promise<void>((start) => this.#waiting.push({ weight, start }))
    else this.#taken += weight
    try {
      return await task()
    } finally {
      this.#taken -= weight
      while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.weight)) {
        const { weight: next, start } = this.#waiting.shift()!
        this.#taken += next
        start()
      }
    }
  }

  #fits(weight: number): boolean {
    return this.#taken === 0 || this.#taken + weight <= this.#limit
  }
}
