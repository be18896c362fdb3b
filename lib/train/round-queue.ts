/**
 * Which weights sample a round.
 *
 *   on_policy      those that it is trained on first
 *   one_step_off   those of a round earlier: round n + 1 is sampled before the update on round n, while
 *                  the judge still rates round n. The trainer's log-probs are then another policy's than
 *                  the sampler's, and the loss clips their ratio; each round is trained on once, one
 *                  round late. The first is exact.
 */
import type { GrpoStage } from '../config/schema.ts'
import { type GroupSource, type Groups, SampledRound } from './groups.ts'
import type { OracleState } from './oracle.ts'
import type { SavedRound } from './saved-round.ts'
import type { Session } from './session.ts'
import type { Timer } from './timer.ts'

/** A round to train on. */
export interface ReadyRound extends Groups {
  /** The optimizer step whose end's weights sampled it. */
  sampledAt: number
  /** Samples drawn from the data up to its last prompt. */
  position: number
}

export class RoundQueue {
  readonly #session: Session
  readonly #stage: GrpoStage
  readonly #source: GroupSource
  /** How many rounds the stage has. */
  readonly #rounds: number
  /** Sampled ahead. */
  #pending: SampledRound | null = null

  constructor(session: Session, stage: GrpoStage, source: GroupSource, rounds: number) {
    this.#session = session
    this.#stage = stage
    this.#source = source
    this.#rounds = rounds
  }

  /** Takes up the round that was sampled before a resume; it is the round `round`. */
  async restore(round: number, saved: SavedRound, timer: Timer): Promise<void> {
    this.#source.mixture.restore(saved.mixture)
    const { sampled_at, generations } = saved
    this.#pending = await this.#begin(round, sampled_at, timer, generations)
  }

  /** For a saved state: the round that is sampled and not trained on. */
  state(): SavedRound | undefined {
    return this.#pending?.state()
  }

  /** For a saved state: what the oracle knows, without the round that is sampled ahead; its ratings are made
   *  again. */
  oracle(): OracleState | undefined {
    return this.#pending?.oracle ?? this.#session.oracle?.state()
  }

  /** Forgets what is sampled ahead: the weights that sampled it are to be gone from. */
  drop(): void {
    this.#pending = null
  }

  /** Round `round` (from 0), ready; the weights are those of the end of `step`. `generated`: tokens
   *  sampled meanwhile. */
  async next(
    round: number,
    step: number,
    timer: Timer,
  ): Promise<{ ready: ReadyRound; generated: number }> {
    const ahead = this.#pending
    const current = ahead ?? (await this.#begin(round, step, timer))
    const last = round + 1 >= this.#rounds
    this.#pending =
      this.#stage.rollout_mode === 'one_step_off' && !last
        ? await this.#begin(round + 1, step, timer)
        : null
    const groups = await current.finish(timer)
    const { sampledAt, position } = current
    return {
      ready: { ...groups, sampledAt, position },
      generated: (ahead ? 0 : current.generated) + (this.#pending?.generated ?? 0),
    }
  }

  /** Dynamic sampling draws by what the ratings say: it has to be through before anything else is drawn
   *  or trained. */
  async #begin(
    round: number,
    sampledAt: number,
    timer: Timer,
    saved?: SavedRound['generations'],
  ): Promise<SampledRound> {
    const sampled = await SampledRound.begin(
      this.#session,
      this.#stage,
      this.#source,
      { round, sampledAt, saved },
      timer,
    )
    const ahead = this.#stage.rollout_mode === 'one_step_off'
    if (ahead && this.#stage.dynamic_sampling.mode === 'resample') await sampled.finish(timer)
    return sampled
  }
}
