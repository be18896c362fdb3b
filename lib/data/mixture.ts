/**
 * An endless weighted mixture of sources, reproducible and resumable.
 *
 * Which source gives sample p follows from the weights alone: the one furthest behind its share,
 * (p + 1) · w − drawn (ties: first by name), so every prefix keeps the proportions to within one
 * sample per source. Which item it gives follows from seed, source name and epoch: each source runs
 * through its own permutation, a new one every epoch. Neither depends on the order in which sources
 * were listed. The state is a handful of integers; restoring it continues exactly.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { permutation } from './random.ts'

/** One source of a mixture. */
export interface MixtureSource<T> {
  /** Unique within the mixture. */
  name: string
  items: readonly T[]
  /** Relative share of the samples drawn; positive. */
  weight: number
  /** Of each item: all of bucket 0 come before those of bucket 1 … in every epoch (default: one). */
  buckets?: readonly number[] | undefined
}

/** One draw. */
interface Draw<T> {
  item: T
  source: string
  /** Index of the item in its source. */
  index: number
  /** How many times the source had been exhausted before this draw. */
  epoch: number
}

/** Where a mixture stands, with what identifies it. Plain JSON. */
export interface MixtureState {
  seed: number
  shuffle: boolean
  position: number
  sources: { name: string; size: number; weight: number; drawn: number }[]
}

interface Cursor<T> {
  name: string
  items: readonly T[]
  buckets: readonly number[] | undefined
  weight: number
  share: number
  drawn: number
  /** The permutation of `orderEpoch`. */
  order: Uint32Array
  orderEpoch: number
}

/** Endless draws from weighted sources. */
export class Mixture<T> {
  readonly #cursors: Cursor<T>[]
  readonly #seed: number
  readonly #shuffle: boolean
  #position = 0

  /** `shuffle: false` keeps each source in file order. Throws `KogrpoError` `E_MIXTURE`. */
  constructor(
    sources: readonly MixtureSource<T>[],
    options: { seed: number; shuffle?: boolean | undefined },
  ) {
    if (sources.length === 0) throw new KogrpoError('E_MIXTURE', phrase('a mixture needs a source'))
    if (!Number.isSafeInteger(options.seed)) {
      throw new KogrpoError(
        'E_MIXTURE',
        phrase('seed is {seed}; it must be a whole number', { seed: options.seed }),
      )
    }
    const total = sources.reduce((sum, source) => sum + source.weight, 0)
    const names = new Set<string>()
    for (const { name, items, weight } of sources) {
      if (names.has(name))
        throw new KogrpoError('E_MIXTURE', phrase('two sources are named "{name}"', { name }))
      names.add(name)
      if (items.length === 0)
        throw new KogrpoError('E_MIXTURE', phrase('source "{name}" is empty', { name }))
      if (!(weight > 0) || !Number.isFinite(total)) {
        throw new KogrpoError(
          'E_MIXTURE',
          phrase('weight of source "{name}" is {weight}; give a positive number', { name, weight }),
        )
      }
    }
    this.#seed = options.seed
    this.#shuffle = options.shuffle ?? true
    this.#cursors = [...sources]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, items, weight, buckets }) => ({
        name,
        items,
        buckets,
        weight,
        share: weight / total,
        drawn: 0,
        order: new Uint32Array(),
        orderEpoch: -1,
      }))
  }

  /** Samples drawn so far. */
  get position(): number {
    return this.#position
  }

  /** Items of all sources together. */
  get size(): number {
    return this.#cursors.reduce((sum, { items }) => sum + items.length, 0)
  }

  /** The next sample; never ends. */
  next(): Draw<T> {
    const cursor = this.#furthestBehind()
    const epoch = Math.floor(cursor.drawn / cursor.items.length)
    const at = cursor.drawn % cursor.items.length
    const index = this.#shuffle ? (this.#orderOf(cursor, epoch)[at] as number) : at
    cursor.drawn++
    this.#position++
    return { item: cursor.items[index] as T, source: cursor.name, index, epoch }
  }

  /** The next `count` samples. */
  take(count: number): Draw<T>[] {
    return Array.from({ length: count }, () => this.next())
  }

  #furthestBehind(): Cursor<T> {
    let best = this.#cursors[0] as Cursor<T>
    let deficit = Number.NEGATIVE_INFINITY
    for (const cursor of this.#cursors) {
      const behind = (this.#position + 1) * cursor.share - cursor.drawn
      if (behind > deficit) {
        deficit = behind
        best = cursor
      }
    }
    return best
  }

  #orderOf(cursor: Cursor<T>, epoch: number): Uint32Array {
    if (cursor.orderEpoch !== epoch) {
      const key = JSON.stringify(['kogrpo mixture', this.#seed, cursor.name, epoch])
      const { items, buckets } = cursor
      const order = permutation(items.length, key)
      // Sorting is stable: within a bucket the permutation stays.
      cursor.order = buckets ? order.sort((a, b) => buckets[a]! - buckets[b]!) : order
      cursor.orderEpoch = epoch
    }
    return cursor.order
  }

  /** The position as plain JSON. */
  state(): MixtureState {
    return {
      seed: this.#seed,
      shuffle: this.#shuffle,
      position: this.#position,
      sources: this.#cursors.map(({ name, items, weight, drawn }) => ({
        name,
        size: items.length,
        weight,
        drawn,
      })),
    }
  }

  /**
   * Continues where `state` was taken. Throws `KogrpoError` `E_MIXTURE` naming what differs when it
   * is of another mixture: resuming with other data would silently repeat or leave out samples.
   */
  restore(state: MixtureState): void {
    const mine = this.state()
    const differ = (what: string, saved: unknown, now: unknown): void => {
      if (JSON.stringify(saved) === JSON.stringify(now)) return
      throw new KogrpoError(
        'E_MIXTURE',
        phrase(
          'cannot resume: {what} was {saved} and is now {now}; resume with the same data and seed, or start a new run',
          { what, saved: JSON.stringify(saved), now: JSON.stringify(now) },
        ),
      )
    }
    differ('seed', state.seed, mine.seed)
    differ('shuffle', state.shuffle, mine.shuffle)
    for (const what of ['name', 'size', 'weight'] as const) {
      differ(
        `${what} of the sources`,
        state.sources.map(source => source[what]),
        mine.sources.map(source => source[what]),
      )
    }
    const drawn = state.sources.reduce((sum, source) => sum + source.drawn, 0)
    differ('the position', state.position, drawn)
    for (const [i, cursor] of this.#cursors.entries()) cursor.drawn = state.sources[i]?.drawn ?? 0
    this.#position = state.position
  }
}
