/**
 * ProRL (arXiv 2505.24864): with a KL penalty whose reference stays fixed, training stalls at the
 * distance that the penalty allows; a hard reset of the reference lets it go on. Chains of eight terms,
 * a base that samples about a quarter of them right, 200 steps of Dr. GRPO under three references.
 */
import type { Engine } from '../engine/engine.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, END } from './toy/chain.ts'
import { examine, reinforce, toyBase } from './toy/loops.ts'
import { checkpointOf } from './toy/model.ts'
import { type Dice, dice, type ToySample } from './toy/train.ts'
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

const ask = (random: Dice): Int32Array => chainPrompt(random, TERMS)

/** The largest KL in a step that begins with a fresh reference. */
async function arm(
  engine: Engine,
  seed: number,
  beta: number,
  reset: boolean,
  signal: AbortSignal,
): Promise<number> {
  let klAtReset = 0
  await engine.updateSlot('ref', 1)
  await reinforce(engine, dice(`prorl rl ${seed}`), ask, chainRight, {
    ...{ seed, signal, beta, steps: STEPS, prompts: PROMPTS, group: GROUP, learningRate: 1e-3 },
    ...{ stop: END, maxNewTokens: MAX_NEW, maxCompletionLength: MAX_NEW },
    async after(step, { kl }) {
      if (!reset) return
      if ((step - 1) % RESET === 0) klAtReset = Math.max(klAtReset, Math.abs(kl ?? 0))
      if (step % RESET === 0) await engine.updateSlot('ref', 1)
    },
  })
  return klAtReset
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  const model = { vocab: CHAIN_VOCAB, seed, threads }
  const taught = (random: Dice): ToySample => chainSample(random, TERMS, NOISE)
  await using engine = await toyBase(model, `prorl sft ${seed}`, taught, {
    ...{ steps: SFT_STEPS, learningRate: 2e-3, signal },
  })
  const restore = await checkpointOf(engine)
  const sampled = (): Promise<number> =>
    examine(engine, `prorl test ${seed}`, 512, ask, chainRight, {
      ...{ maxNewTokens: MAX_NEW, stop: END, seed },
    })
  const values: Measurement = { base: await sampled() }
  const arms = { fixed: [BETA, false], reset: [BETA, true], no_kl: [0, false] } as const
  for (const [name, [beta, reset]] of Object.entries(arms)) {
    await restore()
    const kl = await arm(engine, seed, beta, reset, signal)
    values[name] = await sampled()
    if (reset) values.kl_after_reset = kl
    progress(`${name} ${values[name].toFixed(3)} (base ${values.base!.toFixed(3)})`)
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
