/**
 * LoRA (arXiv 2106.09685) against full training: a base that answers with running sums is taught running
 * differences of the same prompts, all of its weights or adapters beside them, at ten times the rate.
 * The base is sure of what it does: where it is not, its frozen head alone keeps adapters from becoming
 * surer, and the comparison would be one of temperatures.
 */
import { Engine } from '../engine/engine.ts'
import type { LoraConfig } from '../model/lora.ts'
import { adapterParameters } from '../model/lora.ts'
import { parameterLayout } from '../model/parameters.ts'
import { listed } from './run.ts'
import { CHAIN_VOCAB, chainPrompt, chainSample, END } from './toy/chain.ts'
import { examine, supervise } from './toy/loops.ts'
import { toyEngine } from './toy/model.ts'
import { type Dice, dice, type ToySample } from './toy/train.ts'
import type { Experiment, ExperimentContext, Measurement } from './types.ts'

const TERMS = 6
const BASE_STEPS = 1000
const STEPS = 400
const RATE = 5e-4
const LORA: LoraConfig = {
  r: 8,
  lora_alpha: 16,
  lora_dropout: 0,
  target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  use_rslora: false,
}

const ask = (random: Dice): Int32Array => chainPrompt(random, TERMS)

/** d₁ − d₂, d₁ − d₂ − d₃ … modulo ten, END. */
function differences(prompt: Int32Array): Int32Array {
  let value = prompt[1]!
  const chain = [...prompt.slice(2, -1)].map(digit => {
    value = (value + 10 - digit) % 10
    return value
  })
  return Int32Array.from([...chain, END])
}

function difference(random: Dice): ToySample {
  const prompt = ask(random)
  return { prompt, completion: differences(prompt) }
}

const right = (prompt: Int32Array, completion: Int32Array): boolean =>
  differences(prompt).join() === completion.join()

async function run(
  seed: number,
  { threads, progress, signal }: ExperimentContext,
): Promise<Measurement> {
  const sampled = (engine: Engine): Promise<number> =>
    examine(engine, `lora test ${seed}`, 512, ask, right, { maxNewTokens: TERMS, stop: END, seed })
  await using base = await toyEngine({ vocab: CHAIN_VOCAB, seed, threads })
  await supervise(base, dice(`lora base ${seed}`), random => chainSample(random, TERMS), {
    ...{ steps: BASE_STEPS, learningRate: 2e-3, signal },
  })
  const { config } = base
  const { parameters, total } = parameterLayout(config)
  const adapters = adapterParameters(config, LORA, 0).reduce((sum, p) => sum + p.size, 0)
  const values: Measurement = {
    base: await sampled(base),
    trained_share: adapters / total,
    base_differs: 0,
  }
  for (const [arm, lora, learningRate] of [
    ['full', undefined, RATE],
    ['lora', LORA, 10 * RATE],
  ] as const) {
    await using engine = await Engine.create({ config, threads, lora, loraSeed: seed })
    for (const { name } of parameters) {
      await engine.writeParameter(name, await base.readParameter(name))
    }
    await supervise(engine, dice(`lora sft ${seed}`), difference, {
      ...{ steps: STEPS, learningRate, signal },
    })
    values[arm] = await sampled(engine)
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
