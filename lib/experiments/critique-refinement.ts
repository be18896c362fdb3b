/**
 * Critique-GRPO (arXiv 2506.03106): where a group fails, a refinement written after a step-by-step
 * critique takes the place of one member; shaped by p/(p + γ) it teaches what sampling does not find.
 * Chains of products modulo ten, which the base nearly always computes as sums.
 */
import { groupAdvantages } from '../algorithms/advantages.ts'
import { policyLoss } from '../algorithms/policy-loss.ts'
import type { Engine } from '../engine/engine.ts'
import { listed } from './run.ts'
import { examine, toyBase } from './toy/loops.ts'
import { checkpointOf } from './toy/model.ts'
import {
  type Dice,
  dice,
  sampledLogprobs,
  type ToyRollout,
  type ToySample,
  toyBatch,
  toyRollouts,
} from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const [BOS, EQUALS, END, PLUS, TIMES, CRITIQUE] = [10, 11, 12, 13, 14, 15]
const VOCAB = 16
const TERMS = 5
const GROUP = 8
const PROMPTS = 16
const STEPS = 150
const GAMMA = 0.1
/** How often the base multiplies where it should. */
const KNOWS = 0.03
/** γ at which γp/(p + γ)² is p/γ for every p: times this it is the unshaped weight f(p) = p. */
const UNSHAPED = 1e6

function question(random: Dice, operator: number): Int32Array {
  const digits = Array.from({ length: TERMS }, () => random.below(10))
  return Int32Array.from([BOS, operator, ...digits, EQUALS])
}

/** The running results; where a product is due, a step is one with probability `knows`. */
function chain(prompt: Int32Array, random: Dice, knows: number): number[] {
  let value = prompt[2]!
  return [...prompt.slice(3, -1)].map(digit => {
    const product = prompt[1] === TIMES && (knows === 1 || random.uniform() < knows)
    value = (product ? value * digit : value + digit) % 10
    return value
  })
}

const truth = (prompt: Int32Array): number[] => chain(prompt, dice('none'), 1)

function right(prompt: Int32Array, completion: Int32Array): boolean {
  const wanted = [...truth(prompt), END]
  return wanted.length === completion.length && wanted.every((x, i) => x === completion[i])
}

/** The question with a critique that shows every step. */
const criticised = (prompt: Int32Array): Int32Array =>
  Int32Array.from([...prompt.slice(0, -1), CRITIQUE, ...truth(prompt), EQUALS])

function sftSample(random: Dice): ToySample {
  const kind = random.below(3)
  const plain = question(random, kind === 0 ? PLUS : TIMES)
  if (kind === 2) {
    return { prompt: criticised(plain), completion: Int32Array.from([...truth(plain), END]) }
  }
  return { prompt: plain, completion: Int32Array.from([...chain(plain, random, KNOWS), END]) }
}

interface Step {
  valid: number
  refined: number
}

/** One step: groups that fail get a refinement in the place of their last member. */
async function step(
  engine: Engine,
  prompts: Int32Array[],
  seed: number,
  round: number,
  gamma: number | null,
): Promise<Step> {
  const sampling = { maxNewTokens: TERMS, stop: END, seed }
  const rollouts: ToyRollout[] = await toyRollouts(engine, prompts, {
    ...sampling,
    group: GROUP,
    round,
  })
  const rewards = rollouts.map(r => Number(right(r.prompt, r.completion)))
  const refinedOnes = new Uint8Array(rollouts.length)
  const failed = prompts.flatMap((_, p) =>
    rewards.slice(p * GROUP, (p + 1) * GROUP).includes(1) ? [] : [p],
  )
  let valid = 0
  if (gamma !== null && failed.length > 0) {
    const asked = failed.map(p => criticised(prompts[p]!))
    const refined = await toyRollouts(engine, asked, {
      ...sampling,
      group: 1,
      round: 500_000 + round,
    })
    for (const [f, p] of failed.entries()) {
      const at = (p + 1) * GROUP - 1
      const { completion } = refined[f]!
      rollouts[at] = {
        prompt: prompts[p]!,
        completion,
        logprobs: new Float32Array(completion.length),
      }
      rewards[at] = Number(right(prompts[p]!, completion))
      valid += rewards[at]!
      refinedOnes[at] = 1
    }
  }
  const { advantages } = groupAdvantages({
    rewards: [rewards],
    weights: [1],
    num_generations: GROUP,
    scale_rewards: 'none',
  })
  const batch = toyBatch(rollouts)
  const mixed = refinedOnes.includes(1)
  const unshaped = gamma === UNSHAPED
  const factors = Float32Array.from(batch.mask, () => 1)
  if (unshaped) {
    for (const [i, is] of refinedOnes.entries()) {
      if (is) factors.fill(UNSHAPED, batch.cuSeqlens[i], batch.cuSeqlens[i + 1])
    }
  }
  const { coef } = policyLoss({
    logprobs: mixed ? (await engine.score(batch)).logprobs : sampledLogprobs(batch, rollouts),
    oldLogprobs: null,
    refLogprobs: null,
    advantages,
    mask: batch.mask,
    cuSeqlens: batch.cuSeqlens,
    factors,
    refinements: mixed ? { sequences: refinedOnes, gamma: gamma! } : null,
    options: {
      loss_type: 'dr_grpo',
      epsilon: 0.2,
      beta: 0,
      max_completion_length: TERMS,
      num_completions: rollouts.length,
    },
  })
  if (coef.some(c => c !== 0)) {
    await engine.forwardBackward(batch, coef)
    await engine.optimizerStep({ learningRate: 2e-4, maxGradNorm: 1 })
  }
  return { valid, refined: gamma === null ? 0 : failed.length }
}

async function run(seed: number, context: ExperimentContext): Promise<Measurement> {
  const { threads, signal } = context
  const model = { vocab: VOCAB, seed, threads }
  await using engine = await toyBase(model, `critique sft ${seed}`, sftSample, {
    ...{ steps: 1500, learningRate: 2e-3, signal },
  })
  const restore = await checkpointOf(engine)
  const ask = (random: Dice): Int32Array => question(random, TIMES)
  const sampled = (): Promise<number> =>
    examine(engine, `critique test ${seed}`, 512, ask, right, {
      ...{ maxNewTokens: TERMS, stop: END, seed },
    })
  const values: Measurement = { base: await sampled() }
  const arms = [
    ['grpo', null],
    ['unshaped', UNSHAPED],
    ['shaped', GAMMA],
  ] as const
  for (const [name, gamma] of arms) {
    await restore()
    const prompts = dice(`critique rl ${seed}`)
    let [valid, refined] = [0, 0]
    for (let i = 1; i <= STEPS; i++) {
      context.signal.throwIfAborted()
      const batch = Array.from({ length: PROMPTS }, () => ask(prompts))
      const done = await step(engine, batch, seed, i, gamma)
      valid += done.valid
      refined += done.refined
    }
    values[name] = await sampled()
    if (name === 'shaped') values.valid_refinements = valid / Math.max(1, refined)
    context.progress(`${name} ${values[name].toFixed(3)} (base ${values.base!.toFixed(3)})`)
  }
  return values
}

export const critiqueRefinement: Experiment = {
  name: 'critique-refinement',
  paper: 'Critique-GRPO (arXiv 2506.03106)',
  claim: 'refinements after a critique, shaped by p/(p + γ), teach what plain GRPO fails at',
  gate: 'accuracy with shaped refinements ≥ GRPO + 0.15 and ≥ unshaped refinements + 0.1',
  seconds: 40,
  run,
  verdict: rows => ({
    pass: rows.every(row => row.shaped! >= row.grpo! + 0.15 && row.shaped! >= row.unshaped! + 0.1),
    measured: `base ${listed(rows, 'base')}; GRPO ${listed(rows, 'grpo')}; unshaped ${listed(rows, 'unshaped')}; shaped ${listed(rows, 'shaped')}; valid refinements ${listed(rows, 'valid_refinements')}`,
  }),
}
