/**
 * Counter-based randomness for the miniature's generator: `splitmix64` turns (seed, counter) into
 * 64 well-mixed bits, and those seed a small 32-bit generator (sfc32, Doty-Humphrey's PractRand)
 * that one problem draws from. A problem therefore depends on its own seed alone, never on what
 * was generated before it. Source of the mixer: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014.
 */

const MASK = 0xffffffffffffffffn
const GOLDEN = 0x9e3779b97f4a7c15n

/** The `counter`-th output of the splitmix64 stream that starts at `seed`; both are taken modulo 2^64. */
export function splitmix64(seed: bigint, counter = 0n): bigint {
  let z = (seed + (counter + 1n) * GOLDEN) & MASK
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK
  return z ^ (z >> 31n)
}

/** 64-bit FNV-1a of the UTF-16 code units: a stable identity for names and problem keys. */
export function hash64(text: string): bigint {
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (let i = 0; i < text.length; i++) {
    low = (low ^ text.charCodeAt(i)) >>> 0
    // Multiply by the FNV prime 2^40 + 0x1b3 in two 32-bit halves.
    const product = low * 0x1b3
    const carry = Math.floor(product / 0x100000000)
    high = (Math.imul(high, 0x1b3) + carry + (low << 8)) >>> 0
    low = product >>> 0
  }
  return (BigInt(high) << 32n) | BigInt(low)
}

/** A stream of draws; see `createRandom`. */
export interface Random {
  /** A uniform integer in [low, high], both included. */
  int(low: number, high: number): number
  /** A uniform element; the array must not be empty. */
  pick<T>(values: readonly T[]): T
  /** Two different elements in random order; the array must hold at least two. */
  pair<T>(values: readonly T[]): [T, T]
  /** True with probability `p`. */
  chance(p: number): boolean
}

/** The stream of `seed`: equal seeds give equal draws. */
export function createRandom(seed: bigint): Random {
  const first = splitmix64(seed, 0n)
  const second = splitmix64(seed, 1n)
  let a = Number(first & 0xffffffffn) | 0
  let b = Number(first >> 32n) | 0
  let c = Number(second & 0xffffffffn) | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let i = 0; i < 8; i++) next()
  const below = (n: number): number => Math.floor((next() / 4294967296) * n)
  return {
    int: (low, high) => low + below(high - low + 1),
    pick: values => values[below(values.length)]!,
    pair: values => {
      const i = below(values.length)
      const j = (i + 1 + below(values.length - 1)) % values.length
      return [values[i]!, values[j]!]
    },
    chance: p => next() / 4294967296 < p,
  }
}
