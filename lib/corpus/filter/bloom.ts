/**
 * A blocked Bloom filter (Putze, Sanders & Singler 2007): a fixed number of bytes however many keys, no
 * key that was added is ever missed, and a key's 6 bits lie in one block of 512 bits, so that a
 * question costs one access to memory. Keys are 64 bits in two words, well mixed.
 */
const PROBES = 6
const BLOCK_WORDS = 16

export class BloomFilter {
  readonly words: Uint32Array
  readonly #blocks: number
  /** Keys added that were new. */
  added = 0

  /** `bytes` is rounded down to whole blocks of 64. */
  constructor(bytes: number) {
    this.#blocks = Math.max(1, Math.floor(bytes / (4 * BLOCK_WORDS)))
    this.words = new Uint32Array(this.#blocks * BLOCK_WORDS)
  }

  has(a: number, b: number): boolean {
    const base = (a % this.#blocks) * BLOCK_WORDS
    const step = (b >>> 9) | 1
    for (let i = 0, bit = b; i < PROBES; i++, bit += step) {
      if ((this.words[base + ((bit & 511) >>> 5)]! & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  add(a: number, b: number): void {
    const base = (a % this.#blocks) * BLOCK_WORDS
    const step = (b >>> 9) | 1
    let fresh = false
    for (let i = 0, bit = b; i < PROBES; i++, bit += step) {
      const at = base + ((bit & 511) >>> 5)
      const flag = 1 << (bit & 31)
      if ((this.words[at]! & flag) === 0) fresh = true
      this.words[at]! |= flag
    }
    if (fresh) this.added++
  }

  /**
   * Probability that a key which was never added is taken for a known one: the share of set bits, over
   * a sample of blocks, to the power of the probes.
   */
  falsePositiveRate(): number {
    const stride = Math.max(1, Math.floor(this.#blocks / 4096))
    let [sum, blocks] = [0, 0]
    for (let block = 0; block < this.#blocks; block += stride, blocks++) {
      let set = 0
      for (let i = 0; i < BLOCK_WORDS; i++) set += ones(this.words[block * BLOCK_WORDS + i]!)
      sum += (set / (32 * BLOCK_WORDS)) ** PROBES
    }
    return sum / blocks
  }
}

function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
