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
  return Uint8Array.from({ length: images }, (_, i) => (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1)
}
