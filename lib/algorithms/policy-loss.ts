/**
 * The policy loss of GRPO and its kin on packed sequences, and its gradient with respect to every
 * token's log-prob, which is all the engine needs (`coef[t] = ∂L/∂logp[t]`).
 *
 * Layout: `logprobs`, `oldLogprobs`, `refLogprobs`, `mask` hold one entry a token, T = cuSeqlens[n]
 * tokens of n sequences back to back; sequence i is [cuSeqlens[i], cuSeqlens[i+1]). Entry t is the
 * log-prob of token t given what precedes it; entries with mask 0 (prompt, padding, removed
 * samples) are never read and get coef 0.
 *
 *   L = Σ_i Σ_t m_it · weight_i · ( f_it · surrogate(r_it, A_it) + β · KL_it )
 *
 *   loss_type         weight_i, over the whole optimizer step
 *   dr_grpo           1 / (num_completions · max_completion_length)
 *   grpo, sapo        1 / (num_completions · tokens of sequence i)
 *   dapo, bnpo, cispo 1 / num_tokens
 *
 * Denominators belong to the optimizer step and are given by the caller, so the losses and
 * coefficients of micro-batches simply add up to those of the step, however it is cut. TRL's `bnpo`
 * averages over the local micro-batch; taken over the whole step, as here, it is `dapo`'s mean.
 *
 * `factors` f weigh the policy term of each token and change no denominator: 0 where its entropy is too
 * low (entropy.ts), the importance weight of a differing sampler (importance-correction.ts).
 *
 * Ratio: r = exp(l − l_old) per token, or per sequence exp(mean over its tokens) with
 * `importance_sampling_level: sequence` (GSPO). `oldLogprobs: null` means on-policy: r is exactly 1
 * and its gradient is kept. Arithmetic is double precision in token order; coef is rounded once.
 * A log-ratio above MAX_LOG_RATIO counts as MAX_LOG_RATIO (as in verl, whose bound it is): the ratio is then a
 * constant, without a derivative, and no power of e overflows. How many there are is counted.
 * With `kl_level: sequence` every token carries KL_i = ½ (Σ_t l − l_ref)² / n_i of its completion of n_i
 * trained tokens (ESPO, arXiv 2512.03759, eq. for k2), whose derivative by any l_t, summed over the tokens, is
 * Σ_t (l − l_ref).
 * Semantics follow TRL 1.13 `GRPOTrainer._compute_loss`; golden values in test/golden.
 */
import { KogrpoError } from '../errors.ts'
import { checkRefinements, type Refinements, refinementTerm } from './critique.ts'
import { klEstimators } from './kl.ts'
import { type SequenceLayout, sequenceLayout } from './layout.ts'
import { emptyPolicyStats, type PolicyStats } from './policy-metrics.ts'
import { type PolicyLossOptions, resolveOptions, tokenWeight } from './policy-options.ts'

export type { ImportanceSamplingLevel, LossType, PolicyLossOptions } from './policy-options.ts'

/** Above it a log-ratio is cut: a token e²⁰ times as likely as when it was sampled. */
export const MAX_LOG_RATIO = 20

/** A value that the loss is made of, or a coefficient, is NaN or infinite. */
export class NotFinite extends KogrpoError {
  constructor(message: string) {
    super('E_ALGORITHM', message)
    this.name = 'NotFinite'
  }
}

export interface PolicyLossInput {
  logprobs: Float32Array
  /** Log-probs when sampled; null: this is the sampling policy, the ratio is exactly 1. */
  oldLogprobs: Float32Array | null
  refLogprobs: Float32Array | null
  /** One a token (length T) or one a sequence (length n). */
  advantages: Float32Array
  /** 1 = trained token, 0 = not. */
  mask: Float32Array | Uint8Array
  /** Constant factor of each token's policy term, without the KL; absent: 1. */
  factors?: Float32Array | null
  cuSeqlens: Int32Array
  options: PolicyLossOptions
  /** Sequences that are refinements (critique.ts): shaped instead of clipped, without KL; no ratio of
   *  theirs is measured. */
  refinements?: Refinements | null
}

export interface PolicyLoss {
  /** This batch's part of the step's loss. */
  loss: number
  /** ∂L/∂logp per token. */
  coef: Float32Array
  /** Sums for `policyMetrics`; those of micro-batches are merged there. */
  stats: PolicyStats
}

/**
 * Loss, per-token coefficients and metric sums of one (micro-)batch.
 * Throws `E_ALGORITHM` naming the argument, sequence or token at fault.
 */
export function policyLoss(input: PolicyLossInput): PolicyLoss {
  const { logprobs, oldLogprobs, refLogprobs, mask, options } = input
  const layout = sequenceLayout(input.cuSeqlens, mask)
  checkLength('logprobs', logprobs, layout.tokens)
  if (oldLogprobs !== null) checkLength('oldLogprobs', oldLogprobs, layout.tokens)
  if (refLogprobs !== null) checkLength('refLogprobs', refLogprobs, layout.tokens)
  const factors = input.factors ?? null
  if (factors !== null) checkLength('factors', factors, layout.tokens)
  const advantageOf = advantageReader(input.advantages, layout)
  const resolved = resolveOptions(options, layout)
  if (options.beta !== 0 && refLogprobs === null) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `beta is ${options.beta} but refLogprobs is null; give the reference model's log-probs or set beta to 0`,
    )
  }
  const sequenceLevel = options.importance_sampling_level === 'sequence'
  const refinements = input.refinements ?? null
  if (refinements !== null) {
    checkRefinements(refinements, layout.sequences)
    if (sequenceLevel) {
      throw new KogrpoError(
        'E_ALGORITHM',
        'refinements are shaped token by token; importance_sampling_level sequence has one ratio a completion',
      )
    }
  }
  const sequenceKl = options.kl_level === 'sequence' && refLogprobs !== null
  const kl = klEstimators[options.kl_estimator ?? 'k3']
  const coef = new Float32Array(layout.tokens)
  const stats = emptyPolicyStats()
  let loss = 0

  for (let i = 0; i < layout.sequences; i++) {
    const [start, end] = layout.bounds(i)
    const trained = layout.trained(i)
    if (trained === 0) continue
    const weight = tokenWeight(options, trained)
    if (refinements?.sequences[i] === 1) {
      for (let t = start; t < end; t++) {
        if (mask[t] === 0) continue
        const advantage = finite('advantages', advantageOf(i, t), t, i)
        const l = finite('logprobs', logprobs, t, i)
        const factor = factors === null ? 1 : finite('factors', factors, t, i)
        const { value, byLogprob } = refinementTerm(l, advantage, refinements.gamma)
        loss += weight * factor * value
        coef[t] = weight * factor * byLogprob + 0
      }
      continue
    }
    const sequenceWeight = sequenceLevel ? meanLogRatio(input, start, end, trained) : 0
    const drift = sequenceKl ? logRatio(logprobs, refLogprobs, mask, start, end) : 0
    const term = { low: 0, high: 0 }
    // At sequence level every token's term moves the one ratio, hence every token of the sequence.
    let throughSequence = 0
    const direct = sequenceLevel ? new Float64Array(end - start) : null
    for (let t = start; t < end; t++) {
      if (mask[t] === 0) continue
      const l = finite('logprobs', logprobs, t, i)
      const advantage = finite('advantages', advantageOf(i, t), t, i)
      const old = oldLogprobs === null ? l : finite('oldLogprobs', oldLogprobs, t, i)
      const w = sequenceLevel ? sequenceWeight : l - old
      const cut = w > MAX_LOG_RATIO
      const ratio = w === 0 ? 1 : Math.exp(cut ? MAX_LOG_RATIO : w)
      if (cut) stats.ratio_cut++
      const surrogate = resolved.surrogate(ratio, l, advantage, resolved)
      const byWeight = cut ? 0 : surrogate.byWeight
      const factor = factors === null ? 1 : finite('factors', factors, t, i)
      let value = factor * surrogate.value
      let slope = factor * surrogate.byLogprob
      if (sequenceLevel) throughSequence += factor * byWeight
      else slope += factor * byWeight
      if (refLogprobs !== null) {
        const d = finite('refLogprobs', refLogprobs, t, i) - l
        const divergence = sequenceKl
          ? { value: (drift * drift) / (2 * trained), slope: drift }
          : kl(d)
        stats.kl_sum += divergence.value
        value += options.beta * divergence.value
        slope += options.beta * divergence.slope
      }
      loss += weight * value
      if (direct !== null) direct[t - start] = slope
      // Adding 0 turns −0 into 0, so that "no gradient" is all-zero bytes.
      else coef[t] = weight * slope + 0
      stats.ratio_sum += ratio
      stats.ratio_min = Math.min(stats.ratio_min, ratio)
      stats.ratio_max = Math.max(stats.ratio_max, ratio)
      if (options.loss_type === 'cispo') {
        if (ratio > resolved.epsilon_high && advantage > 0) stats.cispo_clipped++
      } else if (resolved.clips) {
        const seen = resolved.delta === null ? ratio : Math.min(ratio, resolved.delta)
        if (seen < 1 - resolved.epsilon && advantage < 0) term.low++
        if (seen > 1 + resolved.epsilon_high && advantage > 0) term.high++
      }
    }
    if (direct !== null) {
      for (let t = start; t < end; t++) {
        if (mask[t] === 0) continue
        coef[t] = weight * (direct[t - start]! + throughSequence / trained) + 0
      }
    }
    for (let t = start; t < end; t++) finite('coef', coef, t, i)
    stats.tokens += trained
    stats.low_clipped += term.low
    stats.high_clipped += term.high
    stats.low_min = Math.min(stats.low_min, term.low / trained)
    stats.high_max = Math.max(stats.high_max, term.high / trained)
  }
  stats.has_kl = refLogprobs !== null
  stats.loss = loss
  return { loss, coef, stats }
}

interface OnPolicyInput {
  advantages: Float32Array
  mask: Float32Array | Uint8Array
  cuSeqlens: Int32Array
  options: PolicyLossOptions
  /** With beta ≠ 0: the sampler's log-probs, which on-policy are the trainer's. */
  logprobs?: Float32Array | null
  /** With beta ≠ 0: the reference's log-probs. */
  refLogprobs?: Float32Array | null
}

/**
 * The coefficients of an on-policy step, known before the forward pass (the ratio is exactly 1):
 * −A times the loss type's weight. With a KL term they also need the log-probs, which on-policy are
 * the sampler's own. Bit-equal to `policyLoss` with `oldLogprobs: null`.
 */
export function coefficientsOnPolicy(input: OnPolicyInput): Float32Array {
  const { advantages, mask, cuSeqlens, options } = input
  const logprobs = input.logprobs ?? null
  if (options.beta !== 0 && logprobs === null) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `beta is ${options.beta}: the coefficients depend on the log-probs; pass the sampler's logprobs`,
    )
  }
  return policyLoss({
    logprobs: logprobs ?? new Float32Array(mask.length),
    oldLogprobs: null,
    refLogprobs: input.refLogprobs ?? null,
    advantages,
    mask,
    cuSeqlens,
    options,
  }).coef
}

function meanLogRatio(input: PolicyLossInput, start: number, end: number, trained: number): number {
  if (input.oldLogprobs === null) return 0
  return logRatio(input.logprobs, input.oldLogprobs, input.mask, start, end) / trained
}

/** Σ over the trained tokens of [start, end) of a − b. */
function logRatio(
  a: Float32Array,
  b: Float32Array,
  mask: Float32Array | Uint8Array,
  start: number,
  end: number,
): number {
  let sum = 0
  for (let t = start; t < end; t++) if (mask[t] !== 0) sum += a[t]! - b[t]!
  return sum
}

function checkLength(name: string, array: { length: number }, tokens: number): void {
  if (array.length !== tokens) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `${name} has ${array.length} entries, cuSeqlens says ${tokens} tokens`,
    )
  }
}

function advantageReader(
  advantages: Float32Array,
  layout: SequenceLayout,
): (sequence: number, token: number) => number {
  // Sequences are never empty, so when both lengths agree both readings do.
  if (advantages.length === layout.sequences) return sequence => advantages[sequence]!
  if (advantages.length === layout.tokens) return (_sequence, token) => advantages[token]!
  throw new KogrpoError(
    'E_ALGORITHM',
    `advantages has ${advantages.length} entries; it must have one a sequence (${layout.sequences}) or one a token (${layout.tokens})`,
  )
}

function finite(
  name: string,
  source: Float32Array | number,
  token: number,
  sequence: number,
): number {
  const value = typeof source === 'number' ? source : source[token]!
  if (!Number.isFinite(value)) {
    throw new NotFinite(`${name} is ${value} at token ${token} (sequence ${sequence})`)
  }
  return value
}
