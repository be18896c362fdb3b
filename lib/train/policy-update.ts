/**
 * The gradient of one optimizer step from scored rollouts, micro-batch by micro-batch. Denominators
 * are those of the whole step, so the micro-batches' gradients add up to it however it is cut.
 *
 * The first pass over fresh rollouts is exactly on-policy: the sampler's log-probs are the trainer's
 * to the bit, the ratio is 1, the coefficients are known beforehand and one fused pass does all. The
 * difference is measured and reported all the same.
 */
import { type PolicyLoss, type PolicyLossOptions, policyLoss } from '../algorithms/policy-loss.ts'
import { type PolicyStats, policyMetrics } from '../algorithms/policy-metrics.ts'
import type { GrpoStage } from '../config/schema.ts'
import { concatenate, type MicroBatch, type Packable } from '../data/packing.ts'
import type { TokenValues } from '../engine/engine.ts'
import type { Metrics } from '../report/events.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { REFERENCE_SLOT } from './reference.ts'
import type { Session } from './session.ts'

export interface PolicyUpdate {
  metrics: Metrics
  /** Whether any token had a coefficient; if none had, there is nothing to step with. */
  trained: boolean
  /** Tokens that went through the model. */
  tokens: number
}

interface Sums {
  stats: PolicyStats[]
  entropy: number
  difference: number
  worst: number
  tokens: number
  trained: boolean
}

/** Accumulates the gradient. `fresh`: the rollouts were sampled by the present weights. */
export async function accumulatePolicyGradient(
  session: Session,
  stage: GrpoStage,
  rollouts: readonly Rollout[],
  advantages: Float32Array,
  fresh: boolean,
): Promise<PolicyUpdate> {
  const sequences = rollouts.map(rollout => trainingSequence(rollout, stage))
  const options = lossOptions(stage, sequences)
  const sums: Sums = { stats: [], entropy: 0, difference: 0, worst: 0, tokens: 0, trained: false }
  let seen = 0
  for (let first = 0; first < rollouts.length; first += stage.per_device_train_batch_size) {
    session.signal.throwIfAborted()
    const members = Array.from(
      { length: Math.min(stage.per_device_train_batch_size, rollouts.length - first) },
      (_, i) => first + i,
    )
    const batch = concatenate(sequences, members)
    seen += batch.tokens.length
    const sampled = spread(batch, rollouts)
    const part = members.map(i => advantages[i]!)
    await microBatch(session, stage, options, batch, sampled, Float32Array.from(part), fresh, sums)
  }
  return {
    metrics: {
      ...policyMetrics(sums.stats),
      entropy: sums.tokens === 0 ? null : sums.entropy / sums.tokens,
      'sampling/sampling_logp_difference/mean':
        sums.tokens === 0 ? null : sums.difference / sums.tokens,
      'sampling/sampling_logp_difference/max': sums.worst,
    },
    trained: sums.trained,
    tokens: seen,
  }
}

async function microBatch(
  { engine, tokenizer, signal }: Session,
  stage: GrpoStage,
  options: PolicyLossOptions,
  batch: MicroBatch,
  sampled: Float32Array,
  advantages: Float32Array,
  fresh: boolean,
  sums: Sums,
): Promise<void> {
  const { mask, cuSeqlens } = batch
  const forward = { temperature: stage.temperature, vocabLimit: tokenizer.size, signal }
  const refLogprobs =
    stage.beta === 0
      ? null
      : (await engine.score(batch, { ...forward, slot: REFERENCE_SLOT })).logprobs
  const loss = { advantages, mask, cuSeqlens, options, refLogprobs }
  let values: TokenValues
  let policy: PolicyLoss
  if (fresh) {
    policy = policyLoss({ ...loss, logprobs: sampled, oldLogprobs: null })
    values = await engine.forwardBackward(batch, policy.coef, forward)
  } else {
    const kept = await engine.forward(batch, forward)
    policy = policyLoss({ ...loss, logprobs: kept.logprobs, oldLogprobs: sampled })
    await engine.backward(kept.handle, policy.coef, undefined, { signal })
    values = kept
  }
  const { logprobs, entropies } = values
  sums.stats.push(policy.stats)
  sums.trained ||= policy.coef.some(c => c !== 0)
  for (let t = 0; t < mask.length; t++) {
    if (mask[t] === 0) continue
    const difference = Math.abs(logprobs[t]! - sampled[t]!)
    sums.entropy += entropies[t]!
    sums.difference += difference
    sums.worst = Math.max(sums.worst, difference)
    sums.tokens++
  }
}

/** Prompt and completion as one sequence; the completion is trained, its stop token included. */
function trainingSequence({ prompt, tokens, truncated }: Rollout, stage: GrpoStage): Packable {
  const ids = new Int32Array(prompt.promptIds.length + tokens.length)
  ids.set(prompt.promptIds)
  ids.set(tokens, prompt.promptIds.length)
  const mask = new Uint8Array(ids.length)
  if (!(truncated && stage.mask_truncated_completions)) mask.fill(1, prompt.promptIds.length)
  return { ids, mask, prompt: stage.shared_prefix ? prompt.promptIds : undefined }
}

/** The sampler's log-probs at the places of a micro-batch's tokens. */
function spread(batch: MicroBatch, rollouts: readonly Rollout[]): Float32Array {
  const values = new Float32Array(batch.tokens.length)
  for (const [i, member] of batch.members.entries()) {
    const { prompt, logprobs } = rollouts[member]!
    values.set(logprobs, batch.cuSeqlens[i]! + prompt.promptIds.length)
  }
  return values
}

function lossOptions(
  stage: GrpoStage,
  sequences: readonly { mask: Uint8Array }[],
): PolicyLossOptions {
  const count = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0)
  return {
    loss_type: stage.loss_type,
    epsilon: stage.epsilon,
    epsilon_high: stage.epsilon_high,
    delta: stage.delta,
    beta: stage.beta,
    kl_estimator: stage.kl_estimator,
    sapo_temperature_pos: stage.sapo_temperature_pos,
    sapo_temperature_neg: stage.sapo_temperature_neg,
    importance_sampling_level: stage.importance_sampling_level,
    max_completion_length: stage.max_completion_length,
    num_completions: sequences.length,
    num_tokens: sequences.reduce((sum, { mask }) => sum + count(mask), 0),
  }
}
