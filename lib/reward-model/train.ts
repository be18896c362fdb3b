/**
 * Training a reward model from expert traces (R-AIRL, arXiv 2510.01857, against a fixed policy): every
 * step takes experts (label 1), as many samples of the policy (label 0), and of each expert `negatives`
 * copies with a planted mistake (label 0), and makes one AdamW step on the smoothed cross-entropy of all
 * their tokens (lib/algorithms/dense-reward.ts). Against a fixed policy, because a discriminator that is
 * trained along with it reranks worse than chance once it has taught the policy what it knows.
 */
import { aggregate, areaUnderCurve, expertLoss } from '../algorithms/dense-reward.ts'
import { type MicroBatch, type Packable, pack } from '../data/packing.ts'
import { permutation, randomStream } from '../data/random.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { tokenRewards } from './model.ts'

/** A response with its prompt; the mask is 1 on the response. */
export type Response = Pick<Packable, 'ids' | 'mask'>

/** An expert's response and its copies with one mistake; `at` is the first token that differs. */
export interface Expert extends Response {
  negatives: (Response & { at: number })[]
}

interface RewardTrainingOptions {
  steps: number
  /** Experts of a step, and samples of the policy. */
  batch: number
  /** Copies with a mistake per expert and step, at most. */
  negatives: number
  learningRate: number
  labelSmoothing: number
  weightDecay: number
  maxGradNorm: number
  /** Tokens of a micro-batch. */
  microBatchTokens: number
  seed: number
  signal?: AbortSignal | undefined
  onStep?(step: number, loss: number): void
}

/** Endless passes over the indices below `size`, each in an order of its own. */
function* passes(size: number, seed: number, name: string): Generator<number> {
  for (let epoch = 0; ; epoch++) yield* permutation(size, `${seed} ${name} ${epoch}`)
}

/** Trains in place. Throws `E_DATA` without experts or samples, `E_DIVERGED`. */
export async function trainReward(
  engine: Engine,
  experts: readonly Expert[],
  samples: readonly Response[],
  options: RewardTrainingOptions,
): Promise<void> {
  if (experts.length === 0 || samples.length === 0) {
    throw new KogrpoError(
      'E_DATA',
      experts.length === 0
        ? phrase('there is no expert trace to train the reward model on')
        : phrase('there is no sample of the policy to train the reward model on'),
    )
  }
  const { seed, batch } = options
  const expertOrder = passes(experts.length, seed, 'experts')
  const sampleOrder = passes(samples.length, seed, 'samples')
  const random = randomStream(`${seed} negatives`)
  for (let step = 1; step <= options.steps; step++) {
    options.signal?.throwIfAborted()
    const responses: (Response & { label: number })[] = []
    for (let i = 0; i < batch; i++) {
      const expert = experts[expertOrder.next().value as number]!
      responses.push({ ...expert, label: 1 })
      responses.push({ ...samples[sampleOrder.next().value as number]!, label: 0 })
      const from = random()
      const count = Math.min(options.negatives, expert.negatives.length)
      for (let k = 0; k < count; k++) {
        responses.push({ ...expert.negatives[(from + k) % expert.negatives.length]!, label: 0 })
      }
    }
    const loss = await rewardStep(engine, responses, options)
    options.onStep?.(step, loss)
  }
}

async function rewardStep(
  engine: Engine,
  responses: readonly (Response & { label: number })[],
  options: RewardTrainingOptions,
): Promise<number> {
  const longest = Math.max(...responses.map(({ ids }) => ids.length))
  let loss = 0
  for (const micro of pack(responses, Math.max(longest, options.microBatchTokens))) {
    const targets = labelsOf(micro, responses)
    const { tokens, cuSeqlens, mask } = micro
    const { signal } = options
    const { handle, logprobs } = await engine.forward(
      { tokens, cuSeqlens, mask, targets },
      { signal },
    )
    const part = expertLoss({
      ...{ logprobs, mask, cuSeqlens, label_smoothing: options.labelSmoothing },
      num_responses: responses.length,
    })
    await engine.backward(handle, part.coef, undefined, { signal })
    loss += part.loss
  }
  const { learningRate, weightDecay, maxGradNorm } = options
  const { gradNorm } = await engine.optimizerStep({ learningRate, weightDecay, maxGradNorm })
  if (Number.isFinite(gradNorm)) return loss
  throw new KogrpoError(
    'E_DIVERGED',
    phrase(
      'the gradient of the reward model is not finite; the weights are those before the step. Lower --learning-rate',
    ),
  )
}

function labelsOf(micro: MicroBatch, responses: readonly { label: number }[]): Int32Array {
  const targets = new Int32Array(micro.tokens.length)
  for (const [i, member] of micro.members.entries()) {
    targets.fill(responses[member]!.label, micro.cuSeqlens[i]!, micro.cuSeqlens[i + 1]!)
  }
  return targets
}

/** The rewards of each response's own tokens. */
export async function responseRewards(
  engine: Engine,
  responses: readonly Response[],
  microBatchTokens: number,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const found = new Array<Float32Array>(responses.length)
  const longest = Math.max(1, ...responses.map(({ ids }) => ids.length))
  for (const micro of pack(responses, Math.max(longest, microBatchTokens))) {
    const rewards = await tokenRewards(engine, micro, signal)
    for (const [i, member] of micro.members.entries()) {
      const [from, to] = [micro.cuSeqlens[i]!, micro.cuSeqlens[i + 1]!]
      const { mask } = responses[member]!
      found[member] = rewards.slice(from, to).filter((_, t) => mask[t] !== 0)
    }
  }
  return found
}

interface RewardQuality {
  /** P(an expert's mean reward is above a policy sample's), and above that of a planted mistake. */
  auc_policy: number
  auc_mistakes: number
  /** Share of planted mistakes whose lowest token lies within `near` tokens of the mistake, and what
   *  picking a token at random would give. */
  localised: number
  localised_chance: number
}

/** How far behind the first wrong token the lowest may lie: a mistake shows when it is read. */
const NEAR = 3

/** What the model tells apart on traces that it was not trained on. */
export async function rewardQuality(
  engine: Engine,
  experts: readonly Expert[],
  samples: readonly Response[],
  microBatchTokens: number,
): Promise<RewardQuality> {
  const of = (responses: readonly Response[]): Promise<Float32Array[]> =>
    responseRewards(engine, responses, microBatchTokens)
  const mean = (rewards: Float32Array): number => aggregate(rewards, 'mean')
  const positives = (await of(experts)).map(mean)
  const mistakes = experts.flatMap(({ negatives }) => negatives)
  const wrong = await of(mistakes)
  let [localised, chance] = [0, 0]
  for (const [i, rewards] of wrong.entries()) {
    const { at, mask } = mistakes[i]!
    const place = at - mask.indexOf(1)
    const lowest = rewards.indexOf(Math.min(...rewards))
    if (lowest >= place && lowest <= place + NEAR) localised++
    chance += Math.min(NEAR + 1, rewards.length - place) / rewards.length
  }
  return {
    auc_policy: areaUnderCurve(positives, (await of(samples)).map(mean)),
    auc_mistakes: areaUnderCurve(positives, wrong.map(mean)),
    localised: localised / mistakes.length,
    localised_chance: chance / mistakes.length,
  }
}
