/**
 * The groups of one round: prompts are drawn and completed, and each group is rated while others are
 * still sampled. With dynamic sampling (DAPO,
 * arXiv 2503.14476, sec. 3.2) only groups that can teach something stay, those whose rewards differ:
 *
 *   mask       the others are left out of the loss and of its denominators
 *   resample   and replaced by groups of further prompts, in at most max_rounds further generations;
 *              what is still missing then is left out
 *
 * Prompts, random streams and verdicts follow from the position in the data and the number of the
 * round alone, so a resumed run makes the same groups.
 */
import { consistencyBonus } from '../algorithms/consistency.ts'
import { equalGroups } from '../algorithms/group-statistics.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Mixture, MixtureState } from '../data/mixture.ts'
import type { GrpoSample } from '../data/samples.ts'
import { type Readiness, readiness } from '../eval/readiness.ts'
import type { CompletionRow, Metrics } from '../report/events.ts'
import { rewardMetrics } from '../rewards/metrics.ts'
import type { RewardValues } from '../rewards/types.ts'
import type { ExpectedLengths } from '../rollout/expected-lengths.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { completionMetrics, completionRows, domainMetrics } from './completion-metrics.ts'
import { answerConfidences } from './consistency.ts'
import { ACCURACY, type OracleState } from './oracle.ts'
import { Ratings } from './ratings.ts'
import { Refiner } from './refine.ts'
import type { NonFiniteSample } from './replay-file.ts'
import {
  loadGeneration,
  type SavedGeneration,
  type SavedRound,
  saveGeneration,
} from './saved-round.ts'
import { columnNames, type Scorer, type Scores } from './scoring.ts'
import type { Session } from './session.ts'
import { sampleShared } from './shared-sampling.ts'
import type { Timer } from './timer.ts'

/** What is trained on in a round. */
export interface Groups {
  rollouts: Rollout[]
  /** One a rollout. */
  advantages: Float32Array
  /** Added to them, one array a rollout and one number a token (dense_reward); else null. */
  tokenAdvantages: Float32Array[] | null
  /** Everything that was sampled. */
  rows: CompletionRow[]
  /** Of the first generation, before groups are left out. */
  readiness: Readiness
  /** Of everything that was sampled; rewards and verdicts are those of the first generation, the
   *  judge's costs those of all. */
  metrics: Metrics
  /** Rewards that are NaN or infinite: the round is not to be trained on. */
  nonfinite: NonFiniteSample[]
}

export interface GroupSource {
  mixture: Mixture<GrpoSample>
  scorer: Scorer
  seed: number
  /** Groups of a round. */
  prompts: number
  /** What is known of the lengths of completions. */
  lengths: ExpectedLengths
}

/** Which round it is. */
interface RoundPlace {
  /** From 0. */
  round: number
  /** The optimizer step whose end's weights sample. */
  sampledAt: number
  /** What was sampled before a resume; stands for sampling it. */
  saved?: SavedGeneration[] | undefined
}

/** Completions of some prompts, and what is thought of them as far as it is known. */
interface Generation {
  rollouts: Rollout[]
  ratings: Ratings
  /** The reference's in each answer (consistency_bonus); null without. */
  confidence: number[] | null
}

/**
 * One round under way: its first generation is sampled, its ratings may still be on their way.
 * `finish` waits for them and samples what dynamic sampling still wants.
 */
export class SampledRound {
  /** The optimizer step whose end's weights sampled. */
  readonly sampledAt: number
  readonly #session: Session
  readonly #stage: GrpoStage
  readonly #source: GroupSource
  /** From 0. */
  readonly #round: number
  readonly #mixture: MixtureState
  readonly #saved: SavedGeneration[]
  readonly #generations: Generation[] = []
  #position: number
  readonly #refiner: Refiner | null
  #groups: Promise<Groups> | null = null
  #oracle: OracleState | undefined

  private constructor(
    session: Session,
    stage: GrpoStage,
    source: GroupSource,
    { round, sampledAt, saved = [] }: RoundPlace,
  ) {
    this.#session = session
    this.#stage = stage
    this.#source = source
    this.#round = round
    this.sampledAt = sampledAt
    this.#saved = saved
    const { critique } = stage
    this.#refiner = critique ? new Refiner(session, stage, critique, session.oracle) : null
    this.#mixture = source.mixture.state()
    this.#position = source.mixture.position
  }

  /** Draws the prompts of a round and samples with the present weights. */
  static async begin(
    session: Session,
    stage: GrpoStage,
    source: GroupSource,
    place: RoundPlace,
    timer: Timer,
  ): Promise<SampledRound> {
    const sampled = new SampledRound(session, stage, source, place)
    await sampled.#generate(source.prompts, timer)
    return sampled
  }

  /** Samples drawn from the data up to the last prompt. */
  get position(): number {
    return this.#position
  }

  /** What a saved state needs to have the same round again. */
  state(): SavedRound {
    return {
      sampled_at: this.sampledAt,
      mixture: this.#mixture,
      generations: this.#generations.map(({ rollouts }) => saveGeneration(rollouts)),
    }
  }

  /** What the oracle knew before it counted this round; absent without one, and before `finish`. */
  get oracle(): OracleState | undefined {
    return this.#oracle
  }

  /** Tokens generated so far. */
  get generated(): number {
    const all = this.#generations.flatMap(({ rollouts }) => rollouts)
    return all.reduce((sum, { tokens }) => sum + tokens.length, 0)
  }

  /** Waits for the ratings; with `resample`, samples the groups that are missing. */
  async finish(timer: Timer): Promise<Groups> {
    if (!this.#groups) this.#oracle = this.#session.oracle?.state()
    this.#groups ??= this.#finish(timer)
    return await this.#groups
  }

  async #finish(timer: Timer): Promise<Groups> {
    const { mode, max_rounds } = this.#stage.dynamic_sampling
    const { scorer, prompts } = this.#source
    const size = this.#stage.num_generations
    const most = mode === 'resample' ? 1 + max_rounds : 1
    const rollouts: Rollout[] = []
    const values: RewardValues[] = []
    const dead: boolean[] = []
    const rows: CompletionRow[] = []
    let first: Scores | null = null
    let look: Readiness | null = null
    const nonfinite: NonFiniteSample[] = []
    for (let rounds = 0; rounds < most && rollouts.length < prompts * size; rounds++) {
      const missing = prompts - rollouts.length / size
      const generation = this.#generations[rounds] ?? (await this.#generate(missing, timer))
      const sampled = generation.rollouts
      const scores = await timer.time('reward', () => this.#score(generation))
      // Before refinements change what the policy did by itself.
      look ??= readiness({
        num_generations: size,
        accuracy: scores.values[scores.names.indexOf(ACCURACY)] ?? null,
        zero_std: scores.zero_std,
        completions: sampled.map(({ text }) => text),
      })
      for (const found of scores.nonfinite) {
        const { prompt, text } = sampled[found.sample]!
        nonfinite.push({ ...found, prompt: prompt.messages, completion: text })
      }
      if (this.#refiner && nonfinite.length === 0) {
        Object.assign(scores, await this.#refine(generation, scores, rounds, timer))
      }
      rows.push(...this.#rows(sampled, scores))
      const equal = deadGroups(this.#stage, scores)
      if (first) addCosts(first.metrics, scores.metrics)
      first ??= scores
      dead.push(...equal)
      const stays = (i: number): boolean => mode === 'off' || !equal[Math.floor(i / size)]
      rollouts.push(...sampled.filter((_, i) => stays(i)))
      scores.values.forEach((row, k) => {
        values[k] = [...(values[k] ?? []), ...row.filter((_, i) => stays(i))]
      })
    }
    let advantages = first!.advantages
    if (mode !== 'off') {
      advantages =
        rollouts.length === 0 ? new Float32Array() : scorer.advantages(values, rollouts).advantages
    }
    const dense = await timer.time('reward', async () =>
      this.#session.dense?.advantages(this.#session, this.#stage, rollouts, `step ${this.#step}`),
    )
    const all = this.#generations.flatMap(generation => generation.rollouts)
    const groups = rollouts.length / size
    return {
      rollouts,
      advantages,
      tokenAdvantages: dense?.tokens ?? null,
      rows,
      readiness: look!,
      nonfinite,
      metrics: {
        ...first!.metrics,
        ...completionMetrics(all),
        ...domainMetrics(this.#generations[0]!.rollouts, first!),
        ...dense?.metrics,
        ...(mode === 'off'
          ? {}
          : {
              frac_reward_zero_std: dead.filter(Boolean).length / dead.length,
              'dynamic_sampling/rounds': this.#generations.length,
              'dynamic_sampling/kept_groups': groups,
              'dynamic_sampling/rollouts_per_kept_group': groups === 0 ? null : all.length / groups,
            }),
      },
    }
  }

  /** The first optimizer step that trains on the round. */
  get #step(): number {
    return this.#round * this.#stage.num_iterations + 1
  }

  #rows(rollouts: readonly Rollout[], scores: Scores): CompletionRow[] {
    const { config, tokenizer } = this.#session
    const shown = config.logging.token_logprobs ? tokenizer : null
    return completionRows(this.#step, rollouts, scores, shown)
  }

  /** What all ranks think of a generation. */
  async #score(generation: Generation): Promise<Scores> {
    const { rollouts, ratings } = generation
    const { ranks } = this.#session
    const groups = rollouts.length / this.#stage.num_generations
    const label = `scores, step ${this.#step}`
    const rated = await ranks.collect(groups, label, await ratings.entries())
    const seconds = await ranks.gather(ratings.seconds(), `${label}, their time`)
    const { consistency_bonus: care } = this.#stage
    const confidence = care
      ? await answerConfidences(this.#session, this.#stage, care, rollouts, label)
      : null
    generation.confidence = confidence
    const judge_s = Math.max(...seconds)
    return this.#source.scorer.settle(rollouts, rated, { judge_s, step: this.#step, confidence })
  }

  /** Puts refinements into the groups that failed; the scores are then those of the new groups. */
  async #refine(
    { rollouts, confidence }: Generation,
    scores: Scores,
    generation: number,
    timer: Timer,
  ): Promise<Partial<Scores>> {
    const { scorer, prompts, seed } = this.#source
    const { num_candidates } = this.#stage.critique!
    const most = prompts * num_candidates * (1 + this.#stage.dynamic_sampling.max_rounds)
    const streams = this.#round * most + generation * prompts * num_candidates
    const { metrics, judged } = await timer.time('refine', () =>
      this.#refiner!.refine(rollouts, scores, { seed, streams, step: this.#step }),
    )
    addCosts(scores.metrics, judged)
    if (confidence) await this.#consistencyAgain(rollouts, scores, confidence)
    const advantages = scorer.advantages(scores.values, rollouts)
    const rewards = rewardMetrics(scores.names, scores.values, advantages)
    return { ...advantages, metrics: { ...scores.metrics, ...rewards, ...metrics } }
  }

  /** The bonus over groups that have a refinement now, which is read under the plain question. */
  async #consistencyAgain(
    rollouts: readonly Rollout[],
    { names, values }: Scores,
    confidence: number[],
  ): Promise<void> {
    const { num_generations: size, consistency_bonus: care } = this.#stage
    const places = [...rollouts.keys()].filter(i => rollouts[i]!.refined)
    if (!care || places.length === 0) return
    const refined = places.map(i => rollouts[i]!)
    const label = `refinements, step ${this.#step}`
    const sure = await answerConfidences(this.#session, this.#stage, care, refined, label, 1)
    for (const [k, i] of places.entries()) confidence[i] = sure[k]!
    const accuracy = values[names.indexOf(ACCURACY)]!
    values[names.indexOf('consistency')] = consistencyBonus(accuracy, confidence, size, care)
  }

  /** One more generation: completions of `count` further prompts, whose rating has begun. */
  async #generate(count: number, timer: Timer): Promise<Generation> {
    const { reporter, ranks, signal, tokenizer } = this.#session
    const { mixture, scorer, prompts: most, seed } = this.#source
    const { num_generations: size, dynamic_sampling } = this.#stage
    const prompts = mixture.take(count).map(draw => draw.item)
    this.#position = mixture.position
    const ratings = new Ratings(scorer, columnNames(prompts), reporter, signal)
    const before = this.#generations.reduce((sum, { rollouts }) => sum + rollouts.length, 0)
    const generations = dynamic_sampling.mode === 'resample' ? 1 + dynamic_sampling.max_rounds : 1
    const streams = this.#round * generations * most * size + before
    const saved = this.#saved[this.#generations.length]
    let rollouts: Rollout[]
    if (saved) {
      rollouts = loadGeneration(saved, prompts, size, tokenizer)
      for (const p of ranks.turns(prompts.length)) {
        ratings.begin(p, rollouts.slice(p * size, (p + 1) * size))
      }
    } else {
      const label = `generation, step ${this.#step}`
      rollouts = await timer.time('gen', () =>
        sampleShared(this.#session, this.#stage, {
          ...{ prompts, seed, streams, label, ratings },
          lengths: this.#source.lengths,
        }),
      )
    }
    ratings.sampled()
    this.#source.lengths.learn(rollouts)
    const generation = { rollouts, ratings, confidence: null }
    this.#generations.push(generation)
    return generation
  }
}

/** What judging costs is the sum over the generations of a round. */
const COSTS = ['requests', 'cache_hits', 'prompt_tokens', 'completion_tokens'].map(
  name => `judge/${name}`,
)

function addCosts(metrics: Metrics, further: Metrics): void {
  for (const key of [...COSTS, 'timing_s/judge']) {
    const value = further[key]
    if (typeof value === 'number') metrics[key] = (metrics[key] ?? 0) + value
  }
}

/** Of every group, whether the reward that dynamic sampling looks at is equal in it. */
function deadGroups(stage: GrpoStage, scores: Scores): boolean[] {
  const { metric } = stage.dynamic_sampling
  if (metric === 'reward') return scores.zero_std
  return equalGroups(scores.values[scores.names.indexOf(metric)]!, stage.num_generations)
}
