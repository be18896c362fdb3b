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
import { type PolicyLoss, policyLoss } from '../algorithms/policy-loss.ts'
import { type PolicyStats, policyMetrics } from '../algorithms/policy-metrics.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { TokenValues } from '../engine/engine.ts'
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
interface Kept {
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
}

/** |trainer's − sampler's log-prob| of the tokens where it means something. */
interface Apart {
  count: number
  sum: number
  worst: number
}

/** Accumulates the gradient. `fresh`: the rollouts were sampled by the present weights. */
export async function accumulatePolicyGradient(
  session: Session,
  stage: GrpoStage,
  round: Round,
  fresh: boolean,
  step = 0,
): Promise<PolicyUpdate> {
  const { ranks, signal } = session
  const kept = await keptTokens(session, stage, round, step)
  const parts = await ranks.accumulate(round.batches, `grpo step ${step}`, async (_, place) => {
    signal.throwIfAborted()
    return await microBatch(session, stage, round, place, kept, fresh)
  })
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
async function keptTokens(
  session: Session,
  stage: GrpoStage,
  round: Round,
  step: number,
): Promise<Kept> {
  const masks = round.batches.map(({ batch }) => batch.mask)
  let tokens: Kept['tokens'] = masks
  if (stage.top_entropy_quantile < 1) {
    const entropies = await session.ranks.map(
      round.batches,
      `entropies, step ${step}`,
      async ({ batch }) =>
        (await session.engine.score(batch, forwardOptions(session, stage))).entropies,
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
  const { batch, advantages, sampled, old, reference: refLogprobs } = part
  const { mask, cuSeqlens } = batch
  const counted = kept.tokens[index]!
  const forward = forwardOptions(session, stage)
  const entropyCoef =
    stage.entropy_coef === 0
      ? undefined
      : entropyCoefficients(counted, stage.entropy_coef, kept.count)
  const factors = policyFactors(stage, part, counted)
  const refinements = part.refined && { sequences: part.refined, gamma: stage.critique!.gamma }
  const drops = (engine.lora?.lora_dropout ?? 0) > 0
  const loss = { advantages, mask, cuSeqlens, options, refLogprobs, factors, refinements }
  let values: TokenValues
  let policy: PolicyLoss
  if (fresh) {
    policy = policyLoss({ ...loss, logprobs: old, oldLogprobs: null })
    values = await engine.forwardBackward(batch, policy.coef, { ...forward, entropyCoef })
  } else if (drops) {
    values = await engine.score(batch, forward)
    policy = policyLoss({ ...loss, logprobs: values.logprobs, oldLogprobs: old })
    await engine.forwardBackward(batch, policy.coef, { ...forward, entropyCoef })
  } else {
    const pass = await engine.forward(batch, forward)
    try {
      policy = policyLoss({ ...loss, logprobs: pass.logprobs, oldLogprobs: old })
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

/** Factors of the policy term: entropy filter times importance weight; null where all are 1. */
function policyFactors(
  stage: GrpoStage,
  { weights }: RoundBatch,
  counted: Float32Array | Uint8Array,
): Float32Array | null {
  if (stage.top_entropy_quantile === 1) return weights
  return Float32Array.from(counted, (kept, t) => kept * (weights?.[t] ?? 1))
}
