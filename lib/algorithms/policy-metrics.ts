/**
 * What a policy-loss call measures beside the loss, as sums, so that micro-batches of one optimizer
 * step merge without bias; `policyMetrics` turns them into TRL's metric names.
 */

export interface PolicyStats {
  loss: number
  tokens: number
  low_clipped: number
  high_clipped: number
  cispo_clipped: number
  /** Smallest share of low-clipped tokens in a sequence. */
  low_min: number
  /** Largest share of high-clipped tokens in a sequence. */
  high_max: number
  has_kl: boolean
  kl_sum: number
  ratio_sum: number
  ratio_min: number
  ratio_max: number
  /** Tokens whose log-ratio was above the bound. */
  ratio_cut: number
}

/** The neutral element of `mergePolicyStats`. */
export function emptyPolicyStats(): PolicyStats {
  return {
    loss: 0,
    tokens: 0,
    low_clipped: 0,
    high_clipped: 0,
    cispo_clipped: 0,
    low_min: Number.POSITIVE_INFINITY,
    high_max: Number.NEGATIVE_INFINITY,
    has_kl: false,
    kl_sum: 0,
    ratio_sum: 0,
    ratio_min: Number.POSITIVE_INFINITY,
    ratio_max: Number.NEGATIVE_INFINITY,
    ratio_cut: 0,
  }
}

/** Sums of several micro-batches. */
function mergePolicyStats(parts: readonly PolicyStats[]): PolicyStats {
  const all = emptyPolicyStats()
  for (const part of parts) {
    all.loss += part.loss
    all.tokens += part.tokens
    all.low_clipped += part.low_clipped
    all.high_clipped += part.high_clipped
    all.cispo_clipped += part.cispo_clipped
    all.low_min = Math.min(all.low_min, part.low_min)
    all.high_max = Math.max(all.high_max, part.high_max)
    all.has_kl ||= part.has_kl
    all.kl_sum += part.kl_sum
    all.ratio_sum += part.ratio_sum
    all.ratio_min = Math.min(all.ratio_min, part.ratio_min)
    all.ratio_max = Math.max(all.ratio_max, part.ratio_max)
    all.ratio_cut += part.ratio_cut
  }
  return all
}

/**
 * TRL's metrics of one optimizer step: `loss`, `clip_ratio/*`, `cispo_clip_ratio` and, where a
 * reference was given, `kl`; plus the ratio's `ratio/{mean,min,max}`, and how many
 * tokens' ratios were cut (`ratio/cut`). Shares are of trained tokens
 * (at sequence level TRL counts sequences instead).
 * Without a trained token there is nothing to average, and only `loss` is returned.
 */
export function policyMetrics(parts: readonly PolicyStats[]): Record<string, number> {
  const all = mergePolicyStats(parts)
  const metrics: Record<string, number> = { loss: all.loss }
  if (all.tokens === 0) return metrics
  metrics['clip_ratio/low_mean'] = all.low_clipped / all.tokens
  metrics['clip_ratio/low_min'] = all.low_min
  metrics['clip_ratio/high_mean'] = all.high_clipped / all.tokens
  metrics['clip_ratio/high_max'] = all.high_max
  metrics['clip_ratio/region_mean'] = (all.low_clipped + all.high_clipped) / all.tokens
  metrics.cispo_clip_ratio = all.cispo_clipped / all.tokens
  metrics['ratio/mean'] = all.ratio_sum / all.tokens
  metrics['ratio/min'] = all.ratio_min
  metrics['ratio/max'] = all.ratio_max
  metrics['ratio/cut'] = all.ratio_cut
  if (all.has_kl) metrics.kl = all.kl_sum / all.tokens
  return metrics
}
