// Damages bytes the way files are damaged: flipped bits, extreme lengths, lost, doubled and strange parts. Same seed, same damage.

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff]
const EXTREME_WORDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x40000000]
/** What stands in texts where numbers, names and brackets do. */
const WORDS = [
  '-1',
  '1e999',
  '4294967296',
  '9007199254740993',
  'null',
  '""',
  '[]',
  '{}',
  '\u0000',
  '../..',
]

/** Damage that keeps the length, which many readers check first. */
const inPlace = [
  (bytes, random) => {
    for (let i = random.int(8); i >= 0; i--) bytes[random.int(bytes.length)] ^= 1 << random.int(8)
    return bytes
  },
  (bytes, random) => {
    bytes[random.int(bytes.length)] = EXTREMES[random.int(EXTREMES.length)]
    return bytes
  },
  (bytes, random) => {
    if (bytes.length < 4) return bytes
    const word = EXTREME_WORDS[random.int(EXTREME_WORDS.length)]
    const at = random.int(bytes.length - 3)
    if (random.int(2)) bytes.writeUInt32LE(word, at)
    else bytes.writeUInt32BE(word, at)
    return bytes
  },
]

const mutations = [
  ...inPlace,
  (bytes, random) => bytes.subarray(0, random.int(bytes.length)),
  (bytes, random) => {
    const [from, length] = [random.int(bytes.length), 1 + random.int(64)]
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)])
  },
  (bytes, random) => {
    const [from, length] = [random.int(bytes.length), 1 + random.int(256)]
    return Buffer.concat([bytes.subarray(0, from + length), bytes.subarray(from)])
  },
  (bytes, random) => {
    const at = random.int(bytes.length)
    const strange = Buffer.from(Array.from({ length: 1 + random.int(32) }, () => random.int(256)))
    return Buffer.concat([bytes.subarray(0, at), strange, bytes.subarray(at)])
  },
  // A number or a word of a text becomes another.
  (bytes, random) => {
    const text = bytes.toString('latin1')
    const found = [...text.matchAll(/-?\d+(\.\d+)?|"[^"]*"|[[\]{}]/g)]
    if (found.length === 0) return bytes
    const { 0: old, index } = found[random.int(found.length)]
    const word = WORDS[random.int(WORDS.length)]
    return Buffer.from(text.slice(0, index) + word + text.slice(index + old.length), 'latin1')
  },
]

/** Returns a copy damaged by one to three mutations; half of the copies keep their length. */
export function mutate(bytes, random) {
  const kinds = random.int(2) ? inPlace : mutations
  let damaged = Buffer.from(bytes)
  for (let i = random.int(3); i >= 0 && damaged.length > 0; i--)
    damaged = kinds[random.int(kinds.length)](damaged, random)
  return damaged
}
