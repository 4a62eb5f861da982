// Results of single test images in a record: one bit an image, packed as base64. Bit i % 8 of byte i / 8 is image i.

// In Node and in browsers.
declare function atob(base64: string): string
declare function btoa(bytes: string): string

/** Packs whether each image was classified correctly. */
export function packResults(correct: ArrayLike<boolean>): string {
  const bytes = new Uint8Array(Math.ceil(correct.length / 8))
  for (let i = 0; i < correct.length; i++) if (correct[i]) bytes[i >> 3]! |= 1 << (i & 7)
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** Returns the bits that `packResults` packed: 1 for each image that was classified correctly. */
export function unpackResults({
  images,
  correct,
}: {
  readonly images: number
  readonly correct: string
}): Uint8Array {
  const bytes = atob(correct)
  const bits = new Uint8Array(images)
  // A plain loop: a report unpacks thousands of results while it opens.
  for (let i = 0; i < images; i++) bits[i] = (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1
  return bits
}
