/**
 * From rollouts to advantages: the reward functions rate every completion, the oracle re-examines the
 * checker's verdicts, and what it decides replaces the accuracy reward before the group baseline.
 *
 *   r = Σ_k w_k r_k  with  r_accuracy = oracle(rule, checker, judge),   A = r − mean of its group
 */
import { type GroupAdvantages, groupAdvantages } from '../algorithms/advantages.ts'
import { defaultScaleRewards } from '../config/derive.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Metrics } from '../report/events.ts'
import type { OracleSample } from '../rewards/judge/oracle.ts'
import { languageMetrics } from '../rewards/language/metrics.ts'
import { rewardMetrics } from '../rewards/metrics.ts'
import { createRewards } from '../rewards/registry.ts'
import { runRewards } from '../rewards/run.ts'
import type { NamedReward, RewardInput, RewardValues } from '../rewards/types.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { BubblewrapRunner } from '../sandbox/bubblewrap.ts'
import { ACCURACY, type Oracle } from './oracle.ts'
import type { Ranks } from './ranks.ts'

export interface Scores extends GroupAdvantages {
  names: string[]
  /** values[k][i]: reward k of completion i, the oracle's accuracy in place of the checker's. */
  values: RewardValues[]
  /** One a completion; null without an oracle. */
  verdicts: OracleSample[] | null
  metrics: Metrics
}

/** The reward functions and the oracle of a stage. */
export class Scorer {
  readonly #stage: GrpoStage
  readonly #rewards: NamedReward[]
  readonly #oracle: Oracle | null
  readonly #ranks: Ranks

  /** Throws `E_CONFIG` for rewards that cannot be. */
  constructor(stage: GrpoStage, oracle: Oracle | null, ranks: Ranks) {
    this.#stage = stage
    this.#rewards = createRewards(stage.rewards, {
      ...stage,
      code_runner: () => new BubblewrapRunner(),
    })
    this.#oracle = oracle
    this.#ranks = ranks
  }

  /** Scores completions of which `num_generations` adjacent ones share a prompt. */
  async score(rollouts: readonly Rollout[], signal: AbortSignal): Promise<Scores> {
    const input = rewardInput(rollouts)
    const names = this.#rewards.map(({ name }) => name)
    const values = await this.#rate(rollouts)
    const metrics: Metrics = {}
    const verdicts = await this.#consult(input, values, names, metrics, signal)
    const advantages = this.advantages(values)
    Object.assign(metrics, rewardMetrics(names, values, advantages), languageMetrics(input))
    return { ...advantages, names, values, verdicts, metrics }
  }

  /** Advantages of rewards in the stage's order, over whatever groups they are of. */
  advantages(values: readonly RewardValues[]): GroupAdvantages {
    const { num_generations, scale_rewards, loss_type, multi_objective_aggregation } = this.#stage
    return groupAdvantages({
      rewards: values,
      weights: this.#rewards.map(({ weight }) => weight),
      num_generations,
      scale_rewards: scale_rewards ?? defaultScaleRewards(loss_type),
      multi_objective_aggregation,
    })
  }

  /** Every rank rates its groups. */
  async #rate(rollouts: readonly Rollout[]): Promise<RewardValues[]> {
    const size = this.#stage.num_generations
    const groups = Array.from({ length: rollouts.length / size }, (_, g) =>
      rollouts.slice(g * size, (g + 1) * size),
    )
    const rated = await this.#ranks.share(groups, 'rewards', async own => {
      if (own.length === 0) return []
      const values = await runRewards(this.#rewards, rewardInput(own.flat()))
      return own.map((_, g) => values.map(row => row.slice(g * size, (g + 1) * size)))
    })
    return this.#rewards.map((_, k) => rated.flatMap(rows => rows[k]!))
  }

  /** Replaces the row of the accuracy reward in `values` by the oracle's. */
  async #consult(
    input: RewardInput,
    values: RewardValues[],
    names: string[],
    metrics: Metrics,
    signal: AbortSignal,
  ): Promise<OracleSample[] | null> {
    if (!this.#oracle) return null
    const row = names.indexOf(ACCURACY)
    const checker = values[row]!
    const { samples, metrics: judged } = await this.#oracle.consult(input, checker, signal)
    const applicable = checker.filter(value => value !== null)
    if (applicable.length > 0) {
      metrics['rewards/checker/mean'] =
        applicable.reduce((sum, x) => sum + x, 0) / applicable.length
    }
    values[row] = samples.map(({ final }) => final)
    Object.assign(metrics, judged)
    return samples
  }
}

/** Rollouts as reward functions see them. */
export function rewardInput(rollouts: readonly Rollout[]): RewardInput {
  const columns = new Set(rollouts.flatMap(({ prompt }) => Object.keys(prompt.extra)))
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
