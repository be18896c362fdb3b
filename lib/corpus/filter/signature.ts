/**
 * What of a text goes into the index that finds duplicates, as 64-bit keys (pairs of 32-bit words). All
 * of it works on the reduced text (measure.ts), so that spaces, punctuation, case and width do not count.
 *
 *   exact    one key, of the whole text
 *   minhash  32 keys: bands of 4 of the 128 minima of one-permutation MinHash over runs of 5 characters.
 *            Every run's hash picks its bin and competes for the bin's minimum, so a run costs one hash
 *            instead of 128 (Li, Owen & Zhang 2012, arXiv 1208.1259); bins of short texts that stay empty
 *            borrow from a bin that a hash chain picks (Shrivastava 2017, arXiv 1703.04664). Two texts
 *            whose sets of runs have Jaccard similarity s agree in a bin with probability ≈ s, in a band
 *            with s⁴, so the number of equal bands is about binomial(32, s⁴).
 *   ngram    a key for every run of 24 characters whose hash is 0 mod 8: the same runs are picked in
 *            every text, so their share that is known is an unbiased estimate of the share of all runs.
 */
import { mix } from './measure.ts'

export const DEDUP_METHODS = ['none', 'exact', 'minhash', 'ngram'] as const
export type DedupMethod = (typeof DEDUP_METHODS)[number]

export const BANDS = 32
const ROWS = 4
const BINS = BANDS * ROWS
const SHINGLE = 5
const NGRAM = 24
const SAMPLED = 8
const EMPTY = 0xffff_ffff
// Two independent polynomials; odd bases, so that no character is lost mod 2^32.
const [B1, B2] = [0x01000193, 0x9e3779b1]

function hashOf(units: Uint16Array, from: number, to: number): [number, number] {
  let [a, b] = [to - from, 0x2545f491]
  for (let i = from; i < to; i++) {
    a = (Math.imul(a, B1) + units[i]!) | 0
    b = (Math.imul(b, B2) + units[i]!) | 0
  }
  return [mix(a), mix(b ^ 0x5bd1e995)]
}

/** Collects keys of many texts one behind the other. */
export class Signatures {
  readonly #method: DedupMethod
  readonly #minima = new Uint32Array(BINS)
  readonly #filled = new Uint32Array(BINS)
  #keys = new Uint32Array(1 << 14)
  #length = 0

  constructor(method: DedupMethod) {
    this.#method = method
  }

  /** Adds the keys of a text of `length` reduced units and returns how many (of two words each). */
  add(units: Uint16Array, length: number): number {
    const before = this.#length
    if (this.#method === 'exact') this.#push(...hashOf(units, 0, length))
    else if (this.#method === 'minhash') this.#minhash(units, length)
    else if (this.#method === 'ngram') this.#ngrams(units, length)
    return (this.#length - before) / 2
  }

  /** The keys since the last take(). */
  take(): Uint32Array {
    const keys = this.#keys.slice(0, this.#length)
    this.#length = 0
    return keys
  }

  #push(a: number, b: number): void {
    if (this.#length + 2 > this.#keys.length) {
      const grown = new Uint32Array(2 * this.#keys.length)
      grown.set(this.#keys)
      this.#keys = grown
    }
    this.#keys[this.#length++] = a
    this.#keys[this.#length++] = b
  }

  #minhash(units: Uint16Array, length: number): void {
    const minima = this.#minima.fill(EMPTY)
    // A text shorter than a run is one run.
    const last = Math.max(0, length - SHINGLE)
    for (let i = 0; i <= last; i++) {
      let h = 0
      const end = Math.min(i + SHINGLE, length)
      for (let j = i; j < end; j++) h = (Math.imul(h, B2) + units[j]!) | 0
      h = mix(h)
      const bin = h >>> 25
      const value = Math.imul(h, B1) >>> 0
      if (value < minima[bin]!) minima[bin] = value
    }
    const filled = this.#filled
    for (let bin = 0; bin < BINS; bin++) {
      let from = bin
      for (let attempt = 1; minima[from] === EMPTY; attempt++) {
        from = mix(Math.imul(bin + 1, B1) ^ Math.imul(attempt, B2)) & (BINS - 1)
      }
      filled[bin] = minima[from]!
    }
    for (let band = 0; band < BANDS; band++) {
      let [a, b] = [band, ~band]
      for (let row = 0; row < ROWS; row++) {
        const value = filled[band * ROWS + row]!
        a = mix(Math.imul(a, B1) ^ value)
        b = mix((Math.imul(b, B2) + value) | 0)
      }
      this.#push(a, b)
    }
  }

  #ngrams(units: Uint16Array, length: number): void {
    const before = this.#length
    let [a, b] = [0, 0]
    for (let i = 0; i < length; i++) {
      a = (Math.imul(a, B1) + units[i]!) | 0
      b = (Math.imul(b, B2) + units[i]!) | 0
      if (i < NGRAM - 1) continue
      if (i >= NGRAM) {
        a = (a - Math.imul(units[i - NGRAM]!, LEAVE_1)) | 0
        b = (b - Math.imul(units[i - NGRAM]!, LEAVE_2)) | 0
      }
      const key = mix(a)
      if (key % SAMPLED === 0) this.#push(key, mix(b ^ 0x5bd1e995))
    }
    // Too short for a sampled run: the whole text is one.
    if (this.#length === before) this.#push(...hashOf(units, 0, length))
  }
}

function power(base: number): number {
  let result = 1
  for (let i = 0; i < NGRAM; i++) result = Math.imul(result, base)
  return result
}
const LEAVE_1 = power(B1)
const LEAVE_2 = power(B2)
