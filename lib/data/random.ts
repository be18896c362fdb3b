/**
 * Seeded permutations for shuffling data. The state of xoshiro128** (Blackman and Vigna 2018) is
 * taken from SHA-256 of a textual key, so a permutation depends on its key (seed, source, epoch)
 * and on nothing that was drawn before.
 */
import { createHash } from 'node:crypto'

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k))
}

/** A stream of uniform 32-bit integers determined by `key`. */
export function randomStream(key: string): () => number {
  const digest = createHash('sha256').update(key).digest()
  let [a, b, c, d] = [0, 4, 8, 12].map(at => digest.readInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ]
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotateLeft(d, 11)
    return result
  }
}

/** A uniform integer in [0, bound) for bound ≤ 2^32, without modulo bias. */
function below(next: () => number, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound)
  for (;;) {
    const value = next()
    if (value < limit) return value % bound
  }
}

/** A uniformly random permutation of 0 … size − 1 determined by `key` (Fisher–Yates). */
export function permutation(size: number, key: string): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, i) => i)
  const next = randomStream(key)
  for (let i = size - 1; i > 0; i--) {
    const j = below(next, i + 1)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  return order
}
