/**
 * Adapters in the engine: against PEFT on torch (test/golden/make_lora.py), finite differences, sampling
 * against training, and what stays frozen.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { adapterParameters, type LoraConfig, readAdapter } from '../../lib/model/lora.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

interface Golden {
  config: Record<string, unknown>
  init: { seed: number; std: number; normScale: number }
  lora: LoraConfig
  seed: number
  optimizer: Record<'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay', number> & {
    maxGradNorm: number
  }
  final: [string, number, number][]
  tokens: number[]
  logits: number[]
  steps: { tokens: number[]; cuSeqlens: number[]; coef: number[]; loss: number; gradNorm: number }[]
}

const readGolden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), 'utf8'))
const golden = readGolden('lora')

const config = parseModelConfig(tinyConfig({ tie_word_embeddings: false }))
const lora: LoraConfig = {
  r: 3,
  lora_alpha: 6,
  lora_dropout: 0,
  target_modules: ['q_proj', 'v_proj', 'o_proj', 'up_proj', 'down_proj'],
  use_rslora: false,
}
const modelNames = parameterLayout(config).parameters.map(p => p.name)
const adapterNames = (of: LoraConfig = lora): string[] =>
  adapterParameters(config, of, 0).map(p => p.name)

/** With adapters that do something: B is not 0. */
async function create(of: LoraConfig | undefined = lora, options: object = {}): Promise<Engine> {
  const init = { seed: 7, std: 0.1, normScale: 0.1 }
  const engine = await Engine.create({ config, threads: 2, init, lora: of, ...options })
  for (const [n, name] of (of ? adapterNames(of) : []).entries()) {
    const values = await engine.readParameter(name)
    if (!name.includes('lora_B')) continue
    await engine.writeParameter(
      name,
      values.map((_, i) => Math.sin(i * 3 + n) / 5),
    )
  }
  return engine
}

function pack(sequences: number[][]): { tokens: Int32Array; cuSeqlens: Int32Array } {
  const cuSeqlens = [0]
  for (const s of sequences) cuSeqlens.push(cuSeqlens.at(-1)! + s.length)
  return { tokens: Int32Array.from(sequences.flat()), cuSeqlens: Int32Array.from(cuSeqlens) }
}

const sequence = (length: number, salt: number): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 13 + salt * 31) % 97)

const coefficients = (batch: ReturnType<typeof pack>): Float32Array =>
  Float32Array.from(batch.tokens, (_, t) => (batch.cuSeqlens.includes(t) ? 0 : Math.cos(t)))

describe('LoRA against PEFT on torch', () => {
  it.each([
    ['lora', 'loss, gradient norm, adapters, logits', 0.5],
    ['lora_dropout', 'the same under one mask, which evaluation is without', 0.2],
  ])('makes the same steps (%s): %s', async (name, _, fall) => {
    const golden = readGolden(name)
    const tiny = parseModelConfig(golden.config)
    await using engine = await Engine.create({
      config: tiny,
      threads: 2,
      init: golden.init,
      lora: golden.lora,
      loraSeed: golden.seed,
    })
    const frozen = await engine.readParameter('model.layers.1.mlp.down_proj.weight')
    for (const step of golden.steps) {
      const coef = Float32Array.from(step.coef)
      const batch = pack([step.tokens])
      batch.cuSeqlens = Int32Array.from(step.cuSeqlens)
      const { logprobs } = await engine.forwardBackward(batch, coef)
      const loss = coef.reduce((sum, c, t) => sum + c * logprobs[t]!, 0)
      const { gradNorm } = await engine.optimizerStep(golden.optimizer)
      expect(Math.abs(loss - step.loss)).toBeLessThan(1e-4)
      expect(Math.abs(gradNorm / step.gradNorm - 1)).toBeLessThan(1e-4)
    }
    expect(golden.steps.at(-1)!.loss).toBeLessThan(golden.steps[0]!.loss - fall)
    for (const [name, sum, norm] of golden.final) {
      const values = await engine.readParameter(name)
      const ours = Math.sqrt(values.reduce((s, x) => s + x * x, 0))
      expect(Math.abs(ours / norm - 1), name).toBeLessThan(1e-4)
      expect(Math.abs(values.reduce((s, x) => s + x, 0) - sum) / norm, name).toBeLessThan(1e-3)
    }
    const last = Int32Array.of(golden.tokens.length - 1)
    const logits = await engine.logits(Int32Array.from(golden.tokens), last)
    const scale = Math.max(...golden.logits.map(Math.abs))
    for (const [i, x] of golden.logits.entries()) {
      expect(Math.abs(logits[i]! - x) / scale).toBeLessThan(1e-4)
    }
    expect(await engine.readParameter('model.layers.1.mlp.down_proj.weight')).toEqual(frozen)
  })

  it("reads PEFT's own files, and computes PEFT's logits with them", async () => {
    const tiny = parseModelConfig(golden.config)
    const dir = fileURLToPath(new URL('../golden/lora', import.meta.url))
    const layout = parameterLayout(tiny)
    const adapter = await readAdapter(dir, tiny, layout.total)
    expect(adapter.config).toEqual(golden.lora)
    await using engine = await Engine.create({ config: tiny, init: golden.init, lora: golden.lora })
    await engine.loadAdapter(adapter)
    const last = Int32Array.of(golden.tokens.length - 1)
    const logits = await engine.logits(Int32Array.from(golden.tokens), last)
    const scale = Math.max(...golden.logits.map(Math.abs))
    const worst = Math.max(...golden.logits.map((x, i) => Math.abs(logits[i]! - x)))
    expect(worst / scale).toBeLessThan(1e-5)
  })
})

describe('adapters of an engine', () => {
  it('lie behind the model in the order that lib/model states', async () => {
    await using engine = await create()
    const { parameters, total } = parameterLayout(config)
    const stated = [...parameters, ...adapterParameters(config, lora, total)]
    const native = await engine.layout()
    expect(native.map(p => [p.name, p.offset])).toEqual(stated.map(p => [p.name, p.offset]))
  })

  it('begin as nothing: the log-probs are those of the model, under every slot', async () => {
    const batch = pack([sequence(30, 1), sequence(9, 2)])
    const init = { seed: 7, std: 0.1, normScale: 0.1 }
    await using plain = await Engine.create({ config, init })
    await using engine = await Engine.create({ config, init, lora })
    const expected = await plain.score(batch)
    await engine.updateSlot('ref')
    for (const slot of ['policy', 'base', 'ref']) {
      expect(await engine.score(batch, { slot })).toEqual(expected)
    }
    await using trained = await create()
    const { logprobs } = await trained.score(batch)
    expect(logprobs).not.toEqual(expected.logprobs)
    expect(await trained.score(batch, { slot: 'base' })).toEqual(expected)
  })

  it('sample with the log-probs that the trainer computes, to the bit', async () => {
    await using engine = await create()
    const requests = [5, 40, 64].map((length, stream) => ({
      ...{ tokens: Int32Array.from(sequence(length, stream)), maxNewTokens: 40, seed: 3, stream },
    }))
    const completions = await engine.generate(requests)
    expect(await engine.generate([requests[1]!])).toEqual([completions[1]])
    await using other = await create(lora, { gradientCheckpointing: true, threads: 1 })
    for (const [i, { tokens, logprobs }] of completions.entries()) {
      const whole = pack([[...requests[i]!.tokens, ...tokens], sequence(20, 9)])
      for (const by of [engine, other]) {
        const scored = await by.score(whole)
        const begin = requests[i]!.tokens.length
        expect(scored.logprobs.slice(begin, begin + tokens.length)).toEqual(logprobs)
      }
    }
  })

  it('have the gradient of the loss, whole or in parts, recomputed or not', async () => {
    const batch = pack([sequence(20, 5), sequence(31, 6)])
    const coef = coefficients(batch)
    await using engine = await create()
    const loss = async (): Promise<number> => {
      const { logprobs } = await engine.score(batch)
      return coef.reduce((sum, c, t) => sum + c * logprobs[t]!, 0)
    }
    await engine.forwardBackward(batch, coef)
    await using again = await create(lora, { gradientCheckpointing: true, threads: 1 })
    const { handle } = await again.forward(batch)
    await again.backward(handle, coef)
    for (const [n, name] of adapterNames().entries()) {
      const gradient = await engine.readGradient(name)
      expect(await again.readGradient(name)).toEqual(gradient)
      const values = await engine.readParameter(name)
      const direction = values.map((_, i) => Math.cos(i * 5 + n))
      const moved = async (step: number): Promise<number> => {
        await engine.writeParameter(
          name,
          values.map((x, i) => x + step * direction[i]!),
        )
        return await loss()
      }
      const step = 2e-2
      const numeric = (await moved(step)) - (await moved(-step))
      const fine = (await moved(step / 2)) - (await moved(-step / 2))
      // Richardson: the cubic term cancels.
      const slope = (8 * fine - numeric) / (6 * step)
      await engine.writeParameter(name, values)
      const exact = direction.reduce((sum, d, i) => sum + d * gradient[i]!, 0)
      const scale = Math.sqrt(gradient.reduce((s, x) => s + x * x, 0) * direction.length)
      expect(Math.abs(slope - exact) / scale, name).toBeLessThan(2e-3)
    }
  })

  it('are all that training moves, holds gradients and moments of, and copies into a slot', async () => {
    await using engine = await create()
    const before = await Promise.all(modelNames.map(name => engine.readParameter(name)))
    const batch = pack([sequence(40, 1)])
    for (let i = 0; i < 3; i++) {
      await engine.forwardBackward(batch, coefficients(batch))
      await engine.optimizerStep({ learningRate: 1e-2, weightDecay: 0.1, maxGradNorm: 1 })
    }
    await engine.updateSlot('ref', 1)
    const after = await Promise.all(modelNames.map(name => engine.readParameter(name)))
    expect(after).toEqual(before)
    const adapters = adapterParameters(config, lora, 0).reduce((sum, p) => sum + p.size, 0)
    const model = parameterLayout(config).total
    const use = await engine.memoryUse()
    expect(use).toEqual({
      parameters: 4 * (model + adapters),
      gradients: 4 * adapters,
      moments: 8 * adapters,
      slots: 4 * adapters,
      mostGathered: 0,
    })
    await expect(engine.readGradient(modelNames[0]!)).rejects.toThrow(/frozen/)
  })

  it('refuse targets and ranks that are none', async () => {
    for (const [bad, message] of [
      [{ ...lora, target_modules: ['lm_head'] }, /no projection named 'lm_head'/],
      [{ ...lora, target_modules: [] }, /targets are needed/],
    ] as const) {
      await expect(Engine.create({ config, lora: bad as unknown as LoraConfig })).rejects.toThrow(
        message,
      )
    }
  })
})
