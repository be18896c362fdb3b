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

/**
 * `judge/{tp,fp,fn,tn,agreement,kappa,calls,failures,failure_rate}` follow from the recipe where the
 * judge's verdicts do; `judge/{cache_hits,requests,prompt_tokens,completion_tokens}` are what it took,
 * which depends on what the cache held and on how the judge was; latencies belong to the timings.
 */
export function oracleMetrics(stats: OracleStats): Record<string, number> {
  const metrics: Record<string, number | null> = {
    'judge/tp': stats.tp,
    'judge/fp': stats.fp,
    'judge/fn': stats.fn,
    'judge/tn': stats.tn,
    'judge/agreement': stats.agreement,
    'judge/kappa': stats.kappa,
    'judge/calls': stats.calls,
    'judge/failures': stats.failures,
    'judge/failure_rate': stats.failure_rate,
    'judge/cache_hits': stats.cache_hits,
    'judge/requests': stats.requests,
    'judge/prompt_tokens': stats.tokens?.prompt ?? null,
    'judge/completion_tokens': stats.tokens?.completion ?? null,
    'timing_s/judge': stats.latency_s,
    'timing_s/judge_latency_mean': stats.latency_mean_s,
    'timing_s/judge_latency_max': stats.latency_max_s,
  }
  const known = Object.entries(metrics).filter(
    (entry): entry is [string, number] => entry[1] !== null,
  )
  return Object.fromEntries(known)
}
