// The colour that transparent pixels of a GIF have in its palette. The decoder makes them black; torchvision drops the transparency and
// keeps the colour.

/** Returns red, green and blue; undefined if the first picture has no transparent colour. */
export function transparentColour(bytes: Uint8Array): Uint8Array | undefined {
  /** Bytes of the palette that a byte of flags announces. */
  const paletteBytes = (flags = 0): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0)
  const HEADER = 13
  let palette = HEADER
  let index: number | undefined
  for (let at = HEADER + paletteBytes(bytes[10]); at < bytes.length;) {
    if (bytes[at] === 0x2c) {
      const local = paletteBytes(bytes[at + 9])
      if (local > 0) palette = at + 10
      return index === undefined
        ? undefined
        : bytes.slice(palette + 3 * index, palette + 3 * index + 3)
    }
    if (bytes[at] !== 0x21) return undefined
    const isControl = bytes[at + 1] === 0xf9
    if (isControl && (bytes[at + 3]! & 1) === 1) index = bytes[at + 6]
    // Blocks of data follow, each after its length; an empty one ends them.
    for (at += 2; bytes[at]; at += bytes[at]! + 1);
    at++
  }
  return undefined
}
