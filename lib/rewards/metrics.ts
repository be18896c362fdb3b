/** Rewards and oracle statistics under TRL's metric names (`judge/*` for the oracle). */
import type { GroupAdvantages } from '../algorithms/advantages.ts'
import type { OracleStats } from './judge/oracle.ts'
import type { RewardValues } from './types.ts'

/**
 * `reward`, `reward_std`, `frac_reward_zero_std`, and `rewards/{name}/mean` and `/std` over the
 * samples to which the reward applies. A metric of no samples is left out.
 */
export function rewardMetrics(
  names: readonly string[],
  values: readonly RewardValues[],
  advantages: GroupAdvantages,
): Record<string, number> {
  const metrics: Record<string, number> = {
    reward_std: advantages.reward_std,
    frac_reward_zero_std: advantages.frac_reward_zero_std,
  }
  if (!Number.isNaN(advantages.reward)) metrics.reward = advantages.reward
  names.forEach((name, k) => {
    const present = values[k]!.filter(value => value !== null)
    if (present.length === 0) return
    const mean = present.reduce((sum, value) => sum + value, 0) / present.length
    const squares = present.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    metrics[`rewards/${name}/mean`] = mean
    metrics[`rewards/${name}/std`] = Math.sqrt(squares / Math.max(present.length - 1, 1))
  })
  return metrics
}

/** `judge/{tp,fp,fn,tn,agreement,failure_rate,calls}`; the latency belongs to the timings. */
export function oracleMetrics(stats: OracleStats): Record<string, number> {
  const { tp, fp, fn, tn, agreement, failure_rate, calls } = stats
  const metrics: Record<string, number> = {
    'judge/tp': tp,
    'judge/fp': fp,
    'judge/fn': fn,
    'judge/tn': tn,
    'judge/failure_rate': failure_rate,
    'judge/calls': calls,
  }
  if (agreement !== null) metrics['judge/agreement'] = agreement
  return metrics
}
