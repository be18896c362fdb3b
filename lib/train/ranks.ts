/**
 * The processes that train one model together, as the loops see them. Every rank runs the same
 * loop over the same data and decides the same; what costs time is handed out in turns, item i to rank
 * i mod size (completions as ranks have room), and everybody gets all results, in the order of the items. So metrics, decisions and
 * random streams are those of one process, and a run may be taken up by any number of ranks.
 *
 * `Ranks.alone` is the process without others: everything is done here, nothing is sent.
 */
import { deserialize, serialize } from 'node:v8'
import type {
  Batch,
  Engine,
  ForwardOptions,
  JoinOptions,
  Together,
  TokenValues,
} from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import type { Place } from '../launch/place.ts'
import { phrase } from '../messages/phrase.ts'

export class Ranks {
  readonly rank: number
  readonly size: number
  /** Aborted when the run is to stop: for several ranks at a step boundary, on all at once. */
  readonly signal: AbortSignal
  readonly #asked: AbortSignal
  readonly #shard: JoinOptions['shard']
  /** With weights in pieces: sampling gathers them layer by layer, in every step. */
  streams = false
  readonly #stop: AbortController | null
  /** Null for a process alone. */
  readonly #engine: Engine | null
  #label = ''

  private constructor(
    engine: Engine | null,
    rank: number,
    size: number,
    asked: AbortSignal,
    shard: JoinOptions['shard'] = 'none',
  ) {
    this.#shard = shard
    this.#engine = engine
    this.rank = rank
    this.size = size
    this.#asked = asked
    // A rank that stopped in the middle of a step would leave the others waiting.
    this.#stop = engine && size > 1 ? new AbortController() : null
    this.signal = this.#stop?.signal ?? asked
  }

  /** `signal` asks the run to stop. */
  static alone(signal: AbortSignal): Ranks {
    return new Ranks(null, 0, 1, signal)
  }

  /** Meets the others; returns when all have come. Throws ERR_RANKS naming those who have not. */
  static async join(
    engine: Engine,
    place: Place,
    shard: JoinOptions['shard'],
    signal: AbortSignal,
  ): Promise<Ranks> {
    await engine.join({ ...place, shard })
    return new Ranks(engine, place.rank, place.size, signal, shard)
  }

  /** A process without others, which was not launched as a rank either. */
  get alone(): boolean {
    return this.#engine === null
  }

  /** Whether this rank reports and writes files. */
  get first(): boolean {
    return this.rank === 0
  }

  /** Whether a rank has pieces of the weights alone (shard: parameters). */
  get divided(): boolean {
    return this.#engine !== null && this.#shard === 'parameters'
  }

  /** The value of every rank, in their order. Values are what structuredClone takes. */
  async gather<T>(value: T, label: string): Promise<T[]> {
    if (!this.#engine) return [value]
    const all = await this.#engine.allGather(serialize(value), this.#unique(label))
    return all.map(bytes => deserialize(bytes) as T)
  }

  /** With weights in pieces: they are whole until the next step's gradients; `slots` too, if asked. */
  async hold(label: string, slots = false): Promise<void> {
    if (!this.divided) return
    await this.#engine!.holdWeights(slots, this.#unique(`weights for ${label}`))
  }

  /**
   * Hands out the items; `work` gets this rank's and their places among all, and may use the engine's
   * weights. Returns the results of all ranks in the order of the items.
   */
  async share<T, R>(
    items: readonly T[],
    label: string,
    work: (own: T[], places: number[]) => Promise<R[]>,
  ): Promise<R[]> {
    await this.hold(label)
    return await this.#share(items, label, work)
  }

  /**
   * Hands out groups of `sequences` completions each as ranks come to have room: the longest expected ones
   * first, and the next one to whoever has fewer sequences under way than half of its fair share (on a CPU,
   * where a step takes as long as its rows; elsewhere the whole of it). `work` gets all items in this order,
   * their places among all and what engine.generate() needs to know, and returns what this rank took, by
   * place in its argument. Returns the results of all ranks in the order of the items.
   */
  async deal<T, R>(
    items: readonly T[],
    label: string,
    { expected, sequences }: { expected: (item: T) => number; sequences: number },
    work: (items: T[], places: number[], together?: Together) => Promise<[number, R][]>,
  ): Promise<R[]> {
    if (!this.streams) await this.hold(label)
    const places = [...items.keys()]
    let together: Together | undefined
    if (this.#engine) {
      const lengths = items.map(expected)
      if (this.size > 1) places.sort((a, b) => lengths[b]! - lengths[a]! || a - b)
      const fair = Math.ceil((items.length * sequences) / this.size)
      const half = this.size > 1 && this.#engine.device.startsWith('cpu')
      const live = Math.max(sequences, half ? Math.ceil(fair / 2) : fair)
      together = { label: this.#unique(label), group: sequences, live }
    }
    const done = await work(
      places.map(i => items[i]!),
      places,
      together,
    )
    return await this.collect(
      items.length,
      `results, ${label}`,
      done.map(([at, result]) => [places[at]!, result]),
    )
  }

  /** The results of `count` items, each from the rank that has it. */
  async collect<R>(count: number, label: string, own: readonly [number, R][]): Promise<R[]> {
    const results = new Map((await this.gather(own, label)).flat())
    return Array.from({ length: count }, (_, i) => {
      if (!results.has(i)) throw new Error(`${label}: no rank has number ${i} of ${count}`)
      return results.get(i)!
    })
  }

  async #share<T, R>(
    items: readonly T[],
    label: string,
    work: (own: T[], places: number[]) => Promise<R[]>,
  ): Promise<R[]> {
    const places = this.turns(items.length)
    const own = await work(
      places.map(i => items[i]!),
      places,
    )
    if (this.size === 1) return own
    const all = await this.gather(own, label)
    return items.map((_, i) => all[i % this.size]![Math.floor(i / this.size)]!)
  }

  /** The places of this rank's items among `count`. */
  turns(count: number): number[] {
    return Array.from({ length: count }, (_, i) => i).filter(i => i % this.size === this.rank)
  }

  /** `share` item by item. */
  async map<T, R>(items: readonly T[], label: string, work: (item: T) => Promise<R>): Promise<R[]> {
    return await this.share(items, label, async own => {
      const results: R[] = []
      for (const item of own) results.push(await work(item))
      return results
    })
  }

  /**
   * `map` for work that scores. Where weights are streamed ranks go through the items turn by turn: `work`
   * gets the name of the turn, by which it scores together with the others, and null where this rank has no item
   * in it. Elsewhere the weights are whole, those of the slots too if asked.
   */
  async score<T, R>(
    items: readonly T[],
    label: string,
    slots: boolean,
    work: (item: T | null, turn: string | null) => Promise<R>,
  ): Promise<R[]> {
    const own: R[] = []
    if (!this.streams) {
      await this.hold(label, slots)
      for (const place of this.turns(items.length)) own.push(await work(items[place]!, null))
    } else {
      for (let first = 0; first < items.length; first += this.size) {
        const item = items[first + this.rank] ?? null
        const result = await work(item, this.#unique(`${label}, from ${first + 1}`))
        if (item !== null) own.push(result)
      }
    }
    return await this.#share(items, `results, ${label}`, async () => own)
  }

  /**
   * `map` for micro-batches: `work` makes one backward. The sum over all of them does
   * not depend on the number of ranks, to the bit: they are added one by one in their order.
   */
  async accumulate<T, R>(
    items: readonly T[],
    label: string,
    work: (item: T, place: number) => Promise<R>,
  ): Promise<R[]> {
    const own: R[] = []
    for (let turn = 0; turn < items.length; turn += this.size) {
      const place = turn + this.rank
      const last = Math.min(turn + this.size, items.length)
      const which = last === turn + 1 ? `micro-batch ${last}` : `micro-batches ${turn + 1}–${last}`
      await this.#engine?.beginTurn(last - turn, this.#unique(`gradients, ${label}, ${which}`))
      if (place < items.length) own.push(await work(items[place]!, place))
      await this.#engine?.accumulate()
    }
    return await this.#share(items, `results, ${label}`, async () => own)
  }

  /**
   * Call between two steps: stops all ranks if any was asked to. Throws the abort. Whether all ranks are
   * `ready` for what the caller has in mind.
   */
  async boundary(label: string, ready = true): Promise<boolean> {
    let all = ready
    if (this.#stop) {
      const ranks = await this.gather({ asked: this.#asked.aborted, ready }, `boundary, ${label}`)
      if (ranks.some(({ asked }) => asked)) this.#stop.abort(this.#asked.reason)
      all = ranks.every(rank => rank.ready)
    }
    this.signal.throwIfAborted()
    return all
  }

  /** Rank 0 does it, the others wait for its result. */
  async once<T>(label: string, work: () => Promise<T>): Promise<T> {
    const own = this.first ? await work() : undefined
    return (await this.gather(own, label))[0] as T
  }

  /** Throws `E_RANKS` unless all ranks have the same value. */
  async agree(what: string, value: string): Promise<void> {
    const all = await this.gather(value, `comparing the ${what}`)
    const other = all.findIndex(theirs => theirs !== all[0])
    if (other > 0) {
      throw new KogrpoError(
        'E_RANKS',
        phrase('rank {other} has another {what} than rank 0; start all ranks with the same one', {
          other,
          what,
        }),
      )
    }
  }

  /** A meeting is by a new label: the same one again would not wait. */
  #unique(label: string): string {
    this.#label = label === this.#label ? `${label}, again` : label
    return this.#label
  }
}

/** In the `work` of Ranks.score(): the values of a batch under a slot, null without one. */
export async function scoreInTurn(
  engine: Engine,
  turn: string | null,
  batch: Batch | null,
  { slot = 'policy', ...options }: ForwardOptions & { slot?: string } = {},
): Promise<TokenValues | null> {
  if (turn === null) return batch && (await engine.score(batch, { ...options, slot }))
  return await engine.scoreStreaming(batch, { ...options, slot, label: `${turn}, ${slot}` })
}
