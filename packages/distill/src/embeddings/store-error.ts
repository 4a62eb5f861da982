// How far the rows of a compact store are from the teacher's embeddings.

/** How far stored rows are from the teacher's: means over rows. */
export interface StoreError {
  /** Length of the difference, divided by the length of the teacher's embedding. */
  readonly relative: number
  /** Cosine of the angle between the two. */
  readonly cosine: number
}

/** Adds up the error of rows as they are stored. */
export class ErrorMeter {
  #relative = 0
  #cosine = 0
  #rows = 0

  /** Compares rows `[n, width]` with what a reader will return. */
  add(rows: Float32Array, stored: Float32Array, width: number): void {
    for (let at = 0; at < rows.length; at += width) {
      let [square, storedSquare, product, difference] = [0, 0, 0, 0]
      for (let i = at; i < at + width; i++) {
        const [x, y] = [rows[i]!, stored[i]!]
        square += x * x
        storedSquare += y * y
        product += x * y
        difference += (x - y) ** 2
      }
      // A row of zeros has neither a direction nor a length to compare with.
      if (square === 0) continue
      this.#relative += Math.sqrt(difference / square)
      this.#cosine += product / Math.sqrt(square * storedSquare || 1)
      this.#rows++
    }
  }

  /** Returns the means; undefined if no row was added. */
  result(): StoreError | undefined {
    const rows = this.#rows
    return rows === 0 ? undefined : { relative: this.#relative / rows, cosine: this.#cosine / rows }
  }
}
