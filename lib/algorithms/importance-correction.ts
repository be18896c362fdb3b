/**
 * The correction for a sampler that is not the policy which is trained: weights
 *
 *   w = π_train(token) / π_sampler(token) = exp(l − l_sampled)    per token
 *   w = the product over the completion                           per sequence
 *
 * both at the time of sampling, without gradient, by which each token's policy term is multiplied.
 * `truncate` clamps them to [clip_min, clip_max] (Yao et al. 2025, truncated importance sampling);
 * `mask` sets those outside to 0 (masked importance sampling). As TRL 1.13's
 * `vllm_importance_sampling_*`. In kogrpo sampler and trainer are one, and w is exactly 1, unless the
 * sampler cuts its distribution (top_k, top_p, min_p) or has a temperature of its own.
 */
import { sequenceLayout } from './layout.ts'
import { NotFinite } from './policy-loss.ts'

export type ImportanceCorrectionMode =
  | 'token_truncate'
  | 'token_mask'
  | 'sequence_truncate'
  | 'sequence_mask'

interface ImportanceCorrectionInput {
  mode: ImportanceCorrectionMode
  clip_max?: number | null | undefined
  clip_min?: number | null | undefined
  /** The trainer's log-probs of the policy that sampled. */
  logprobs: Float32Array
  /** The log-probs under the distribution that was sampled from. */
  sampled: Float32Array
  mask: Float32Array | Uint8Array
  cuSeqlens: Int32Array
}

/** Sums over the weights of a batch: tokens' or sequences', after clamping or masking. */
interface WeightStats {
  count: number
  sum: number
  min: number
  max: number
}

/** One weight a token (0 where the mask is 0). Throws `NotFinite` for log-probs that are not finite. */
export function importanceWeights(input: ImportanceCorrectionInput): {
  weights: Float32Array
  stats: WeightStats
} {
  const { logprobs, sampled, mask, cuSeqlens, mode } = input
  const layout = sequenceLayout(cuSeqlens, mask)
  const weights = new Float32Array(layout.tokens)
  const stats: WeightStats = { count: 0, sum: 0, min: Infinity, max: -Infinity }
  const weigh = (logWeight: number): number => {
    const weight = clip(Math.exp(logWeight), input)
    stats.count++
    stats.sum += weight
    stats.min = Math.min(stats.min, weight)
    stats.max = Math.max(stats.max, weight)
    return weight
  }
  const difference = (t: number): number => {
    const value = logprobs[t]! - sampled[t]!
    if (Number.isFinite(value)) return value
    throw new NotFinite(
      `importance_sampling_correction: the log-prob of token ${t} is ${logprobs[t]} in training and ${sampled[t]} in sampling`,
    )
  }
  const bySequence = mode === 'sequence_truncate' || mode === 'sequence_mask'
  for (let i = 0; i < layout.sequences; i++) {
    if (layout.trained(i) === 0) continue
    const [start, end] = layout.bounds(i)
    let whole = 1
    if (bySequence) {
      let sum = 0
      for (let t = start; t < end; t++) if (mask[t] !== 0) sum += difference(t)
      whole = weigh(sum)
    }
    for (let t = start; t < end; t++) {
      if (mask[t] !== 0) weights[t] = bySequence ? whole : weigh(difference(t))
    }
  }
  return { weights, stats }
}

/** TRL's `sampling/importance_sampling_ratio/{min,mean,max}`; nothing without a weight. */
export function importanceMetrics(parts: readonly WeightStats[]): Record<string, number> {
  const count = parts.reduce((n, part) => n + part.count, 0)
  if (count === 0) return {}
  const name = 'sampling/importance_sampling_ratio'
  return {
    [`${name}/min`]: Math.min(...parts.map(({ min }) => min)),
    [`${name}/mean`]: parts.reduce((total, { sum }) => total + sum, 0) / count,
    [`${name}/max`]: Math.max(...parts.map(({ max }) => max)),
  }
}

function clip(weight: number, options: ImportanceCorrectionInput): number {
  const low = options.clip_min ?? 0
  const high = options.clip_max ?? Number.MAX_VALUE
  switch (options.mode) {
    case 'token_truncate':
    case 'sequence_truncate':
      return Math.min(Math.max(weight, low), high)
    case 'token_mask':
    case 'sequence_mask':
      return weight < low || weight > high ? 0 : weight
  }
}
