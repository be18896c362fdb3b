/**
 * A bounded cache in two generations: when the young one is full it becomes the old one, and what
 * was not asked for since then is forgotten. Lookups cost one or two Map reads and nothing is moved
 * on a hit in the young generation, which makes it cheaper than a strict LRU list.
 */

/** Keeps at least the last `capacity` distinct keys asked for. */
export class WordCache<V> {
  readonly #capacity: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** The cached value, or `make(key)`, which is then cached. */
  get(key: string, make: (key: string) => V): V {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const value = this.#old.get(key) ?? make(key)
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
    return value
  }
}
