/**
 * ProRL (arXiv 2505.24864): with a KL penalty whose reference stays fixed, training stalls at the
 * distance that the penalty allows; a hard reset of the reference lets it go on. Chains of eight terms,
 * a base that samples about a quarter of them right, 200 steps of Dr. GRPO under three references.
 */
import type { Engine } from '../engine/engine.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, END } from './toy/chain.ts'
import { checkpointOf, toyEngine } from './toy/model.ts'
import { accuracy, dice, grpoStep, sftStep, toyRollouts } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 8
const NOISE = 0.2
const GROUP = 8
const PROMPTS = 32
const SFT_STEPS = 1000
const STEPS = 200
const RESET = 40
const BETA = 0.3
const MAX_NEW = TERMS

async function arm(
  engine: Engine,
  seed: number,
  beta: number,
  reset: boolean,
): Promise<{ accuracy: number; klAtReset: number }> {
  const random = dice(`prorl rl ${seed}`)
  await engine.updateSlot('ref', 1)
  let klAtReset = 0
  for (let step = 1; step <= STEPS; step++) {
    const prompts = Array.from({ length: PROMPTS }, () => chainPrompt(random, TERMS))
    const settings = { group: GROUP, maxNewTokens: MAX_NEW, stop: END, seed, round: step }
    const rollouts = await toyRollouts(engine, prompts, settings)
    const rewards = rollouts.map(({ prompt, completion }) => Number(chainRight(prompt, completion)))
    const { kl } = await grpoStep(engine, rollouts, rewards, {
      group: GROUP,
      learningRate: 1e-3,
      maxCompletionLength: MAX_NEW,
      beta,
    })
    if (reset && (step - 1) % RESET === 0) klAtReset = Math.max(klAtReset, Math.abs(kl ?? 0))
    if (reset && step % RESET === 0) await engine.updateSlot('ref', 1)
  }
  return { accuracy: await sampledAccuracy(engine, seed), klAtReset }
}

async function sampledAccuracy(engine: Engine, seed: number): Promise<number> {
  const random = dice(`prorl test ${seed}`)
  const prompts = Array.from({ length: 512 }, () => chainPrompt(random, TERMS))
  const settings = { maxNewTokens: MAX_NEW, stop: END, seed, round: 1_000_000, temperature: 1 }
  return await accuracy(engine, prompts, chainRight, settings)
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  await using engine = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads })
  const random = dice(`prorl sft ${seed}`)
  for (let step = 0; step < SFT_STEPS; step++) {
    signal.throwIfAborted()
    const samples = Array.from({ length: 32 }, () => chainSample(random, TERMS, NOISE))
    await sftStep(engine, samples, 2e-3)
  }
  await engine.resetOptimizer()
  const restore = await checkpointOf(engine)
  const values: Measurement = { base: await sampledAccuracy(engine, seed) }
  const arms = { fixed: [BETA, false], reset: [BETA, true], no_kl: [0, false] } as const
  for (const [name, [beta, reset]] of Object.entries(arms)) {
    await restore()
    const out = await arm(engine, seed, beta, reset)
    values[name] = out.accuracy
    if (reset) values.kl_after_reset = out.klAtReset
    progress(`${name} ${out.accuracy.toFixed(3)} (base ${values.base!.toFixed(3)})`)
  }
  return values
}

export const prorlReset: Experiment = {
  name: 'prorl-reset',
  paper: 'ProRL (arXiv 2505.24864)',
  claim: 'a fixed reference holds training back; resetting it lets training go on',
  gate: 'accuracy with a reset every 40 steps ≥ 0.9, with a fixed reference ≤ 0.6; KL exactly 0 after each reset',
  seconds: 100,
  run,
  verdict: rows => ({
    pass: rows.every(
      ({ reset, fixed, kl_after_reset }) => reset! >= 0.9 && fixed! <= 0.6 && kl_after_reset === 0,
    ),
    measured: `base ${listed(rows, 'base')}; fixed ${listed(rows, 'fixed')}; reset ${listed(rows, 'reset')}; no KL ${listed(rows, 'no_kl')}`,
  }),
}
