/**
 * LoRA (arXiv 2106.09685) against full training: a base that samples a quarter of its chains right is
 * fine-tuned on right chains, all of its weights or adapters of rank 8 beside them, at ten times the rate.
 */
import { Engine } from '../engine/engine.ts'
import type { LoraConfig } from '../model/lora.ts'
import { adapterParameters } from '../model/lora.ts'
import { parameterLayout } from '../model/parameters.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainRight, chainSample, END } from './toy/chain.ts'
import { toyEngine } from './toy/model.ts'
import { accuracy, dice, sftStep } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 8
const STEPS = 150
const LORA: LoraConfig = {
  r: 8,
  lora_alpha: 16,
  lora_dropout: 0,
  target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  use_rslora: false,
}

async function sampled(engine: Engine, seed: number): Promise<number> {
  const random = dice(`lora test ${seed}`)
  const prompts = Array.from({ length: 512 }, () => chainPrompt(random, TERMS))
  const settings = { maxNewTokens: TERMS, stop: END, seed, round: 1_000_000, temperature: 1 }
  return await accuracy(engine, prompts, chainRight, settings)
}

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  await using base = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads })
  const noisy = dice(`lora base ${seed}`)
  for (let step = 0; step < 600; step++) {
    signal.throwIfAborted()
    await sftStep(
      base,
      Array.from({ length: 32 }, () => chainSample(noisy, TERMS, 0.2)),
      2e-3,
    )
  }
  const { config } = base
  const { parameters, total } = parameterLayout(config)
  const adapters = adapterParameters(config, LORA, 0).reduce((sum, p) => sum + p.size, 0)
  const values: Measurement = {
    base: await sampled(base, seed),
    trained_share: adapters / total,
    base_differs: 0,
  }
  for (const [arm, lora, rate] of [
    ['full', undefined, 5e-4],
    ['lora', LORA, 5e-3],
  ] as const) {
    await using engine = await Engine.create({ config, threads, lora, loraSeed: seed })
    for (const { name } of parameters) {
      await engine.writeParameter(name, await base.readParameter(name))
    }
    const random = dice(`lora sft ${seed}`)
    for (let step = 0; step < STEPS; step++) {
      signal.throwIfAborted()
      await sftStep(
        engine,
        Array.from({ length: 32 }, () => chainSample(random, TERMS)),
        rate,
      )
    }
    values[arm] = await sampled(engine, seed)
    progress(`${arm} ${values[arm].toFixed(3)} (base ${values.base!.toFixed(3)})`)
    if (lora === undefined) continue
    for (const { name } of parameters) {
      const [now, then] = [await engine.readParameter(name), await base.readParameter(name)]
      if (!now.every((x, i) => Object.is(x, then[i]))) values.base_differs!++
    }
  }
  return values
}

export const loraFull: Experiment = {
  name: 'lora-full',
  paper: 'LoRA (arXiv 2106.09685)',
  claim: 'adapters of a low rank reach what full training reaches, with the weights frozen',
  gate: 'accuracy with adapters ≥ full training − 0.05 and ≥ base + 0.3; every frozen weight bit-identical',
  seconds: 120,
  run,
  verdict: rows => ({
    pass: rows.every(
      ({ base, full, lora, base_differs }) =>
        lora! >= full! - 0.05 && lora! >= base! + 0.3 && base_differs === 0,
    ),
    measured: `base ${listed(rows, 'base')}; full ${listed(rows, 'full')}; adapters ${listed(rows, 'lora')}, ${(100 * rows[0]!.trained_share!).toFixed(0)} % of the parameters of this tiny model`,
  }),
}
