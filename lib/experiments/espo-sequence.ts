/**
 * ESPO's objective on an autoregressive model (arXiv 2512.03759; there the ELBO is the exact likelihood and
 * its ratio is GSPO's): one ratio a completion, the others of the group as baseline, one k2 a completion.
 * Rollouts are used four times, so ratios are not 1. The same with a ratio per token beside it; at toy size
 * the two do not differ, which is no gate. Chains of five terms.
 */
import { groupAdvantages } from '../algorithms/advantages.ts'
import { type PolicyLossOptions, policyLoss } from '../algorithms/policy-loss.ts'
import type { Engine } from '../engine/engine.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, END } from './toy/chain.ts'
import { examine, toyBase } from './toy/loops.ts'
import { checkpointOf } from './toy/model.ts'
import {
  type Dice,
  dice,
  sampledLogprobs,
  type ToySample,
  toyBatch,
  toyRollouts,
} from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 5
const NOISE = 0.35
const GROUP = 8
const PROMPTS = 16
const STEPS = 100
const ITERATIONS = 4
const RATE = 5e-4

type Level = 'token' | 'sequence'

const ask = (random: Dice): Int32Array => chainPrompt(random, TERMS)

const lossOptions = (level: Level): PolicyLossOptions => ({
  ...{ loss_type: 'grpo', epsilon: 0.2, beta: 1e-3, kl_estimator: 'k2', kl_level: level },
  ...{ importance_sampling_level: level, max_completion_length: TERMS },
  num_completions: PROMPTS * GROUP,
})

async function train(
  engine: Engine,
  seed: number,
  level: Level,
  signal: AbortSignal,
): Promise<void> {
  const random = dice(`espo rl ${seed}`)
  await engine.updateSlot('ref', 1)
  for (let step = 1; step <= STEPS; step++) {
    signal.throwIfAborted()
    const prompts = Array.from({ length: PROMPTS }, () => ask(random))
    const rollouts = await toyRollouts(engine, prompts, {
      ...{ group: GROUP, maxNewTokens: TERMS, stop: END, seed, round: step },
    })
    const rewards = rollouts.map(r => Number(chainRight(r.prompt, r.completion)))
    const { advantages } = groupAdvantages({
      ...{ rewards: [rewards], weights: [1], num_generations: GROUP },
      ...{ scale_rewards: 'none', baseline: 'leave_one_out' },
    })
    const batch = toyBatch(rollouts)
    const oldLogprobs = sampledLogprobs(batch, rollouts)
    const refLogprobs = (await engine.score(batch, { slot: 'ref' })).logprobs
    for (let pass = 0; pass < ITERATIONS; pass++) {
      const { handle, logprobs } = await engine.forward(batch)
      const { coef } = policyLoss({
        ...{ logprobs, oldLogprobs, refLogprobs, advantages, options: lossOptions(level) },
        ...{ mask: batch.mask, cuSeqlens: batch.cuSeqlens },
      })
      await engine.backward(handle, coef)
      await engine.optimizerStep({ learningRate: RATE, maxGradNorm: 1 })
    }
  }
}

/** Largest difference of the two levels' coefficients on completions of one token; 0 is what it has to be. */
function oneTokenDifference(seed: number): number {
  const random = dice(`espo one ${seed}`)
  const values = (scale: number): Float32Array =>
    Float32Array.from({ length: 16 }, (_, t) => (t % 2 === 0 ? 0 : -0.1 - scale * random.uniform()))
  const input = {
    ...{ logprobs: values(1), oldLogprobs: values(1), refLogprobs: values(1) },
    advantages: Float32Array.from({ length: 8 }, () => random.uniform() - 0.5),
    mask: Uint8Array.from({ length: 16 }, (_, t) => t % 2),
    cuSeqlens: Int32Array.from({ length: 9 }, (_, i) => 2 * i),
  }
  const token = policyLoss({ ...input, options: lossOptions('token') }).coef
  const sequence = policyLoss({ ...input, options: lossOptions('sequence') }).coef
  return Math.max(...token.map((c, t) => Math.abs(c - sequence[t]!)))
}

async function run(
  seed: number,
  { threads, signal, progress }: ExperimentContext,
): Promise<Measurement> {
  const model = { vocab: CHAIN_VOCAB, seed, threads }
  const taught = (random: Dice): ToySample => chainSample(random, TERMS, NOISE)
  await using engine = await toyBase(model, `espo sft ${seed}`, taught, {
    ...{ steps: 800, learningRate: 2e-3, signal },
  })
  const restore = await checkpointOf(engine)
  const sampling = { maxNewTokens: TERMS, stop: END, seed }
  const sampled = (): Promise<number> =>
    examine(engine, `espo test ${seed}`, 512, ask, chainRight, sampling)
  const values: Measurement = { base: await sampled(), one_token: oneTokenDifference(seed) }
  for (const level of ['sequence', 'token'] as const) {
    await restore()
    await train(engine, seed, level, signal)
    values[level] = await sampled()
    progress(`${level} level ${values[level].toFixed(3)} (base ${values.base!.toFixed(3)})`)
  }
  return values
}

export const espoSequence: Experiment = {
  name: 'espo-sequence',
  paper: 'ESPO (arXiv 2512.03759)',
  claim:
    'one ratio, baseline and penalty a completion train over rollouts that are used several times',
  gate: 'accuracy at sequence level ≥ 0.85, base ≤ 0.4; on completions of one token both levels have equal coefficients (token level is measured and no gate)',
  seconds: 60,
  run,
  verdict: rows => ({
    pass: rows.every(r => r.sequence! >= 0.85 && r.base! <= 0.4 && r.one_token! <= 1e-7),
    measured: `base ${listed(rows, 'base')}; sequence level ${listed(rows, 'sequence')}; token level ${listed(rows, 'token')}; largest difference on one token ${Math.max(...rows.map(r => r.one_token!)).toExponential(0)}`,
  }),
}
