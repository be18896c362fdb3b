/**
 * Adapters over 8-bit weights: the matrices exist as integers alone, sampling and training agree to the bit, the gradient
 * is that of the model with the integers' values, and training comes near that over fp32.
 */
import { describe, expect, it, vi } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { loadNative } from '../../lib/engine/native.ts'
import type { Batch } from '../../lib/engine/options.ts'
import { miniDataset } from '../../lib/mini/datasets.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { adapterParameters, type LoraConfig } from '../../lib/model/lora.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { geometryOf } from '../../lib/plan/geometry.ts'
import { planMemory } from '../../lib/plan/memory.ts'
import { tinyConfig } from '../tiny-config.ts'

const mini = await openModelDirectory('assets/mini')
const tokenizer = await Tokenizer.load('assets/mini')
const lora: LoraConfig = {
  r: 4,
  lora_alpha: 8,
  lora_dropout: 0,
  target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  use_rslora: false,
}
const texts = miniDataset('mini:sft', { seed: 3, size: 12 }).map(({ messages = [] }) =>
  tokenizer.encode(messages.map(({ content }) => content).join('\n')).slice(0, 96),
)
const batchOf = (sequences: readonly (readonly number[])[]): Batch => ({
  tokens: Int32Array.from(sequences.flat()),
  cuSeqlens: Int32Array.from([
    0,
    ...sequences.map((_, i) => sequences.slice(0, i + 1).flat().length),
  ]),
})
const batch = batchOf(texts)
const coefOf = ({ tokens, cuSeqlens }: Batch): Float32Array =>
  Float32Array.from(tokens, (_, t) => (cuSeqlens.includes(t) ? 0 : -1 / tokens.length))
const coef = coefOf(batch)

type Options = Omit<NonNullable<Parameters<typeof Engine.load>[1]>, 'lora'>
const load = (options: Options = {}): Promise<Engine> =>
  Engine.load(mini, { dtype: 'int8', threads: 1, lora, loraSeed: 4, ...options })

async function loss(engine: Engine): Promise<number> {
  const { logprobs } = await engine.score(batch)
  return logprobs.reduce((sum, x, t) => sum + x * coef[t]!, 0)
}

async function step(engine: Engine, on = batch): Promise<number> {
  const weights = coefOf(on)
  const { logprobs } = await engine.forwardBackward(on, weights)
  await engine.optimizerStep({ learningRate: 5e-3 })
  return logprobs.reduce((sum, x, t) => sum + x * weights[t]!, 0)
}

describe('LoRA over int8', () => {
  it('trains near what it trains over fp32, and keeps the integers to the bit', async () => {
    await using int8 = await load()
    await using full = await load({ dtype: 'float32' })
    const name = 'model.layers.1.mlp.up_proj.weight'
    const before = await int8.readParameter(name)
    const weights = await full.readParameter(name)
    const most = Math.max(...weights.map(Math.abs))
    expect(Math.max(...before.map((x, i) => Math.abs(x - weights[i]!)))).toBeLessThan(most / 253)
    const curves: [number, number][] = []
    for (let i = 0; i < 12; i++) curves.push([await step(int8), await step(full)])
    const [first, last] = [curves[0]!, curves.at(-1)!]
    expect(last[1]).toBeLessThan(first[1] * 0.9)
    for (const [a, b] of curves) expect(Math.abs(a / b - 1)).toBeLessThan(0.02)
    expect(await int8.readParameter(name)).toEqual(before)
  })

  it('samples with the log-probs that it trains on, everywhere the same', async () => {
    // Without vector instructions products take long: little of everything.
    const few = batchOf(texts.slice(0, 3).map(text => text.slice(0, 40)))
    const requests = texts.slice(0, 3).map((tokens, i) => ({
      tokens: Int32Array.from(tokens.slice(0, 16 + i)),
      maxNewTokens: 8,
      seed: 5,
      stream: i,
    }))
    const seen = []
    for (const isa of loadNative().machine().instructionSets) {
      vi.stubEnv('KOGRPO_CPU_ISA', isa)
      const alone = seen.length % 2 === 0
      await using engine = await load({ threads: alone ? 1 : 3, gradientCheckpointing: !alone })
      await step(engine, few)
      await engine.updateSlot('ref')
      await step(engine, few)
      const completions = await engine.generate(requests)
      expect(await engine.generate([requests[2]!])).toEqual([completions[2]])
      for (const [i, { tokens, logprobs }] of completions.entries()) {
        const whole = Int32Array.from([...requests[i]!.tokens, ...tokens])
        const one = { tokens: whole, cuSeqlens: Int32Array.of(0, whole.length) }
        const none = new Float32Array(whole.length)
        const trained = (await engine.forwardBackward(one, none)).logprobs
        expect(trained.slice(requests[i]!.tokens.length)).toEqual(logprobs)
        expect((await engine.score(one)).logprobs).toEqual(trained)
      }
      const ref = await engine.score(few, { slot: 'ref' })
      const base = await engine.score(few, { slot: 'base' })
      expect(ref.logprobs).not.toEqual(base.logprobs)
      seen.push([completions, ref, base, await engine.readParameter(adapterName)])
    }
    vi.unstubAllEnvs()
    for (const one of seen) expect(one).toEqual(seen[0])
    // Without the adapters it is what int8 serves.
    await using plain = await Engine.load(mini, { dtype: 'int8', threads: 1 })
    expect((await plain.score(few)).logprobs).toEqual(
      (seen[0]![2] as { logprobs: Float32Array }).logprobs,
    )
  })

  it('has the gradient of the model of fp32 with the values of its integers', async () => {
    const config = parseModelConfig(tinyConfig({ tie_word_embeddings: false }))
    const options = { config, threads: 1, lora, loraSeed: 4, init: { seed: 7, std: 0.1 } }
    await using int8 = await Engine.create({ ...options, dtype: 'int8' })
    await using full = await Engine.create(options)
    const names = adapterParameters(config, lora, 0).map(p => p.name)
    for (const { name } of parameterLayout(config).parameters) {
      await full.writeParameter(name, await int8.readParameter(name))
    }
    for (const [n, name] of names.entries()) {
      if (!name.includes('lora_B')) continue
      const values = (await int8.readParameter(name)).map((_, i) => Math.sin(i * 3 + n) / 5)
      await int8.writeParameter(name, values)
      await full.writeParameter(name, values)
    }
    const tokens = Int32Array.from({ length: 50 }, (_, i) => (i * i * 7 + i) % 97)
    const small = { tokens, cuSeqlens: Int32Array.of(0, 20, 50) }
    const weights = Float32Array.from(tokens, (_, t) => (t === 0 || t === 20 ? 0 : Math.cos(t)))
    for (const engine of [int8, full]) {
      const { handle } = await engine.forward(small)
      await engine.backward(handle, weights)
    }
    for (const name of names) {
      const [a, b] = [await int8.readGradient(name), await full.readGradient(name)]
      const norm = Math.sqrt(b.reduce((s, x) => s + x * x, 0))
      const apart = Math.sqrt(a.reduce((s, x, i) => s + (x - b[i]!) ** 2, 0))
      // The activations are rounded to 16 bits in the forward.
      expect(apart / norm, name).toBeLessThan(1e-3)
    }
  })

  it('holds a byte a weight, as kogrpo plan states', async () => {
    await using engine = await load()
    await step(engine)
    await engine.updateSlot('ref')
    const adapters = adapterParameters(mini.config, lora, 0).reduce((n, p) => n + p.size, 0)
    const { items } = planMemory(
      geometryOf(mini.config),
      {
        ...{ stores: 'fp32', shard: 'none', ranks: 1, reference: true, adapters, int8: true },
        ...{ microBatchTokens: 4, headChunk: 1, recompute: 'none' },
      },
      0,
    )
    const planned = (name: string): number =>
      items.find(item => String(item.name).startsWith(name))!.bytes
    const use = await engine.memoryUse()
    expect(use.gradients).toBe(planned('gradients'))
    expect(use.moments).toBe(planned('moments'))
    expect(use.slots).toBe(planned('reference'))
    // A row of integers has two further words, and panels are filled up.
    expect(use.parameters / planned('weights')).toBeGreaterThan(1)
    expect(use.parameters / planned('weights')).toBeLessThan(1.1)
    await using full = await load({ dtype: 'float32' })
    expect(use.parameters).toBeLessThan(0.45 * (await full.memoryUse()).parameters)
  })

  it('resumes to the bit, and refuses what needs the weights', async () => {
    await using engine = await load()
    await step(engine)
    const { mkdtemp } = await import('node:fs/promises')
    const { tmpdir } = await import('node:os')
    const { join } = await import('node:path')
    const file = join(await mkdtemp(join(tmpdir(), 'int8-')), 'state')
    await engine.saveState(file)
    const digests = await engine.weightDigests()
    const expected = await step(engine)
    await using other = await load({ threads: 2 })
    await other.loadState(file)
    expect(await other.weightDigests()).toEqual(digests)
    expect(digests.sampler).toBe(digests.expected)
    expect(await step(other)).toBe(expected)
    expect(await loss(other)).toBe(await loss(engine))

    const q = 'model.layers.0.self_attn.q_proj.weight'
    await expect(engine.setTrainable({ names: [q] })).rejects.toThrow(/8-bit integers/)
    await expect(engine.activationImpact(batch)).rejects.toThrow(/8-bit integers/)
    // q, k and v are one matrix: half of it is none.
    await other.writeParameter(q, await other.readParameter(q))
    await expect(other.score(batch)).rejects.toThrow(
      /'model.layers.0.self_attn.k_proj.weight' has no values yet/,
    )
  })
})

const adapterName = 'model.layers.0.self_attn.q_proj.lora_A.weight'
