/**
 * Decides, text by text in the order of the corpus, which repeat an earlier one that was kept. The
 * index is a Bloom filter of a fixed size (LSHBloom, arXiv 2411.04257; BFF of DataComp-LM, arXiv
 * 2406.11794), so memory does not grow with the corpus; what it costs is a rate of false matches, which is
 * measured and limited.
 *
 *   exact    the key is known
 *   minhash  at least `matches` of the 32 bands are known: the least number that a text of Jaccard
 *            similarity `similarity` reaches with probability 0.95. Several bands instead of one make
 *            the step steeper, and false matches of the filter harmless: with 0.8, texts of similarity
 *            0.9 / 0.8 / 0.7 / 0.6 are dropped with probability 1.00 / 0.95 / 0.36 / 0.02. Bands may be
 *            known from different texts.
 *   ngram    the share of known runs is at least `similarity`
 *
 * The keys of a dropped text are not added: what it shares with a third text is known already.
 */
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { BloomFilter } from './bloom.ts'
import { BANDS, type DedupMethod } from './signature.ts'

/** Beyond this rate the index answers for texts it has not seen. */
const MOST_FALSE = 0.1
const CHECK_EVERY = 4096

/** P(at least k of n), each with probability p. */
export function binomialTail(n: number, p: number, k: number): number {
  let [sum, choose] = [0, 1]
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += choose * p ** i * (1 - p) ** (n - i)
    choose = (choose * (n - i)) / (i + 1)
  }
  return sum
}

/** The least number of equal bands that counts as a duplicate. */
export function requiredMatches(similarity: number): number {
  for (let k = BANDS; k > 1; k--) if (binomialTail(BANDS, similarity ** 4, k) >= 0.95) return k
  return 1
}

export class Deduplicator {
  readonly index: BloomFilter
  readonly #method: DedupMethod
  readonly #similarity: number
  readonly #matches: number
  #asked = 0

  /** `bytes`: of the index. */
  constructor(method: DedupMethod, similarity: number, bytes: number) {
    this.#method = method
    this.#similarity = similarity
    this.#matches = requiredMatches(similarity)
    this.index = new BloomFilter(method === 'none' ? 64 : bytes)
  }

  /**
   * Whether the text with the keys `keys[2 · from, 2 · to)` is a duplicate; if not, it is remembered.
   * Throws `E_MEMORY` when the index is too full to tell.
   */
  isDuplicate(keys: Uint32Array, from: number, to: number): boolean {
    if (this.#method === 'none') return false
    if (++this.#asked % CHECK_EVERY === 0) this.#checkRate()
    let known = 0
    for (let k = from; k < to; k++) if (this.index.has(keys[2 * k]!, keys[2 * k + 1]!)) known++
    const enough =
      this.#method === 'minhash' ? this.#matches : Math.max(1, this.#similarity * (to - from))
    if (known >= enough) return true
    for (let k = from; k < to; k++) this.index.add(keys[2 * k]!, keys[2 * k + 1]!)
    return false
  }

  #checkRate(): void {
    const rate = this.index.falsePositiveRate()
    if (rate <= MOST_FALSE) return
    const mebibytes = this.index.words.byteLength / 2 ** 20
    throw new KogrpoError(
      'E_MEMORY',
      phrase(
        'the index of duplicates is full: {added} keys in {mebibytes} MiB, so that {share} % of unknown keys look known; start again with a larger --index-memory (about 10 bits a key)',
        { added: this.index.added, mebibytes, share: (100 * rate).toFixed(0) },
      ),
    )
  }
}
