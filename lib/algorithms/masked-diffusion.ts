/**
 * Masked diffusion (LLaDA, arXiv 2502.09992) and ESPO's sequence-level objective on it (arXiv 2512.03759).
 * Experimental; for small bidirectional models, not for Qwen3.
 *
 * Of a completion y of L tokens behind a prompt x, l uniform in 1 … L, M a random set of l places:
 *
 *   ELBO(y) = E_l,M [ L/l · Σ_{k ∈ M} log p(y_k | y without M, x) ]
 *
 * The coupled estimator draws l uniform in 0 … L, reads M and its complement, with weights (L + 1)/l and
 * (L + 1)/(L − l), and takes the mean of both: every token is read once, and what one half is lucky with the
 * other pays for. Either half may be empty. Each size from 1 to L counts in the mean as above, so the means
 * are equal. The law of l is that of the authors' trainer (`forward_process` in ML-GSAI/ESPO).
 *
 * An estimate is linear in the log-probs, Σ_t w_t log p_t over all masked copies of a completion, so an
 * objective of ELBOs is one coefficient a token: ∂J/∂ELBO · w_t. Policy, old policy and reference are read
 * under the same masks.
 *
 *   ρ = exp((ELBO − ELBO_old) / L),  J = mean over completions of
 *       −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) + β (ELBO − ELBO_ref)² / (2 L)
 */
import { KogrpoError } from '../errors.ts'

/** Which places of a completion are masked in one copy, and what each of their log-probs counts. */
export interface MaskedCopy {
  /** 1 where masked; one a token of the completion. */
  masked: Uint8Array
  weight: number
}

/** Uniform numbers in [0, 1). */
type Uniform = () => number

/** A set of `size` of `length` places, all sets equally likely. */
function randomSet(length: number, size: number, uniform: Uniform): Uint8Array {
  const chosen = new Uint8Array(length)
  // Floyd's sampling (Bentley and Floyd 1987).
  for (let j = length - size; j < length; j++) {
    const i = Math.floor(uniform() * (j + 1))
    chosen[chosen[i] === 1 ? j : i] = 1
  }
  return chosen
}

function checkDraws(length: number, draws: number): void {
  if (Number.isInteger(length) && length > 0 && Number.isInteger(draws) && draws > 0) return
  throw new KogrpoError(
    'E_ALGORITHM',
    `masks of ${length} tokens, ${draws} draws: both must be positive whole numbers`,
  )
}

/** Copies of LLaDA's estimator: the mean over `draws` masks of 1 … L places. Throws `E_ALGORITHM`. */
export function plainMasks(length: number, draws: number, uniform: Uniform): MaskedCopy[] {
  checkDraws(length, draws)
  return Array.from({ length: draws }, () => {
    const size = 1 + Math.floor(uniform() * length)
    return { masked: randomSet(length, size, uniform), weight: length / size / draws }
  })
}

/** A mask whose size is uniform in 0 … L. */
const evenMask = (length: number, uniform: Uniform): Uint8Array =>
  randomSet(length, Math.floor(uniform() * (length + 1)), uniform)

/** Such a mask's copy, one of `count`; none of an empty one, which has nothing to read. */
function evenCopy(masked: Uint8Array, count: number): MaskedCopy[] {
  const size = masked.reduce((sum, bit) => sum + bit, 0)
  return size === 0 ? [] : [{ masked, weight: (masked.length + 1) / size / count }]
}

/** Copies of the coupled estimator: the mean over `pairs` masks with their complements. Throws
 *  `E_ALGORITHM`. */
export function coupledMasks(length: number, pairs: number, uniform: Uniform): MaskedCopy[] {
  checkDraws(length, pairs)
  return Array.from({ length: pairs }, () => {
    const masked = evenMask(length, uniform)
    return [masked, masked.map(bit => 1 - bit)].flatMap(half => evenCopy(half, 2 * pairs))
  }).flat()
}

/** The coupled estimator's masks without their complements: what coupling is measured against. Of an
 *  empty mask nothing is read, and its estimate is 0. Throws `E_ALGORITHM`. */
export function uncoupledMasks(length: number, draws: number, uniform: Uniform): MaskedCopy[] {
  checkDraws(length, draws)
  return Array.from({ length: draws }, () => evenCopy(evenMask(length, uniform), draws)).flat()
}

/** Masked copies of several completions, as they were read. */
interface ElboInput {
  /** log p of the original at each masked token; others are not looked at. */
  logprobs: Float32Array
  /** w_t; 0 where nothing is masked. */
  weights: Float32Array
  /** Which completion each token belongs to. */
  sequences: Int32Array
  /** How many there are. */
  count: number
}

/** The ELBO estimate of each completion. */
export function elbos({ logprobs, weights, sequences, count }: ElboInput): Float64Array {
  const sums = new Float64Array(count)
  for (const [t, weight] of weights.entries()) {
    if (weight === 0) continue
    if (!Number.isFinite(logprobs[t])) {
      throw new KogrpoError('E_ALGORITHM', `logprobs is ${logprobs[t]} at token ${t}`)
    }
    sums[sequences[t]!]! += weight * logprobs[t]!
  }
  return sums
}

interface DiffusionPolicyInput extends ElboInput {
  /** ELBO of the policy that sampled, under the same masks; null: the present one (ratio 1). */
  oldElbos: Float64Array | null
  /** ELBO of the reference, with β above 0. */
  refElbos: Float64Array | null
  /** L of each completion: all its places, those behind its end included. */
  lengths: readonly number[]
  advantages: ArrayLike<number>
  epsilon: number
  beta: number
  /** Completions of the whole optimizer step. */
  num_completions: number
}

/** ESPO's loss over completions, and its coefficient per token. Throws `E_ALGORITHM`. */
export function diffusionPolicyLoss(input: DiffusionPolicyInput): {
  loss: number
  coef: Float32Array
  ratios: Float64Array
} {
  const { oldElbos, refElbos, lengths, advantages, epsilon, beta, weights, sequences } = input
  if (beta !== 0 && refElbos === null) {
    throw new KogrpoError('E_ALGORITHM', `beta is ${beta} but there are no refElbos`)
  }
  if (input.num_completions < input.count) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `num_completions is ${input.num_completions} but this batch alone has ${input.count}`,
    )
  }
  const values = elbos(input)
  const slopes = new Float64Array(input.count)
  const ratios = new Float64Array(input.count)
  let loss = 0
  for (let i = 0; i < input.count; i++) {
    const length = lengths[i]!
    const ratio = Math.exp((values[i]! - (oldElbos?.[i] ?? values[i]!)) / length)
    const advantage = advantages[i]!
    const clipped = Math.min(1 + epsilon, Math.max(1 - epsilon, ratio)) * advantage
    const free = ratio * advantage <= clipped
    loss -= Math.min(ratio * advantage, clipped)
    slopes[i] = free ? (-ratio * advantage) / length : 0
    ratios[i] = ratio
    if (beta !== 0) {
      const drift = values[i]! - refElbos![i]!
      loss += (beta * drift * drift) / (2 * length)
      slopes[i]! += (beta * drift) / length
    }
  }
  const coef = Float32Array.from(weights, (weight, t) =>
    weight === 0 ? 0 : (slopes[sequences[t]!]! * weight) / input.num_completions,
  )
  return { loss: loss / input.num_completions, coef, ratios }
}
