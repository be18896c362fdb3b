/**
 * Supervised and GRPO steps on bare token ids, for experiments: the same coefficients
 * (lib/algorithms), packing and engine calls as the stages of a run, without tokenizer and files.
 */
import { groupAdvantages } from '../../algorithms/advantages.ts'
import { type PolicyLossOptions, policyLoss } from '../../algorithms/policy-loss.ts'
import { policyMetrics } from '../../algorithms/policy-metrics.ts'
import { sftCoefficients, sftLoss } from '../../algorithms/sft.ts'
import { concatenate, type MicroBatch } from '../../data/packing.ts'
import { randomStream } from '../../data/random.ts'
import type { Engine } from '../../engine/engine.ts'

/** A prompt with what should follow, or what was sampled behind it. */
export interface ToySample {
  prompt: Int32Array
  completion: Int32Array
}

export interface ToyRollout extends ToySample {
  /** The sampler's log-probs, one a token of the completion. */
  logprobs: Float32Array
}

export interface SampleSettings {
  /** Completions of each prompt, adjacent in the result. */
  group: number
  maxNewTokens: number
  stop: number
  seed: number
  /** Distinct for every call: no two completions of a run share their random numbers. */
  round: number
  /** 0 = greedy (default: 1). */
  temperature?: number
}

export interface Dice {
  /** In [0, 1). */
  uniform(): number
  /** A whole number below a bound. */
  below(bound: number): number
}

/** Numbers that are determined by a key. */
export function dice(key: string): Dice {
  const next = randomStream(key)
  const uniform = (): number => next() / 2 ** 32
  return { uniform, below: bound => Math.floor(uniform() * bound) }
}

/** The samples as one batch; the completions are trained. */
export function toyBatch(samples: readonly ToySample[]): MicroBatch {
  const sequences = samples.map(({ prompt, completion }) => {
    const ids = new Int32Array(prompt.length + completion.length)
    ids.set(prompt)
    ids.set(completion, prompt.length)
    return { ids, mask: new Uint8Array(ids.length).fill(1, prompt.length), prompt }
  })
  return concatenate(sequences, Array.from(sequences.keys()))
}

/** One AdamW step on −mean log-prob of the completions; returns that loss. */
export async function sftStep(
  engine: Engine,
  samples: readonly ToySample[],
  learningRate: number,
): Promise<number> {
  const batch = toyBatch(samples)
  const trained = batch.mask.reduce((sum, bit) => sum + bit, 0)
  const coef = sftCoefficients(batch.mask, trained)
  const { logprobs } = await engine.forwardBackward(batch, coef)
  await engine.optimizerStep({ learningRate, maxGradNorm: 1 })
  return sftLoss(logprobs, batch.mask, trained)
}

/** Samples completions. */
export async function toyRollouts(
  engine: Engine,
  prompts: readonly Int32Array[],
  { group, maxNewTokens, stop, seed, round, temperature = 1 }: SampleSettings,
): Promise<ToyRollout[]> {
  const stopTokens = Int32Array.of(stop)
  const size = prompts.length * group
  const requests = Array.from({ length: size }, (_, i) => ({
    tokens: prompts[Math.floor(i / group)]!,
    maxNewTokens,
    stopTokens,
    temperature,
    seed,
    stream: round * size + i,
  }))
  const completions = await engine.generate(requests, { maxSequences: 512 })
  return completions.map(({ tokens, logprobs }, i) => ({
    prompt: requests[i]!.tokens,
    completion: tokens,
    logprobs,
  }))
}

export interface GrpoStepOptions {
  group: number
  learningRate: number
  maxCompletionLength: number
  /** KL to the slot `ref` (default: 0, no reference is read). */
  beta?: number
  /** Changes of the loss (default: Dr. GRPO, ε 0.2). */
  loss?: Partial<PolicyLossOptions>
}

/** One on-policy Dr. GRPO step over groups of `group` adjacent rollouts, one reward each. */
export async function grpoStep(
  engine: Engine,
  rollouts: readonly ToyRollout[],
  rewards: readonly number[],
  { group, learningRate, maxCompletionLength, beta = 0, loss }: GrpoStepOptions,
): Promise<{ reward: number; deadGroups: number; kl: number | null; entropy: number }> {
  const scored = groupAdvantages({
    rewards: [rewards],
    weights: [1],
    num_generations: group,
    scale_rewards: 'none',
  })
  const batch = toyBatch(rollouts)
  const logprobs = sampledLogprobs(batch, rollouts)
  const reference = beta === 0 ? null : (await engine.score(batch, { slot: 'ref' })).logprobs
  const { coef, stats } = policyLoss({
    logprobs,
    oldLogprobs: null,
    refLogprobs: reference,
    advantages: scored.advantages,
    mask: batch.mask,
    cuSeqlens: batch.cuSeqlens,
    options: {
      loss_type: 'dr_grpo',
      epsilon: 0.2,
      beta,
      max_completion_length: maxCompletionLength,
      num_completions: rollouts.length,
      num_tokens: batch.mask.reduce((sum, bit) => sum + bit, 0),
      ...loss,
    },
  })
  let entropy = 0
  if (coef.some(c => c !== 0)) {
    const { entropies } = await engine.forwardBackward(batch, coef)
    const trained = batch.mask.reduce((sum, bit) => sum + bit, 0)
    entropy = entropies.reduce((sum, h, t) => sum + h * batch.mask[t]!, 0) / trained
    await engine.optimizerStep({ learningRate, maxGradNorm: 1 })
  }
  const { kl } = policyMetrics([stats])
  const { reward, frac_reward_zero_std } = scored
  return { reward, deadGroups: frac_reward_zero_std, kl: kl ?? null, entropy }
}

/** The sampler's log-probs at the places of the batch's tokens. */
export function sampledLogprobs(batch: MicroBatch, rollouts: readonly ToyRollout[]): Float32Array {
  const values = new Float32Array(batch.tokens.length)
  for (const [i, { prompt, logprobs }] of rollouts.entries()) {
    values.set(logprobs, batch.cuSeqlens[i]! + prompt.length)
  }
  return values
}

/** Share of `count` prompts whose completion is right; greedy unless a temperature is given. */
export async function accuracy(
  engine: Engine,
  prompts: readonly Int32Array[],
  right: (prompt: Int32Array, completion: Int32Array) => boolean,
  settings: Omit<SampleSettings, 'group'>,
): Promise<number> {
  const rollouts = await toyRollouts(engine, prompts, { temperature: 0, ...settings, group: 1 })
  const hits = rollouts.filter(({ prompt, completion }) => right(prompt, completion)).length
  return hits / rollouts.length
}
