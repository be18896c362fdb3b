/**
 * Readiness before RL (arXiv 2601.05459; the warm-up of SARI, arXiv 2504.15900): where the base cannot do
 * the task, groups are dead and RL alone learns nothing; a short SFT makes the same RL work. Chains of
 * five terms in which every step has to be right; the figures are those of `kogrpo rl-check`.
 */
import type { Engine } from '../engine/engine.ts'
import { meanPassAtK } from '../eval/readiness.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainSample, chainSums, END } from './toy/chain.ts'
import { examine, reinforce, supervise } from './toy/loops.ts'
import { checkpointOf, toyEngine } from './toy/model.ts'
import { type Dice, dice } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 5
const GROUP = 8
const PROMPTS = 16
const STEPS = 100
const SFT_STEPS = 300
/** Teachers of the warm-up err: it is to leave something to learn. */
const NOISE = 0.15

/** Whether every running sum is right. */
function right(prompt: Int32Array, completion: Int32Array): boolean {
  const sums = [...chainSums(prompt, dice('none')), END]
  return sums.length === completion.length && sums.every((sum, i) => sum === completion[i])
}

const ask = (random: Dice): Int32Array => chainPrompt(random, TERMS)

async function trainAndTest(
  engine: Engine,
  seed: number,
  signal: AbortSignal,
): Promise<{ accuracy: number; dead: number; pass: number }> {
  let dead = 0
  let pass = 0
  const sampling = { maxNewTokens: TERMS, stop: END, seed }
  await reinforce(engine, dice(`warm-up rl ${seed}`), ask, right, {
    ...{ ...sampling, signal, steps: STEPS, prompts: PROMPTS, group: GROUP, learningRate: 1e-3 },
    maxCompletionLength: TERMS,
    after(step, { deadGroups, rewards }) {
      if (step > 1) return
      dead = deadGroups
      pass = meanPassAtK(rewards, GROUP, GROUP)!
    },
  })
  const accuracy = await examine(engine, `warm-up test ${seed}`, 256, ask, right, sampling)
  return { accuracy, dead, pass }
}

async function run(seed: number, context: ExperimentContext): Promise<Measurement> {
  const { threads, signal, progress } = context
  await using engine = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads })
  const restore = await checkpointOf(engine)
  const alone = await trainAndTest(engine, seed, signal)
  progress(`RL alone ${alone.accuracy.toFixed(3)}, dead groups at its start ${alone.dead}`)
  await restore()
  await supervise(
    engine,
    dice(`warm-up sft ${seed}`),
    random => chainSample(random, TERMS, NOISE),
    { steps: SFT_STEPS, learningRate: 2e-3, signal },
  )
  await engine.resetOptimizer()
  const warm = await trainAndTest(engine, seed, signal)
  progress(`SFT, then RL ${warm.accuracy.toFixed(3)}, dead groups at its start ${warm.dead}`)
  return {
    rl_alone: alone.accuracy,
    rl_alone_dead_groups: alone.dead,
    rl_alone_pass_at_8: alone.pass,
    sft_then_rl: warm.accuracy,
    sft_dead_groups: warm.dead,
    sft_pass_at_8: warm.pass,
  }
}

export const warmUp: Experiment = {
  name: 'warm-up',
  paper: 'Reasoning before RL (arXiv 2601.05459), SARI (arXiv 2504.15900)',
  claim:
    'RL alone teaches a model nothing that it never gets right; a short SFT first makes it work',
  gate: 'RL alone ≤ 0.02 with dead groups ≥ 0.99 at its start; SFT then RL ≥ 0.95',
  seconds: 25,
  run,
  verdict: rows => ({
    pass: rows.every(
      row => row.rl_alone! <= 0.02 && row.rl_alone_dead_groups! >= 0.99 && row.sft_then_rl! >= 0.95,
    ),
    measured: `RL alone ${listed(rows, 'rl_alone')}, dead groups ${listed(rows, 'rl_alone_dead_groups')}; SFT then RL ${listed(rows, 'sft_then_rl')}, dead groups before RL ${listed(rows, 'sft_dead_groups')}`,
  }),
}
