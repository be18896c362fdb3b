import { describe, expect, it, vi } from 'vitest'
import { type Completion, Engine } from '../../lib/engine/engine.ts'
import { loadNative } from '../../lib/engine/native.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig())

/** A token sequence that depends on `salt` only. */
function sequence(length: number, salt: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => (i * i * 7 + i * 13 + salt * 31) % 97)
}

function pack(sequences: Int32Array[]): { tokens: Int32Array; cuSeqlens: Int32Array } {
  const cuSeqlens = [0]
  for (const s of sequences) cuSeqlens.push(cuSeqlens.at(-1)! + s.length)
  return {
    tokens: Int32Array.from(sequences.flatMap(s => [...s])),
    cuSeqlens: Int32Array.from(cuSeqlens),
  }
}

const create = (threads = 2, options: object = {}): Promise<Engine> =>
  Engine.create({ config, threads, init: { seed: 7, std: 0.1, normScale: 0.1 }, ...options })

describe('engine', () => {
  it('hands out completions while others are still generated', async () => {
    // Two of the requests would take minutes; what the others' end lets run stops them.
    await using engine = await create(2, {
      config: parseModelConfig(tinyConfig({ max_position_embeddings: 1_000_000 })),
    })
    const requests = [500_000, 1, 500_000, 2].map((maxNewTokens, stream) => ({
      tokens: sequence(20, 5),
      maxNewTokens,
      stream,
    }))
    const stop = new AbortController()
    const handed: number[] = []
    const stopped = engine.generate(requests, {
      signal: stop.signal,
      onCompletion: (_, place) => {
        handed.push(place)
        if (handed.length === 2) setImmediate(() => stop.abort())
      },
    })
    await expect(stopped).rejects.toThrow(/abort/i)
    expect(handed).toEqual([1, 3])
  })

  it('hands out every completion once, and what the taker throws', async () => {
    await using engine = await create()
    const requests = [400, 1, 400, 2].map((maxNewTokens, stream) => ({
      tokens: sequence(20, 5),
      maxNewTokens,
      stream,
    }))
    const handed: [number, Completion][] = []
    const completions = await engine.generate(requests, {
      onCompletion: (completion, place) => handed.push([place, completion]),
    })
    expect(handed.map(([place]) => place)).toEqual([1, 3, 0, 2])
    for (const [place, completion] of handed) expect(completion).toEqual(completions[place])
    const broken = engine.generate(requests, {
      onCompletion: () => {
        throw new Error('the taker is broken')
      },
    })
    await expect(broken).rejects.toThrow('the taker is broken')
    expect(await engine.generate(requests)).toEqual(completions)
  })

  it('has the parameter order that lib/model states', async () => {
    await using engine = await create()
    const native = await engine.layout()
    const stated = parameterLayout(config).parameters
    expect(native.map(p => [p.name, p.offset, p.decay])).toEqual(
      stated.map(p => [p.name, p.offset, p.decay]),
    )
  })

  it('gives a sequence the same bits alone, packed, on any thread count and chunk', async () => {
    const sequences = [sequence(9, 1), sequence(130, 2), sequence(70, 3)]
    await using one = await create(1)
    await using three = await create(3, { lmHeadChunk: 7, gradientCheckpointing: true })
    const packed = await three.score(pack(sequences))
    let begin = 0
    for (const s of sequences) {
      const alone = await one.score(pack([s]))
      expect(packed.logprobs.slice(begin, begin + s.length)).toEqual(alone.logprobs)
      expect(packed.entropies.slice(begin, begin + s.length)).toEqual(alone.entropies)
      begin += s.length
    }
  })

  it('gives the same bits on every instruction set: tokens, log-probs, gradients', async () => {
    const batch = pack([sequence(33, 1), sequence(90, 2)])
    const coef = Float32Array.from(batch.tokens, (_, t) =>
      batch.cuSeqlens.includes(t) ? 0 : Math.sin(t),
    )
    const results = []
    for (const isa of loadNative().machine().instructionSets) {
      vi.stubEnv('KOGRPO_CPU_ISA', isa)
      await using engine = await create()
      expect(engine.isa).toBe(isa)
      const request = { tokens: sequence(40, 3), maxNewTokens: 30, seed: 1 }
      const completions = await engine.generate([request])
      const values = await engine.forwardBackward(batch, coef)
      await engine.optimizerStep({ learningRate: 1e-2, weightDecay: 0.1, maxGradNorm: 1 })
      const weights = await engine.readParameter('model.embed_tokens.weight')
      results.push({ completions, values, weights })
    }
    vi.unstubAllEnvs()
    for (const result of results) expect(result).toEqual(results[0])
  })

  it('samples with the log-probs that the trainer computes, to the bit', async () => {
    await using engine = await create()
    const requests = [5, 40, 64, 100].flatMap((length, salt) =>
      [0, 1, 2].map(i => ({
        tokens: sequence(length, salt),
        maxNewTokens: 50,
        temperature: 0.8,
        seed: 3,
        stream: salt * 10 + i,
      })),
    )
    const options = { vocabLimit: 90 }
    const completions = await engine.generate(requests, options)
    const alone = await engine.generate([requests[7]!], options)
    expect(alone[0]).toEqual(completions[7])
    const odd = await engine.generate(requests, { ...options, maxSequences: 5, prefillRows: 33 })
    expect(odd).toEqual(completions)
    for (const [i, completion] of completions.entries()) {
      const prompt = requests[i]!.tokens
      expect(Math.max(...completion.tokens)).toBeLessThan(90)
      const whole = pack([Int32Array.from([...prompt, ...completion.tokens])])
      const mask = Uint8Array.from(whole.tokens, (_, t) => (t < prompt.length ? 0 : 1))
      const scored = await engine.score({ ...whole, mask }, { temperature: 0.8, vocabLimit: 90 })
      expect(scored.logprobs.slice(prompt.length)).toEqual(completion.logprobs)
    }
  })

  it('has one gradient, fused or in two calls, recomputed or not, split or whole', async () => {
    const sequences = [sequence(33, 1), sequence(80, 2), sequence(12, 3)]
    const batch = pack(sequences)
    const coef = Float32Array.from(batch.tokens, (_, t) =>
      batch.cuSeqlens.includes(t) ? 0 : Math.sin(t),
    )
    const names = parameterLayout(config).parameters.map(p => p.name)
    const gradients = async (engine: Engine): Promise<Float32Array[]> =>
      Promise.all(names.map(name => engine.readGradient(name)))

    await using fused = await create(1)
    await fused.forwardBackward(batch, coef)
    const expected = await gradients(fused)
    expect(expected.every(g => g.some(x => x !== 0))).toBe(true)

    await using twice = await create(3, { gradientCheckpointing: true, lmHeadChunk: 5 })
    const { handle } = await twice.forward(batch)
    await twice.backward(handle, coef)
    expect(await gradients(twice)).toEqual(expected)

    await using split = await create(2)
    for (let b = 0; b < sequences.length; b++) {
      const [begin, end] = [batch.cuSeqlens[b]!, batch.cuSeqlens[b + 1]!]
      await split.forwardBackward(pack([sequences[b]!]), coef.slice(begin, end))
    }
    const parts = await gradients(split)
    for (const [i, whole] of expected.entries()) {
      const scale = Math.max(...whole.map(Math.abs))
      const worst = Math.max(...whole.map((x, k) => Math.abs(x - parts[i]![k]!)))
      expect(worst / scale).toBeLessThan(1e-5)
    }
  })

  it('matches finite differences of the loss', async () => {
    const batch = pack([sequence(20, 5), sequence(31, 6)])
    const inner = Uint8Array.from(batch.tokens, (_, t) => (batch.cuSeqlens.includes(t) ? 0 : 1))
    const coef = Float32Array.from(inner, (m, t) => m * Math.cos(t))
    const entropyCoef = Float32Array.from(inner, (m, t) => m * Math.sin(2 * t))
    await using engine = await create()
    const loss = async (): Promise<number> => {
      const { logprobs, entropies } = await engine.score(batch, { temperature: 1.3 })
      return coef.reduce((sum, c, t) => sum + c * logprobs[t]! + entropyCoef[t]! * entropies[t]!, 0)
    }
    await engine.forwardBackward(batch, coef, { temperature: 1.3, entropyCoef })
    for (const name of ['model.layers.0.self_attn.q_proj.weight', 'model.norm.weight']) {
      const gradient = await engine.readGradient(name)
      const original = await engine.readParameter(name)
      const direction = gradient.map(g => g / Math.hypot(...gradient))
      const along = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0)
      const step = 2e-3
      const at = async (h: number): Promise<number> => {
        await engine.writeParameter(
          name,
          original.map((x, i) => x + h * direction[i]!),
        )
        return await loss()
      }
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step)
      await engine.writeParameter(name, original)
      expect(Math.abs(numeric / along - 1)).toBeLessThan(2e-3)
    }
  })

  it('continues from a saved state to the bit', async () => {
    const batch = pack([sequence(40, 1)])
    const coef = Float32Array.from(batch.tokens, (_, t) => (t === 0 ? 0 : -1 / 39))
    const train = async (engine: Engine, steps: number): Promise<void> => {
      for (let i = 0; i < steps; i++) {
        await engine.forwardBackward(batch, coef)
        await engine.optimizerStep({ learningRate: 1e-2, weightDecay: 0.1, maxGradNorm: 1 })
      }
    }
    const path = `${process.env.TMPDIR ?? '/tmp'}/kogrpo-state-${process.pid}`
    await using straight = await create()
    await train(straight, 3)
    await straight.saveState(path)
    await train(straight, 2)
    await using resumed = await Engine.create({ config })
    await resumed.loadState(path)
    await train(resumed, 2)
    const name = 'model.embed_tokens.weight'
    expect(await resumed.readParameter(name)).toEqual(await straight.readParameter(name))
  })

  it('refuses a logit scale that is not one positive number a vocabulary id', async () => {
    await using engine = await create()
    const scale = new Float32Array(97).fill(0.5)
    const wrong: [Float32Array, string][] = [
      [scale.slice(1), 'one element per vocabulary id (97), not 96'],
      [scale.with(4, 0), 'scale[4] = 0'],
      [scale.with(9, Number.POSITIVE_INFINITY), 'scale[9]'],
      [scale.with(9, Number.NaN), 'scale[9]'],
    ]
    for (const [bad, message] of wrong)
      await expect(engine.setLogitScale(bad)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringContaining(message),
      })
    const { handle } = await engine.forward(pack([sequence(8, 1)]))
    await expect(engine.setLogitScale(scale)).rejects.toThrow('between forward and backward')
    await engine.release(handle)
    await engine.setLogitScale(scale)
  })

  it('refuses what would go wrong, by name', async () => {
    await using engine = await create()
    const batch = pack([sequence(8, 1)])
    const code = 'ERR_INVALID_ARGUMENT'
    await expect(
      engine.score({ ...batch, tokens: batch.tokens.with(3, 97) }),
    ).rejects.toMatchObject({ code, message: expect.stringContaining('tokens[3] = 97') })
    await expect(engine.forwardBackward(batch, new Float32Array(8).fill(1))).rejects.toMatchObject({
      code,
      message: expect.stringContaining('coef[0] must be 0'),
    })
    await expect(
      engine.forwardBackward(batch, new Float32Array(8).with(2, Number.NaN)),
    ).rejects.toMatchObject({ code, message: expect.stringContaining('coef[2] is not finite') })
    await expect(engine.score(batch, { slot: 'ref' })).rejects.toMatchObject({
      code,
      message: expect.stringContaining("'ref'"),
    })
    await expect(
      engine.generate([{ tokens: new Int32Array(0), maxNewTokens: 3 }]),
    ).rejects.toMatchObject({ code, message: expect.stringContaining('requests[0]') })
  })

  it('aborts a generation and can be used again', async () => {
    await using engine = await create()
    const request = { tokens: sequence(10, 1), maxNewTokens: 100_000, seed: 1 }
    const signal = AbortSignal.timeout(100)
    await expect(engine.generate([request], { signal })).rejects.toMatchObject({
      code: 'ABORT_ERR',
    })
    const [short] = await engine.generate([{ ...request, maxNewTokens: 3 }])
    expect(short!.tokens).toHaveLength(3)
  })
})
