/**
 * Rewards that follow from the final accuracy (the oracle's word included) and something else of the
 * completion: its length (cosine_length), the reference's confidence in its answer (consistency_bonus).
 */
import { consistencyBonus } from '../algorithms/consistency.ts'
import { cosineLength, cycleIsOn } from '../algorithms/length.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Metrics } from '../report/events.ts'
import type { RewardValues } from '../rewards/types.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { consistencyMetrics } from './consistency.ts'

/** Weights in the order in which `derivedRewards` gives its rows. */
export function derivedWeights({ cosine_length, consistency_bonus }: GrpoStage): number[] {
  return [...(cosine_length ? [cosine_length.weight] : []), ...(consistency_bonus ? [1] : [])]
}

/** Rows like those of the reward functions. `confidence`: null where it is not asked for (refinements,
 *  whose bonus is then 0). */
export function derivedRewards(
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  accuracy: RewardValues | undefined,
  step: number,
  confidence: readonly number[] | null,
): { names: string[]; values: RewardValues[]; metrics: Metrics } {
  const { cosine_length, consistency_bonus, num_generations, max_completion_length } = stage
  const names: string[] = []
  const values: RewardValues[] = []
  const metrics: Metrics = {}
  if (!accuracy) return { names, values, metrics }
  if (cosine_length) {
    const on = cycleIsOn(step, cosine_length.cycle_on, cosine_length.cycle_off)
    names.push('cosine_length')
    values.push(
      rollouts.map(({ tokens, truncated }, i) =>
        on
          ? cosineLength(
              accuracy[i]!,
              tokens.length,
              truncated,
              max_completion_length,
              cosine_length,
            )
          : null,
      ),
    )
  }
  if (consistency_bonus) {
    const sure = confidence ?? rollouts.map(() => 0)
    const bonus =
      confidence === null
        ? accuracy.map(value => (value === null ? null : 0))
        : consistencyBonus(accuracy, sure, num_generations, consistency_bonus)
    names.push('consistency')
    values.push(bonus)
    if (confidence) Object.assign(metrics, consistencyMetrics(rollouts, accuracy, sure, bonus))
  }
  return { names, values, metrics }
}
