/**
 * What losses do with the entropy of the policy at each token.
 *
 *   top_entropy_quantile ρ   the policy term is kept only where the entropy is among the highest share ρ
 *                            of the trained tokens of the optimizer step (Wang et al. 2025, "Beyond the
 *                            80/20 Rule", arXiv 2506.01939)
 *   entropy_coef c           L ← L − c · mean entropy of the tokens that are kept, hence
 *                            ∂L/∂H[t] = −c / number of them
 *
 * As TRL's `get_high_entropy_mask` and entropy bonus, except that threshold and mean are those of the
 * whole optimizer step, so that cutting it into micro-batches changes nothing; with one micro-batch
 * they are TRL's.
 */
import { KogrpoError } from '../errors.ts'

type Mask = Float32Array | Uint8Array

/**
 * The entropy from which a token is kept: the (1 − `quantile`) quantile of the entropies where the mask
 * is 1, over all batches, between two values linear as in torch.quantile. 0 without such a token.
 */
export function entropyThreshold(
  entropies: readonly Float32Array[],
  masks: readonly Mask[],
  quantile: number,
): number {
  if (!(quantile > 0 && quantile <= 1)) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `top_entropy_quantile is ${quantile}; it is the share of tokens to keep, above 0 and at most 1`,
    )
  }
  const values = Float32Array.from(
    entropies.flatMap((batch, b) => Array.from(batch.filter((_, t) => masks[b]![t] !== 0))),
  ).sort()
  if (values.length === 0) return 0
  const rank = (1 - quantile) * (values.length - 1)
  const below = values[Math.floor(rank)]!
  const above = values[Math.ceil(rank)]!
  // Rounded as the values are, so that a rank that is whole but for rounding keeps its token.
  return Math.fround(below + (rank - Math.floor(rank)) * (above - below))
}

/** 1 where the token is trained and its entropy reaches the threshold, else 0. */
export function highEntropy(entropies: Float32Array, mask: Mask, threshold: number): Float32Array {
  return Float32Array.from(entropies, (h, t) => (mask[t] !== 0 && h >= threshold ? 1 : 0))
}

/** ∂L/∂entropy per token for `entropy_coef` c; `kept` is 1 where a token counts, `count` of the step. */
export function entropyCoefficients(kept: Mask, coefficient: number, count: number): Float32Array {
  return Float32Array.from(kept, k => (k === 0 ? 0 : -coefficient / count))
}

/** The bonus's part of the loss, −c · Σ H / `count` over the kept tokens of this batch. */
export function entropyLoss(
  entropies: Float32Array,
  kept: Mask,
  coefficient: number,
  count: number,
): number {
  let sum = 0
  for (let t = 0; t < kept.length; t++) if (kept[t] !== 0) sum += entropies[t]!
  return count === 0 ? 0 : (-coefficient * sum) / count
}
