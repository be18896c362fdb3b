/**
 * lora_dropout in the engine: what a mask depends on and what it does not, its gradient, and that sampling and
 * scoring are without it. (PEFT's steps under the same masks: lora.test.ts; the operation: native tests.)
 */
import { describe, expect, it } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { adapterParameters, type LoraConfig } from '../../lib/model/lora.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig({ tie_word_embeddings: false }))
const lora: LoraConfig = {
  r: 3,
  lora_alpha: 6,
  lora_dropout: 0.3,
  target_modules: ['q_proj', 'v_proj', 'o_proj', 'up_proj', 'down_proj'],
  use_rslora: false,
}
const adapterNames = adapterParameters(config, lora, 0).map(p => p.name)

async function create(options: object = {}, of: LoraConfig = lora): Promise<Engine> {
  const init = { seed: 7, std: 0.1, normScale: 0.1 }
  const engine = await Engine.create({
    config,
    threads: 2,
    init,
    lora: of,
    loraSeed: 5,
    ...options,
  })
  for (const [n, name] of adapterNames.entries()) {
    if (!name.includes('lora_B')) continue
    const values = await engine.readParameter(name)
    await engine.writeParameter(
      name,
      values.map((_, i) => Math.sin(i * 3 + n) / 5),
    )
  }
  return engine
}

interface Packed {
  tokens: Int32Array
  cuSeqlens: Int32Array
  prefixes?: Int32Array
}

function pack(sequences: number[][], prefixes?: number[]): Packed {
  const cuSeqlens = [0]
  for (const s of sequences) cuSeqlens.push(cuSeqlens.at(-1)! + s.length)
  return {
    tokens: Int32Array.from(sequences.flat()),
    cuSeqlens: Int32Array.from(cuSeqlens),
    ...(prefixes && { prefixes: Int32Array.from(prefixes) }),
  }
}

const sequence = (length: number, salt: number): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 13 + salt * 31) % 97)

/** One a token, its own wherever the token stands. */
const coefficients = ({ tokens, cuSeqlens }: Packed): Float32Array => {
  const coef = new Float32Array(tokens.length)
  for (let b = 0; b + 1 < cuSeqlens.length; b++) {
    const begin = cuSeqlens[b]!
    for (let t = begin + 1; t < cuSeqlens[b + 1]!; t++) coef[t] = Math.cos(t - begin)
  }
  return coef
}

const gradients = (engine: Engine): Promise<Float32Array[]> =>
  Promise.all(adapterNames.map(name => engine.readGradient(name)))

/** Log-probs of a training pass without its gradient. */
async function trained(engine: Engine, batch: Packed): Promise<Float32Array> {
  const { handle, logprobs } = await engine.forward(batch)
  await engine.release(handle)
  return logprobs
}

describe('lora_dropout', () => {
  it('is of training alone: sampling and scoring have the bits of an engine without it', async () => {
    const batch = pack([sequence(30, 1)])
    await using engine = await create()
    await using plain = await create({}, { ...lora, lora_dropout: 0 })
    const scored = await engine.score(batch)
    expect(scored).toEqual(await plain.score(batch))
    expect(await trained(engine, batch)).not.toEqual(scored.logprobs)
    expect(await trained(plain, batch)).toEqual(scored.logprobs)
    const request = {
      tokens: Int32Array.from(sequence(8, 2)),
      maxNewTokens: 12,
      seed: 3,
      stream: 1,
    }
    const completions = await engine.generate([request])
    expect(completions).toEqual(await plain.generate([request]))
    expect(await engine.score(batch)).toEqual(scored)
  })

  it('does not depend on batch, packing, shared beginnings, chunks, threads or recomputation', async () => {
    const prompt = sequence(11, 8)
    const sequences = [
      [...prompt, ...sequence(9, 1)],
      [...prompt, ...sequence(17, 2)],
      sequence(23, 3),
    ]
    await using engine = await create()
    const whole = pack(sequences)
    const together = await trained(engine, whole)
    const shared = await trained(engine, pack(sequences, [0, 11, 0]))
    expect(shared).toEqual(together)
    const apart = await Promise.all(sequences.map(s => trained(engine, pack([s]))))
    expect(apart.flatMap(values => [...values])).toEqual([...together])
    const turned = await trained(engine, pack([...sequences].reverse()))
    expect(turned.slice(0, 23)).toEqual(together.slice(-23))

    // One pass or two, on other threads, recomputed, in micro-batches: the same gradient to the bit.
    await engine.forwardBackward(whole, coefficients(whole))
    const expected = await gradients(engine)
    await using other = await create({ gradientCheckpointing: true, threads: 1, lmHeadChunk: 5 })
    for (const s of sequences) {
      const batch = pack([s])
      const { handle } = await other.forward(batch)
      await other.backward(handle, coefficients(batch))
    }
    expect(await gradients(other)).toEqual(expected)
  })

  it('is drawn anew for each step, seed and projection', async () => {
    const batch = pack([sequence(40, 1)])
    await using engine = await create()
    const first = await trained(engine, batch)
    expect(await trained(engine, batch)).toEqual(first)
    await using other = await create({ loraSeed: 6 })
    // Only the masks differ: the adapters are the same.
    for (const name of adapterNames) {
      await other.writeParameter(name, await engine.readParameter(name))
    }
    expect(await trained(other, batch)).not.toEqual(first)
    // A step of length 0 moves nothing but the count.
    await engine.forwardBackward(batch, coefficients(batch))
    await engine.optimizerStep({ learningRate: 0 })
    expect((await engine.score(batch)).logprobs).toEqual((await other.score(batch)).logprobs)
    expect(await trained(engine, batch)).not.toEqual(first)
  })

  it('has the gradient of the loss that it gives', async () => {
    const batch = pack([sequence(20, 5), sequence(31, 6)])
    const coef = coefficients(batch)
    await using engine = await create()
    const loss = async (): Promise<number> =>
      (await trained(engine, batch)).reduce((sum, x, t) => sum + x * coef[t]!, 0)
    await engine.forwardBackward(batch, coef)
    for (const [n, name] of adapterNames.entries()) {
      const gradient = await engine.readGradient(name)
      const values = await engine.readParameter(name)
      const direction = values.map((_, i) => Math.cos(i * 5 + n))
      const at = async (step: number): Promise<number> => {
        await engine.writeParameter(
          name,
          values.map((x, i) => x + step * direction[i]!),
        )
        return await loss()
      }
      const slope = ((await at(5e-3)) - (await at(-5e-3))) / 1e-2
      await at(0)
      const exact = direction.reduce((sum, d, i) => sum + d * gradient[i]!, 0)
      const scale = Math.sqrt(gradient.reduce((s, x) => s + x * x, 0) * direction.length)
      expect(Math.abs(slope - exact) / scale, name).toBeLessThan(2e-3)
    }
  })

  it('leaves the expectation as it is: the mean over steps is what evaluation computes', async () => {
    const batch = pack([sequence(24, 4)])
    // So weak that the log-probs are linear in what the adapters add.
    await using engine = await create({}, { ...lora, lora_alpha: 0.03 })
    const { logprobs } = await engine.score(batch)
    const n = 400
    const mean = new Float64Array(logprobs.length)
    const square = new Float64Array(logprobs.length)
    const coef = new Float32Array(logprobs.length)
    for (let step = 0; step < n; step++) {
      for (const [t, x] of (await trained(engine, batch)).entries()) {
        const difference = x - logprobs[t]!
        mean[t] = mean[t]! + difference / n
        square[t] = square[t]! + (difference * difference) / n
      }
      await engine.forwardBackward(batch, coef)
      await engine.optimizerStep({ learningRate: 0 })
    }
    for (let t = 1; t < mean.length; t++) {
      expect(square[t]!).toBeGreaterThan(0)
      expect(Math.abs(mean[t]!), `token ${t}`).toBeLessThan(4.5 * Math.sqrt(square[t]! / n))
    }
  })

  it('is refused outside of [0, 1)', async () => {
    for (const lora_dropout of [-0.1, 1]) {
      await expect(Engine.create({ config, lora: { ...lora, lora_dropout } })).rejects.toThrow(
        /dropout must be in \[0, 1\)/,
      )
    }
  })
})
