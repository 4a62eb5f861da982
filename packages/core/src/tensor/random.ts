// Seeded random numbers, equal on every platform, so that initial values, orders of images and augmentations can be repeated.
// They are not for cryptography. The op randomUniform has its own numbers, which backends compute on the device.

/**
 * Returns the next 32 bits of xoshiro128** 1.1 (Blackman & Vigna 2018, public domain, https://prng.di.unimi.it/xoshiro128starstar.c):
 * period 2^128 - 1, four words of state, 32-bit operations only.
 * @param state four words, not all zero. The function advances them by one step.
 */
export function xoshiro128StarStar(state: Uint32Array): number {
  const s1 = state[1]!
  const scrambled = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
  const s2 = state[2]! ^ state[0]!
  const s3 = state[3]! ^ s1
  state[1] = s1 ^ s2
  state[0] = state[0]! ^ s3
  state[2] = s2 ^ (s1 << 9)
  state[3] = rotateLeft(s3, 11)
  return scrambled
}

/** A sequence of random numbers. */
export class Random {
  readonly #state = new Uint32Array(4)
  #spareNormal: number | undefined

  /**
   * Every list of keys gives a sequence of its own: `new Random(seed, epoch, index)` always gives the same numbers, which are
   * unrelated to the numbers of `(seed, epoch)` or of the next index.
   * @throws Error if a key is not a whole number from 0 to 2^53 - 1.
   */
  constructor(...keys: readonly [seed: number, ...stream: number[]]) {
    for (const key of keys)
      if (!Number.isSafeInteger(key) || key < 0)
        throw new Error(`a random seed is a whole number from 0 to 2^53 - 1, got ${key}`)
    // Each word of the state hashes all keys, in the manner of SplitMix (Steele, Lea & Flood 2014), from a start of its own.
    for (let word = 0; word < 4; word++) {
      let hash = mix(4 * keys.length + word)
      for (const key of keys) {
        hash = mix(hash + goldenRatio + (key % 2 ** 32))
        hash = mix(hash + goldenRatio + Math.floor(key / 2 ** 32))
      }
      this.#state[word] = hash
    }
    // xoshiro cannot leave the state of four zeros. The hash gives this state with a probability of 2^-128.
  }

  /** Returns 32 random bits as a whole number from 0 to 2^32 - 1. */
  bits(): number {
    return xoshiro128StarStar(this.#state)
  }

  /** Returns a uniformly distributed number in [0, 1). It is a multiple of 2^-24, which float32 represents exactly. */
  uniform(): number {
    return (this.bits() >>> 8) * 2 ** -24
  }

  /**
   * Returns a whole number from 0 to n - 1, each with the same probability (by rejection).
   * @throws Error if n is not a whole number from 1 to 2^32.
   */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32)
      throw new Error(`int(n) needs a whole number from 1 to 2^32, got ${n}`)
    const limit = 2 ** 32 - (2 ** 32 % n)
    let bits = this.bits()
    while (bits >= limit) bits = this.bits()
    return bits % n
  }

  /**
   * Returns a normally distributed number with mean 0 and standard deviation 1 (Box & Muller 1958), from -6.7 to 6.7. JavaScript
   * engines may differ in the last bit of Math.log, cos and sin, so results are equal across engines to about 1e-15 only.
   */
  normal(): number {
    const spare = this.#spareNormal
    if (spare !== undefined) {
      this.#spareNormal = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log((this.bits() + 1) * 2 ** -32))
    const angle = 2 * Math.PI * this.bits() * 2 ** -32
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Shuffles an array in place and returns it. Every order has the same probability (Fisher & Yates). */
  shuffle<T extends { readonly length: number; [index: number]: unknown }>(array: T): T {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const last = array[i]
      array[i] = array[j]
      array[j] = last
    }
    return array
  }
}

const goldenRatio = 0x9e3779b9

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

/** Hashes a 32-bit word one-to-one with MurmurHash3's finaliser: every input bit changes about half of the output bits. */
function mix(word: number): number {
  let h = word >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
