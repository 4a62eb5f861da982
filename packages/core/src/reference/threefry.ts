// Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy
// as 1, 2, 3"). A draw is a pure function of key and counter: there is no state, and draws can be made in any order.

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const
const parity = 0x1bd11bda

/** Encrypts the counter (c0, c1) with the key (k0, k1), and returns the first of the two resulting words as an unsigned integer. */
export function threefry(k0: number, k1: number, c0: number, c1: number): number {
  const keys = [k0, k1, parity ^ k0 ^ k1] as const
  let x = (c0 + k0) | 0
  let y = (c1 + k1) | 0
  for (let round = 0; round < 20; round++) {
    const r = rotations[round % 8]!
    x = (x + y) | 0
    y = ((y << r) | (y >>> (32 - r))) ^ x
    if (round % 4 !== 3) continue
    const injection = (round + 1) / 4
    x = (x + keys[injection % 3]!) | 0
    y = (y + keys[(injection + 1) % 3]! + injection) | 0
  }
  return x >>> 0
}

/** Returns a uniformly distributed number in [0, 1). It is a multiple of 2^-24, which float32 represents exactly. */
export const uniform = (k0: number, k1: number, c0: number, c1: number): number =>
  (threefry(k0, k1, c0, c1) >>> 8) * 2 ** -24
