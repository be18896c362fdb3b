/**
 * The gradient of one optimizer step over a round, micro-batch by micro-batch. Denominators are those of
 * the whole step, so the micro-batches' gradients add up to it however it is cut.
 *
 * The first pass over fresh rollouts is exactly on-policy: the sampler's log-probs are the trainer's
 * to the bit, the ratio is 1, the coefficients are known beforehand and one fused pass does all. The
 * difference is measured and reported all the same.
 *
 * With lora_dropout a training pass is not what samples. Ratio, divergence and clipping are then those of
 * the policy itself: on fresh rollouts the sampler's log-probs as ever, later those of a pass without
 * dropout. The gradient of these coefficients goes through the pass with it.
 */
import {
  entropyCoefficients,
  entropyLoss,
  entropyThreshold,
  highEntropy,
} from '../algorithms/entropy.ts'
import {
  NotFinite,
  type PolicyLoss,
  type PolicyLossInput,
  type PolicyLossOptions,
  policyLoss,
} from '../algorithms/policy-loss.ts'
import { emptyPolicyStats, type PolicyStats, policyMetrics } from '../algorithms/policy-metrics.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Batch, TokenValues } from '../engine/engine.ts'
import type { Metrics } from '../report/events.ts'
import { forwardOptions, type Round, type RoundBatch } from './round.ts'
import type { Session } from './session.ts'

export interface PolicyUpdate {
  metrics: Metrics
  /** Whether any token had a coefficient; if none had, there is nothing to step with. */
  trained: boolean
  /** Tokens that went through the model. */
  tokens: number
}

/** Which trained tokens count for the policy term and the entropy bonus, 1 or 0 by token. */
export interface Kept {
  /** By micro-batch. */
  tokens: (Float32Array | Uint8Array)[]
  /** In the whole step. */
  count: number
}

/** What one micro-batch showed: small, for every rank gets those of all. */
interface Measured {
  stats: PolicyStats
  bonus: number
  trained: boolean
  /** Trained tokens, and the sum of their entropies. */
  tokens: number
  entropy: number
  apart: Apart
  /** Why its loss cannot be formed; null where it can. */
  notFinite: string | null
}

/** |trainer's − sampler's log-prob| of the tokens where it means something. */
interface Apart {
  count: number
  sum: number
  worst: number
}

/**
 * Accumulates the gradient. `fresh`: the rollouts were sampled by the present weights. Throws `NotFinite` where
 * the loss of a micro-batch cannot be formed: on all ranks, when all have come to the end of the step.
 */
export async function accumulatePolicyGradient(
  session: Session,
  stage: GrpoStage,
  round: Round,
  fresh: boolean,
  step = 0,
): Promise<PolicyUpdate> {
  const { ranks, signal } = session
  const micro = round.batches.map(({ batch }) => batch)
  const kept = await keptTokens(session, stage, micro, step)
  const parts = await ranks.accumulate(round.batches, `grpo step ${step}`, async (_, place) => {
    signal.throwIfAborted()
    return await microBatch(session, stage, round, place, kept, fresh)
  })
  const unformed = parts.find(part => part.notFinite !== null)
  if (unformed) throw new NotFinite(unformed.notFinite!)
  const sums = { bonus: 0, entropy: 0, tokens: 0, trained: false }
  const apart: Apart = { count: 0, sum: 0, worst: 0 }
  for (const part of parts) {
    sums.bonus += part.bonus
    sums.trained ||= part.trained
    sums.tokens += part.tokens
    sums.entropy += part.entropy
    apart.count += part.apart.count
    apart.sum += part.apart.sum
    apart.worst = Math.max(apart.worst, part.apart.worst)
  }
  const metrics = policyMetrics(parts.map(({ stats }) => stats))
  return {
    metrics: {
      ...metrics,
      ...(stage.entropy_coef === 0
        ? {}
        : { loss: metrics.loss! + sums.bonus, policy_loss: metrics.loss! }),
      entropy: sums.tokens === 0 ? null : sums.entropy / sums.tokens,
      'sampling/sampling_logp_difference/mean': apart.count === 0 ? null : apart.sum / apart.count,
      // 0 where nothing was trained; null where dropout leaves nothing to compare.
      'sampling/sampling_logp_difference/max':
        apart.count === 0 && sums.tokens > 0 ? null : apart.worst,
      ...round.metrics,
    },
    trained: sums.trained,
    tokens: round.batches.reduce((sum, { batch }) => sum + batch.tokens.length, 0),
  }
}

/**
 * All trained tokens, or those of high entropy. Their threshold is that of the whole step, so it takes
 * a pass over all micro-batches before the first gradient.
 */
export async function keptTokens(
  session: Session,
  stage: GrpoStage,
  batches: readonly (Batch & { mask: Uint8Array })[],
  step: number,
): Promise<Kept> {
  const masks = batches.map(({ mask }) => mask)
  let tokens: Kept['tokens'] = masks
  if (stage.top_entropy_quantile < 1) {
    const entropies = await session.ranks.map(
      batches,
      `entropies, step ${step}`,
      async batch => (await session.engine.score(batch, forwardOptions(session, stage))).entropies,
    )
    const threshold = entropyThreshold(entropies, masks, stage.top_entropy_quantile)
    tokens = entropies.map((values, b) => highEntropy(values, masks[b]!, threshold))
  }
  const ones = (sum: number, values: Float32Array | Uint8Array): number => {
    for (const value of values) sum += value
    return sum
  }
  return { tokens, count: tokens.reduce(ones, 0) }
}

interface FormedLoss extends PolicyLoss {
  /** Why it cannot be formed; null where it can. */
  notFinite: string | null
}

/**
 * The loss of a micro-batch. Where it cannot be formed every coefficient is 0: a rank that stopped here would
 * leave the others waiting for its gradient, so it makes its backward and says afterwards what it found.
 */
function formLoss(input: PolicyLossInput): FormedLoss {
  try {
    return { ...policyLoss(input), notFinite: null }
  } catch (error) {
    if (!(error instanceof NotFinite)) throw error
    const coef = new Float32Array(input.mask.length)
    return { loss: Number.NaN, coef, stats: emptyPolicyStats(), notFinite: error.message }
  }
}

async function microBatch(
  session: Session,
  stage: GrpoStage,
  { batches, options }: Round,
  index: number,
  kept: Kept,
  fresh: boolean,
): Promise<Measured> {
  const { engine, signal } = session
  const part = batches[index]!
  const { batch, sampled, old } = part
  const { mask } = batch
  const counted = kept.tokens[index]!
  const forward = forwardOptions(session, stage)
  const entropyCoef = bonusCoefficients(stage, kept, index)
  const loss = lossInput(stage, options, { ...batch, ...part }, counted)
  const drops = (engine.lora?.lora_dropout ?? 0) > 0
  let values: TokenValues
  let policy: FormedLoss
  if (fresh) {
    policy = formLoss({ ...loss, logprobs: old, oldLogprobs: null })
    values = await engine.forwardBackward(batch, policy.coef, { ...forward, entropyCoef })
  } else if (drops) {
    values = await engine.score(batch, forward)
    policy = formLoss({ ...loss, logprobs: values.logprobs, oldLogprobs: old })
    await engine.forwardBackward(batch, policy.coef, { ...forward, entropyCoef })
  } else {
    const pass = await engine.forward(batch, forward)
    try {
      policy = formLoss({ ...loss, logprobs: pass.logprobs, oldLogprobs: old })
    } catch (error) {
      await engine.release(pass.handle)
      throw error
    }
    await engine.backward(pass.handle, policy.coef, entropyCoef, { signal })
    values = pass
  }
  const { logprobs, entropies } = values
  const measured: Measured = {
    stats: policy.stats,
    bonus: entropyLoss(entropies, counted, stage.entropy_coef, kept.count),
    trained: policy.coef.some(c => c !== 0) || (entropyCoef?.some(c => c !== 0) ?? false),
    tokens: 0,
    entropy: 0,
    apart: { count: 0, sum: 0, worst: 0 },
    notFinite: policy.notFinite,
  }
  for (let t = 0; t < mask.length; t++) {
    if (mask[t] === 0) continue
    measured.tokens++
    measured.entropy += entropies[t]!
    // Under dropout the difference would be that, not the sampler's from the trainer's.
    if (fresh && drops) continue
    const difference = Math.abs(logprobs[t]! - sampled[t]!)
    measured.apart.count++
    measured.apart.sum += difference
    measured.apart.worst = Math.max(measured.apart.worst, difference)
  }
  return measured
}

/** What the loss of a micro-batch is made of, but for the log-probs; `counted` by token. */
export function lossInput(
  stage: GrpoStage,
  options: PolicyLossOptions,
  part: Pick<RoundBatch, 'advantages' | 'reference' | 'weights' | 'refined'> &
    Pick<PolicyLossInput, 'mask' | 'cuSeqlens'>,
  counted: Float32Array | Uint8Array,
): Omit<PolicyLossInput, 'logprobs' | 'oldLogprobs'> {
  const { advantages, mask, cuSeqlens, reference: refLogprobs, weights, refined } = part
  return {
    ...{ advantages, mask, cuSeqlens, options, refLogprobs },
    factors: policyFactors(stage, weights, counted),
    refinements: refined && { sequences: refined, gamma: stage.critique!.gamma },
  }
}

/** ∂L/∂H of micro-batch `index` by token; undefined without an entropy bonus. */
export function bonusCoefficients(
  { entropy_coef }: GrpoStage,
  { tokens, count }: Kept,
  index: number,
): Float32Array | undefined {
  return entropy_coef === 0 ? undefined : entropyCoefficients(tokens[index]!, entropy_coef, count)
}

/** Factors of the policy term: entropy filter times importance weight; null where all are 1. */
function policyFactors(
  stage: GrpoStage,
  weights: Float32Array | null,
  counted: Float32Array | Uint8Array,
): Float32Array | null {
  if (stage.top_entropy_quantile === 1) return weights
  return Float32Array.from(counted, (kept, t) => kept * (weights?.[t] ?? 1))
}
