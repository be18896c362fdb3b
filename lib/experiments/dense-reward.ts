/**
 * R-AIRL (arXiv 2510.01857): a reward per token, learnt from expert traces alone, finds the right ones among
 * a policy's samples and the step where a wrong one goes wrong. Chains of five terms, 4,000 experts, a
 * policy that errs at a third of the steps and stays as it is; measured on prompts that nothing has seen.
 */
import { aggregate, areaUnderCurve } from '../algorithms/dense-reward.ts'
import type { Engine } from '../engine/engine.ts'
import { TOKEN_CLASSIFIER } from '../model/config.ts'
import { SCORE } from '../reward-model/model.ts'
import { type Response, responseRewards, trainReward } from '../reward-model/train.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, chainSums, END } from './toy/chain.ts'
import { toyEngine } from './toy/model.ts'
import { type Dice, dice, sftStep, type ToySample, toyRollouts } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 5
const NOISE = 0.36
const EXPERTS = 4000
const SAMPLES = 4000
const STEPS = 800
const TEST_PROMPTS = 256
const N = 8

function toResponse({ prompt, completion }: ToySample): Response {
  const ids = Int32Array.from([...prompt, ...completion])
  return { ids, mask: new Uint8Array(ids.length).fill(1, prompt.length) }
}

/** A chain with one sum exchanged, the others as they were. */
function planted(expert: ToySample, random: Dice): Response & { at: number } {
  const completion = expert.completion.slice()
  const place = random.below(completion.length - 1)
  completion[place] = (completion[place]! + 1 + random.below(9)) % 10
  return { ...toResponse({ ...expert, completion }), at: expert.prompt.length + place }
}

async function sample(policy: Engine, seed: number, round: number, count: number, group: number) {
  const random = dice(`dense prompts ${round} ${seed}`)
  const prompts = Array.from({ length: count }, () => chainPrompt(random, TERMS))
  return await toyRollouts(policy, prompts, {
    ...{ group, maxNewTokens: TERMS, stop: END, seed, round },
  })
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  await using policy = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads })
  const random = dice(`dense experts ${seed}`)
  for (let step = 0; step < 1000; step++) {
    signal.throwIfAborted()
    const samples = Array.from({ length: 32 }, () => chainSample(random, TERMS, NOISE))
    await sftStep(policy, samples, 2e-3)
  }
  const experts = Array.from({ length: EXPERTS }, () => {
    const expert = chainSample(random, TERMS)
    return { ...toResponse(expert), negatives: [planted(expert, random), planted(expert, random)] }
  })
  const samples = (await sample(policy, seed, 0, SAMPLES, 1)).map(toResponse)
  await using reward = await toyEngine({
    ...{ vocab: CHAIN_VOCAB, seed: seed + 1000, threads },
    config: { architectures: [TOKEN_CLASSIFIER] },
  })
  // As in the paper the reward model is a language model with another head: here the policy's weights.
  for (const { name } of await policy.layout()) {
    await reward.writeParameter(name, await policy.readParameter(name))
  }
  await reward.writeParameter(SCORE, new Float32Array(2 * reward.config.hiddenSize))
  let last = 0
  await trainReward(reward, experts, samples, {
    ...{ steps: STEPS, batch: 64, negatives: 2, learningRate: 1e-3, labelSmoothing: 0.1 },
    ...{ weightDecay: 0, maxGradNorm: 1, microBatchTokens: 4096, seed, signal },
    onStep: (step, loss) => {
      last = loss
      if (step % 100 === 0) progress(`step ${step}, loss ${loss.toFixed(4)}`)
    },
  })

  const tested = await sample(policy, seed, 1, TEST_PROMPTS, N)
  const rewards = await responseRewards(reward, tested.map(toResponse), 4096)
  const scores = rewards.map(values => aggregate(values, 'mean'))
  const right = tested.map(({ prompt, completion }) => chainRight(prompt, completion))
  let [best, localised, wrong, chance] = [0, 0, 0, 0]
  for (let p = 0; p < TEST_PROMPTS; p++) {
    const own = scores.slice(p * N, (p + 1) * N)
    if (right[p * N + own.indexOf(Math.max(...own))]) best++
  }
  for (const [i, { prompt, completion }] of tested.entries()) {
    const sums = chainSums(prompt, random)
    const first = completion.findIndex((id, k) => id !== (sums[k] ?? END))
    if (right[i] || first < 0) continue
    wrong++
    chance += 1 / completion.length
    if (rewards[i]!.indexOf(Math.min(...rewards[i]!)) === first) localised++
  }
  const values = {
    last_loss: last,
    auc: areaUnderCurve(
      scores.filter((_, i) => right[i]),
      scores.filter((_, i) => !right[i]),
    ),
    pass_at_1: right.filter(Boolean).length / right.length,
    best_of_8: best / TEST_PROMPTS,
    localised: localised / wrong,
    chance: chance / wrong,
  }
  progress(
    Object.entries(values)
      .map(([name, value]) => `${name} ${value.toFixed(3)}`)
      .join(', '),
  )
  return values
}

export const denseReward: Experiment = {
  name: 'dense-reward',
  paper: 'R-AIRL (arXiv 2510.01857)',
  claim:
    'a reward per token learnt from expert traces ranks samples of a policy and finds the first wrong step',
  gate: 'AUC of right against wrong samples ≥ 0.7; best of 8 by reward ≥ 1.4 × pass@1; lowest token is the first wrong step more often than chance',
  seconds: 240,
  run,
  verdict: rows => ({
    pass: rows.every(
      ({ auc, pass_at_1, best_of_8, localised, chance }) =>
        auc! >= 0.7 && best_of_8! >= 1.4 * pass_at_1! && localised! > chance!,
    ),
    measured: `AUC ${listed(rows, 'auc')}; pass@1 ${listed(rows, 'pass_at_1')}; best of 8 ${listed(rows, 'best_of_8')}; first wrong step ${listed(rows, 'localised')} (chance ${listed(rows, 'chance')})`,
  }),
}
