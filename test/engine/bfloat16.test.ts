/** Weights and activations rounded to bfloat16 in products: one rounding for sampler and trainer. */
import { describe, expect, it, vi } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { loadNative } from '../../lib/engine/native.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig())
const names = parameterLayout(config).parameters.map(p => p.name)

const create = (dtype: 'float32' | 'bfloat16', threads = 2): Promise<Engine> =>
  Engine.create({ config, threads, dtype, init: { seed: 7, std: 0.1, normScale: 0.1 } })

const gradients = (engine: Engine): Promise<Float32Array[]> =>
  Promise.all(names.map(name => engine.readGradient(name)))

function sequence(length: number, salt: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => (i * i * 7 + i * 13 + salt * 31) % 97)
}

const batch = {
  tokens: Int32Array.from([...sequence(33, 1), ...sequence(90, 2)]),
  cuSeqlens: Int32Array.from([0, 33, 123]),
}
const coef = Float32Array.from(batch.tokens, (_, t) => (t === 0 || t === 33 ? 0 : Math.sin(t)))

describe('bfloat16', () => {
  it('samples with the log-probs that the trainer computes, to the bit', async () => {
    await using engine = await create('bfloat16')
    const requests = [3, 70, 64].map((n, i) => ({
      tokens: sequence(n, i),
      maxNewTokens: 80,
      seed: 5,
      stream: i,
    }))
    for (const options of [{}, { maxSequences: 1, prefillRows: 7 }]) {
      const completions = await engine.generate(requests, options)
      for (const [i, { tokens, logprobs }] of completions.entries()) {
        const prompt = requests[i]!.tokens
        const whole = Int32Array.from([...prompt, ...tokens])
        const cuSeqlens = Int32Array.from([0, whole.length])
        const scored = await engine.score({ tokens: whole, cuSeqlens })
        expect(logprobs).toEqual(scored.logprobs.slice(prompt.length))
      }
    }
  })

  it('gives the same bits on every instruction set and thread count', async () => {
    const results = []
    for (const isa of loadNative().machine().instructionSets)
      for (const threads of [1, 3]) {
        vi.stubEnv('KOGRPO_CPU_ISA', isa)
        await using engine = await create('bfloat16', threads)
        const values = await engine.forwardBackward(batch, coef)
        results.push({ values, gradients: await gradients(engine) })
      }
    vi.unstubAllEnvs()
    for (const result of results) expect(result).toEqual(results[0])
  })

  it('gives the gradients of a batch that is cut behind an odd token the bits of the whole', async () => {
    await using whole = await create('bfloat16')
    await whole.forwardBackward(batch, coef)
    await using parts = await create('bfloat16')
    for (const [begin, end] of [
      [0, 33],
      [33, 123],
    ] as const)
      await parts.forwardBackward(
        { tokens: batch.tokens.slice(begin, end), cuSeqlens: Int32Array.from([0, end - begin]) },
        coef.slice(begin, end),
      )
    // The tied embedding's gradient sums over heads and rows in turn.
    const blocks = (engine: Engine): Promise<Float32Array[]> =>
      Promise.all(names.slice(1).map(name => engine.readGradient(name)))
    expect(names[0]).toBe('model.embed_tokens.weight')
    expect(await blocks(parts)).toEqual(await blocks(whole))
  })

  it('rounds: near float32, not equal to it, and the same for weights that are rounded already', async () => {
    await using exact = await create('float32')
    await using rounded = await create('bfloat16')
    const a = await exact.forwardBackward(batch, coef)
    const b = await rounded.forwardBackward(batch, coef)
    const gap = Math.max(...a.logprobs.map((x, t) => Math.abs(x - b.logprobs[t]!)))
    expect(gap).toBeGreaterThan(1e-5)
    expect(gap).toBeLessThan(0.15)
    const [ga, gb] = [await gradients(exact), await gradients(rounded)]
    for (const [i, g] of ga.entries()) {
      const dot = g.reduce((sum, x, k) => sum + x * gb[i]![k]!, 0)
      expect(dot / Math.hypot(...g) / Math.hypot(...gb[i]!)).toBeGreaterThan(0.995)
    }
    await using other = await create('bfloat16')
    for (const { name, decay } of await other.layout())
      if (decay) await other.writeParameter(name, toBfloat16(await other.readParameter(name)))
    expect(await other.score(batch)).toEqual(await rounded.score(batch))
  })

  it('keeps keys and values in half the memory', async () => {
    const pageBytes = async (dtype: 'float32' | 'bfloat16'): Promise<number> => {
      await using engine = await create(dtype)
      const request = { tokens: sequence(3, 1), maxNewTokens: 3, seed: 1, stream: 0 }
      const refusal = engine.generate([request], { maxCacheBytes: 1 })
      const { message } = await refusal.then(
        () => new Error('it fits'),
        (error: Error) => error,
      )
      return Number(/ needs 1 \((\d+) bytes\)/.exec(message)?.[1])
    }
    const values = 2 * config.numLayers * config.numKvHeads * config.headDim * 64
    expect(await pageBytes('float32')).toBe(4 * values)
    expect(await pageBytes('bfloat16')).toBe(2 * values)
  })

  it('keeps what an optimizer step adds, however little', async () => {
    await using engine = await create('bfloat16')
    const name = 'model.layers.0.mlp.up_proj.weight'
    const before = await engine.readParameter(name)
    await engine.forwardBackward(batch, coef)
    await engine.optimizerStep({ learningRate: 1e-6 })
    const after = await engine.readParameter(name)
    const moved = after.filter((x, i) => x !== before[i])
    expect(moved.length).toBeGreaterThan(0.99 * before.length)
    expect(toBfloat16(after)).not.toEqual(after)
  })
})

/** To nearest, ties to even. */
function toBfloat16(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.slice().buffer)
  for (const [i, u] of bits.entries()) bits[i] = (u + 0x7fff + ((u >>> 16) & 1)) & 0xffff0000
  return new Float32Array(bits.buffer)
}
