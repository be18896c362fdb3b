import { beforeAll, describe, expect, it } from 'vitest'
import { type Completion, Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { tinyConfig } from '../tiny-config.ts'

const V = 97
const config = parseModelConfig(tinyConfig({ tie_word_embeddings: false }))
const create = (threads = 2, options: object = {}): Promise<Engine> =>
  Engine.create({ config, threads, init: { seed: 7, std: 0.3, normScale: 0.1 }, ...options })

/** 1 for most ids, something else for every fifth. */
const scale = Float32Array.from({ length: V }, (_, id) => (id % 5 === 2 ? 0.3 + id / V : 1))
const tokens = Int32Array.from({ length: 40 }, (_, i) => (i * i * 7 + i * 13) % V)
const batch = { tokens, cuSeqlens: Int32Array.of(0, 23, 40) }
const inner = Uint8Array.from(tokens, (_, t) => (batch.cuSeqlens.includes(t) ? 0 : 1))
const coef = Float32Array.from(inner, (m, t) => m * Math.cos(t))
const entropyCoef = Float32Array.from(inner, (m, t) => m * Math.sin(2 * t))
const positions = Int32Array.from({ length: 23 }, (_, i) => i)

describe('logit scale', () => {
  let plain: Float32Array
  beforeAll(async () => {
    await using engine = await create()
    plain = await engine.logits(tokens.slice(0, 23), positions)
  })

  it('multiplies the logits of its ids and leaves the others as they are, to the bit', async () => {
    await using engine = await create(3, { lmHeadChunk: 7 })
    await engine.setLogitScale(scale)
    const scaled = await engine.logits(tokens.slice(0, 23), positions)
    expect(scaled).toEqual(plain.map((z, i) => Math.fround(z * scale[i % V]!)))
    await engine.setLogitScale(null)
    expect(await engine.logits(tokens.slice(0, 23), positions)).toEqual(plain)
  })

  it('equals scaled rows of the head within 1e-6 of the largest logit', async () => {
    await using engine = await create()
    const head = await engine.readParameter('lm_head.weight')
    await engine.writeParameter(
      'lm_head.weight',
      head.map((w, i) => w * scale[Math.floor(i / config.hiddenSize)]!),
    )
    const rows = await engine.logits(tokens.slice(0, 23), positions)
    const worst = Math.max(...rows.map((z, i) => Math.abs(z - plain[i]! * scale[i % V]!)))
    expect(worst / Math.max(...plain.map(Math.abs))).toBeLessThan(1e-6)
  })

  it('holds in sampling and in training alike: equal log-probs to the bit', async () => {
    const requests = [0, 1, 2].map(stream => ({
      tokens: tokens.slice(0, 12),
      maxNewTokens: 40,
      temperature: 0.9,
      seed: 5,
      stream,
    }))
    await using engine = await create()
    const generate = (): Promise<Completion[]> => engine.generate(requests, { vocabLimit: 95 })
    const before = await generate()
    await engine.setLogitScale(scale)
    const completions = await generate()
    expect(completions).not.toEqual(before)
    for (const { tokens: sampled, logprobs } of completions) {
      const whole = Int32Array.from([...tokens.slice(0, 12), ...sampled])
      const scored = await engine.forwardBackward(
        { tokens: whole, cuSeqlens: Int32Array.of(0, whole.length) },
        new Float32Array(whole.length),
        { temperature: 0.9, vocabLimit: 95 },
      )
      expect(scored.logprobs.slice(12)).toEqual(logprobs)
    }
    await engine.setLogitScale(null)
    expect(await generate()).toEqual(before)
  })

  it('has the gradient of the scaled logits: central differences, entropy included', async () => {
    await using engine = await create()
    await engine.setLogitScale(scale)
    const options = { temperature: 1.3 }
    const loss = async (): Promise<number> => {
      const { logprobs, entropies } = await engine.score(batch, options)
      return coef.reduce((sum, c, t) => sum + c * logprobs[t]! + entropyCoef[t]! * entropies[t]!, 0)
    }
    await engine.forwardBackward(batch, coef, { ...options, entropyCoef })
    for (const name of [
      'lm_head.weight',
      'model.norm.weight',
      'model.layers.1.mlp.up_proj.weight',
    ]) {
      const gradient = await engine.readGradient(name)
      const original = await engine.readParameter(name)
      const length = Math.hypot(...gradient)
      const at = async (h: number): Promise<number> => {
        await engine.writeParameter(
          name,
          original.map((x, i) => x + (h * gradient[i]!) / length),
        )
        return await loss()
      }
      const step = 1e-3
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step)
      await engine.writeParameter(name, original)
      expect(Math.abs(numeric / length - 1)).toBeLessThan(2e-3)
    }
  })
})
