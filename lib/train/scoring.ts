/**
 * From rollouts to advantages: the reward functions rate every completion, the oracle re-examines the
 * checker's verdicts, and what it decides replaces the accuracy reward before the group baseline.
 *
 *   r = Σ_k w_k r_k  with  r_accuracy = oracle(rule, checker, judge),   A = r − mean of its group
 *
 * Groups are rated one by one (`rate`), as their completions come (ratings.ts); `settle` makes one of
 * what all ranks rated.
 */
import { type GroupAdvantages, groupAdvantages } from '../algorithms/advantages.ts'
import { truncatedReward } from '../algorithms/length.ts'
import { defaultScaleRewards } from '../config/derive.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import type { Metrics } from '../report/events.ts'
import type { JudgedBatch, OracleSample } from '../rewards/judge/oracle.ts'
import { languageMetrics } from '../rewards/language/metrics.ts'
import { rewardMetrics } from '../rewards/metrics.ts'
import { createRewards } from '../rewards/registry.ts'
import { type NonFiniteReward, runRewards } from '../rewards/run.ts'
import type { NamedReward, RewardInput, RewardValues } from '../rewards/types.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { BubblewrapRunner } from '../sandbox/bubblewrap.ts'
import { derivedRewards, derivedWeights } from './derived-rewards.ts'
import { ACCURACY, type Oracle } from './oracle.ts'

export interface Scores extends GroupAdvantages {
  names: string[]
  /** values[k][i]: reward k of completion i, the oracle's accuracy in place of the checker's. */
  values: RewardValues[]
  /** One a completion; null without an oracle. */
  verdicts: OracleSample[] | null
  /** Rewards that are NaN or infinite; null in `values`. */
  nonfinite: NonFiniteReward[]
  metrics: Metrics
}

/** What rating one group gave; plain data, as ranks exchange it. */
export interface RatedGroup {
  /** values[k][i]: reward k of completion i, as the functions gave it. */
  values: RewardValues[]
  /** Null without an oracle. */
  judged: JudgedBatch | null
  /** Rewards that are NaN or infinite, by sample of the group; null in `values`. */
  nonfinite: NonFiniteReward[]
}

/** What settling a generation needs to know besides its ratings. */
interface Settling {
  /** How long judging was under way. */
  judge_s: number
  /** The optimizer step it is for. */
  step: number
  /** The reference's confidence in each answer (consistency_bonus). */
  confidence?: readonly number[] | null | undefined
}

/** The reward functions and the oracle of a stage. */
export class Scorer {
  readonly #stage: GrpoStage
  readonly #rewards: NamedReward[]
  readonly #oracle: Oracle | null

  /** `own`: reward functions of the user's, behind those of the recipe. Throws `E_CONFIG` for rewards that cannot be. */
  constructor(stage: GrpoStage, oracle: Oracle | null, own: readonly NamedReward[] = []) {
    this.#stage = stage
    const context = { ...stage, code_runner: () => new BubblewrapRunner() }
    this.#rewards = [...createRewards(stage.rewards, context), ...own]
    this.#oracle = oracle
  }

  /**
   * Runs the reward functions on one group and asks the oracle about it. `columns` are the names of the data
   * columns in the whole generation: every group is shown the same. `onJudged` is told how far the
   * judge is. Any number of groups may be under way. A reward that is not finite is an error (`E_REWARD`)
   * unless the caller has a policy for it.
   */
  async rate(
    group: readonly Rollout[],
    columns: Iterable<string>,
    signal: AbortSignal,
    onJudged: (done: number, asked: number) => void,
    onNonFinite: 'throw' | 'collect' = 'throw',
  ): Promise<RatedGroup> {
    const input = rewardInput(group, columns)
    const nonfinite: NonFiniteReward[] = []
    const collect = (found: NonFiniteReward): void => void nonfinite.push(found)
    const values = await runRewards(
      this.#rewards,
      input,
      onNonFinite === 'collect' ? collect : undefined,
    )
    if (!this.#oracle) return { values, judged: null, nonfinite }
    const checker = values[this.#row()]!
    const judged = await this.#oracle.judge(input, checker, signal, onJudged)
    return { values, judged, nonfinite }
  }

  /**
   * The scores of completions, `num_generations` adjacent ones to a group, from the rated groups in
   * their order. Throws `JudgeUnwell`.
   */
  settle(
    rollouts: readonly Rollout[],
    rated: readonly RatedGroup[],
    { judge_s, step, confidence }: Settling,
  ): Scores {
    const values = this.#rewards.map((_, k) => rated.flatMap(group => group.values[k]!))
    const metrics: Metrics = {}
    const verdicts = this.#overrule(rated, values, judge_s, metrics)
    const accuracy = values[this.#row()]
    const derived = derivedRewards(this.#stage, rollouts, accuracy, step, confidence ?? null)
    Object.assign(metrics, derived.metrics)
    values.push(...derived.values)
    const names = [...this.#rewards.map(({ name }) => name), ...derived.names]
    const advantages = this.advantages(values, rollouts)
    const language = languageMetrics(rewardInput(rollouts))
    Object.assign(metrics, rewardMetrics(names, values, advantages), language)
    const size = this.#stage.num_generations
    const nonfinite = rated.flatMap((group, g) =>
      group.nonfinite.map(found => ({ ...found, sample: g * size + found.sample })),
    )
    return { ...advantages, names, values, verdicts, nonfinite, metrics }
  }

  /** Advantages of rewards in the order of `settle`, over whatever groups the rollouts are of. */
  advantages(values: readonly RewardValues[], rollouts: readonly Rollout[]): GroupAdvantages {
    const { num_generations, scale_rewards, loss_type, baseline, multi_objective_aggregation } =
      this.#stage
    const { truncated_reward_coef: coef } = this.#stage
    const rewards =
      coef === 1
        ? values
        : values.map(row =>
            row.map((value, i) => truncatedReward(value, rollouts[i]!.truncated, coef)),
          )
    return groupAdvantages({
      rewards,
      weights: [...this.#rewards.map(({ weight }) => weight), ...derivedWeights(this.#stage)],
      num_generations,
      scale_rewards: scale_rewards ?? defaultScaleRewards(loss_type),
      baseline,
      multi_objective_aggregation,
    })
  }

  #row(): number {
    return this.#rewards.findIndex(({ name }) => name === ACCURACY)
  }

  /** Replaces the row of the accuracy reward in `values` by the oracle's. */
  #overrule(
    rated: readonly RatedGroup[],
    values: RewardValues[],
    judge_s: number,
    metrics: Metrics,
  ): OracleSample[] | null {
    if (!this.#oracle) return null
    const judged = rated.map(group => group.judged!)
    const counted = this.#oracle.settle(judged, judge_s)
    const row = this.#row()
    const applicable = values[row]!.filter(value => value !== null)
    if (applicable.length > 0) {
      metrics['rewards/checker/mean'] =
        applicable.reduce((sum, x) => sum + x, 0) / applicable.length
    }
    const samples = judged.flatMap(part => part.samples)
    values[row] = samples.map(({ final }) => final)
    Object.assign(metrics, counted)
    return samples
  }
}

/** The names of all data columns of some prompts. */
export function columnNames(prompts: readonly GrpoSample[]): Set<string> {
  return new Set(prompts.flatMap(({ extra }) => Object.keys(extra)))
}

/** Rollouts as reward functions see them, with these data columns (default: all that they have). */
export function rewardInput(
  rollouts: readonly Rollout[],
  columns: Iterable<string> = columnNames(rollouts.map(({ prompt }) => prompt)),
): RewardInput {
  return {
    prompts: rollouts.map(({ prompt }) => prompt.messages),
    completions: rollouts.map(({ text }) => text),
    completionIds: rollouts.map(({ tokens }) => tokens),
    truncated: rollouts.map(({ truncated }) => truncated),
    columns: Object.fromEntries(
      [...columns].map(name => [name, rollouts.map(({ prompt }) => prompt.extra[name])]),
    ),
  }
}
