/**
 * The ratings of one generation. Each group is rated as soon as its last completion is there, while others
 * are still sampled: reward functions and judge take their time beside the sampler, not after it.
 */
import type { Reporter } from '../report/reporter.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { RatedGroup, Scorer } from './scoring.ts'

export class Ratings {
  readonly #scorer: Scorer
  readonly #columns: Iterable<string>
  readonly #reporter: Reporter
  readonly #signal: AbortSignal
  readonly #onNonFinite: 'throw' | 'collect'
  readonly #groups = new Map<number, Promise<RatedGroup>>()
  readonly #judged = new Map<number, { done: number; asked: number }>()
  /** Groups whose rating has ended. */
  #rated = 0
  #sampled = false
  #first = Number.POSITIVE_INFINITY
  #last = Number.NEGATIVE_INFINITY

  /** `columns`: names of the data columns of the generation. `onNonFinite`: of rewards, see Scorer.rate(). */
  constructor(
    scorer: Scorer,
    columns: Iterable<string>,
    reporter: Reporter,
    signal: AbortSignal,
    onNonFinite: 'throw' | 'collect' = 'collect',
  ) {
    this.#onNonFinite = onNonFinite
    this.#scorer = scorer
    this.#columns = columns
    this.#reporter = reporter
    this.#signal = signal
  }

  /** Begins to rate the group at `place` among those of the generation. */
  begin(place: number, group: readonly Rollout[]): void {
    const rated = this.#rate(place, group)
    // An error is thrown where the ratings are asked for.
    rated.catch(() => {})
    this.#groups.set(place, rated)
  }

  /** Call when nothing is sampled any more: from now on reward functions and judge are what is waited for. */
  sampled(): void {
    this.#sampled = true
    this.#show()
  }

  /** What was begun, with its places and in their order. The first error wins. */
  async entries(): Promise<[number, RatedGroup][]> {
    const places = [...this.#groups.keys()].sort((a, b) => a - b)
    return await Promise.all(
      places.map(
        async (place): Promise<[number, RatedGroup]> => [place, await this.#groups.get(place)!],
      ),
    )
  }

  /** Seconds from the first rating's begin to the last one's end. */
  seconds(): number {
    return Math.max(0, this.#last - this.#first) / 1000
  }

  async #rate(place: number, group: readonly Rollout[]): Promise<RatedGroup> {
    this.#first = Math.min(this.#first, performance.now())
    const onJudged = (done: number, asked: number): void => {
      this.#judged.set(place, { done, asked })
      this.#show()
    }
    const rated = await this.#scorer.rate(
      group,
      this.#columns,
      this.#signal,
      onJudged,
      this.#onNonFinite,
    )
    this.#last = Math.max(this.#last, performance.now())
    this.#rated++
    if (this.#judged.size === 0) this.#show()
    return rated
  }

  #show(): void {
    if (!this.#sampled) return
    if (this.#judged.size === 0) {
      const [done, total] = [this.#rated, this.#groups.size]
      if (done < total) this.#reporter.emit({ type: 'activity', activity: 'reward', done, total })
      return
    }
    const sum = (of: 'done' | 'asked'): number =>
      [...this.#judged.values()].reduce((total, part) => total + part[of], 0)
    this.#reporter.emit({
      type: 'activity',
      activity: 'judge',
      done: sum('done'),
      total: sum('asked'),
    })
  }
}
