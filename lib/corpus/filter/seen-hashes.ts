/**
 * A set of 32-bit hashes that is emptied in constant time: open addressing with linear probing, where
 * a slot counts only if it was written since the last clear(). Slots are pairs (generation, hash), so
 * that a question costs one access to memory.
 */
export class SeenHashes {
  #slots = new Uint32Array(1 << 11)
  #generation = 0
  /** Slots in use, less one: few for a short text, so that they stay in the cache. */
  #mask = 0

  /** Empties the set and makes room for `count` hashes. */
  clear(count: number): void {
    let size = 1 << 10
    while (size < 2 * count) size *= 2
    this.#mask = size - 1
    if (2 * size > this.#slots.length) {
      this.#slots = new Uint32Array(2 * size)
      this.#generation = 0
    }
    this.#generation++
    if (this.#generation > 0xffff_ffff) {
      this.#slots.fill(0)
      this.#generation = 1
    }
  }

  /** Adds a hash (unsigned) and says whether it was there already. */
  add(hash: number): boolean {
    const slots = this.#slots
    const mask = this.#mask
    const generation = this.#generation
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      if (slots[2 * i] !== generation) {
        slots[2 * i] = generation
        slots[2 * i + 1] = hash
        return false
      }
      if (slots[2 * i + 1] === hash) return true
    }
  }
}
