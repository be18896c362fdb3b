/** 8-bit weights: near the model in fp32, the same everywhere, for sampling and scoring alone. */
import { describe, expect, it, vi } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import type { Dtype } from '../../lib/engine/device.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { loadNative } from '../../lib/engine/native.ts'
import { miniDataset } from '../../lib/mini/datasets.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'

const mini = await openModelDirectory('assets/mini')
const tokenizer = await Tokenizer.load('assets/mini')
const open = (dtype: Dtype, threads = 1): Promise<Engine> => Engine.load(mini, { dtype, threads })

/** Texts of the kind that the miniature was trained on, packed. */
const texts = miniDataset('mini:sft', { seed: 3, size: 24 }).map(({ messages = [] }) =>
  tokenizer.encode(messages.map(({ content }) => content).join('\n')).slice(0, 96),
)
const batch = {
  tokens: Int32Array.from(texts.flat()),
  cuSeqlens: Int32Array.from([0, ...texts.map((_, i) => texts.slice(0, i + 1).flat().length)]),
}

/** Σ p (log p − log q) of two rows of logits. */
function divergence(p: Float32Array, q: Float32Array): number {
  const logs = (row: Float32Array): number[] => {
    const most = row.reduce((a, b) => Math.max(a, b))
    const sum = row.reduce((total, z) => total + Math.exp(z - most), 0)
    return Array.from(row, z => z - most - Math.log(sum))
  }
  const logQ = logs(q)
  return logs(p).reduce((total, value, i) => total + Math.exp(value) * (value - logQ[i]!), 0)
}

describe('int8', () => {
  it('is near the miniature in fp32: divergence of the next token, log-probs', async () => {
    await using full = await open('float32')
    await using int8 = await open('int8')
    const [a, b] = [await full.score(batch), await int8.score(batch)]
    const differences = a.logprobs.map((value, t) => Math.abs(value - b.logprobs[t]!))
    expect(differences.reduce((sum, d) => sum + d, 0) / differences.length).toBeLessThan(0.02)
    expect(differences.some(d => d > 1e-4)).toBe(true) // it is another model
    const text = Int32Array.from(texts[0]!)
    const all = Int32Array.from(text, (_, i) => i)
    const [p, q] = [await full.logits(text, all), await int8.logits(text, all)]
    const width = mini.config.vocabSize
    const rows = Array.from(all, i =>
      divergence(p.subarray(i * width, (i + 1) * width), q.subarray(i * width, (i + 1) * width)),
    )
    expect(rows.reduce((sum, d) => sum + d, 0) / rows.length).toBeLessThan(2e-3)
  })

  it('samples with the log-probs that it scores, on every instruction set and thread count', async () => {
    const requests = texts.slice(0, 6).map((tokens, i) => ({
      tokens: Int32Array.from(tokens.slice(0, 20 + i)),
      maxNewTokens: 24,
      seed: 5,
      stream: i,
    }))
    const results = []
    for (const isa of loadNative().machine().instructionSets) {
      vi.stubEnv('KOGRPO_CPU_ISA', isa)
      await using engine = await open('int8', results.length % 2 === 0 ? 1 : 3)
      const together = await engine.generate(requests)
      const alone = await engine.generate(requests, { maxSequences: 1, prefillRows: 5 })
      expect(alone).toEqual(together)
      results.push(together)
      const { tokens, logprobs } = together[3]!
      const whole = Int32Array.from([...requests[3]!.tokens, ...tokens])
      const cuSeqlens = Int32Array.from([0, whole.length])
      const scored = await engine.score({ tokens: whole, cuSeqlens })
      expect(logprobs).toEqual(scored.logprobs.slice(requests[3]!.tokens.length))
    }
    vi.unstubAllEnvs()
    for (const result of results) expect(result).toEqual(results[0])
  })

  it('follows its weights, and is not trained', async () => {
    await using engine = await open('int8')
    const before = await engine.score(batch)
    const name = 'model.layers.0.mlp.down_proj.weight'
    await engine.writeParameter(
      name,
      (await engine.readParameter(name)).map(w => w * 1.5),
    )
    expect((await engine.score(batch)).logprobs).not.toEqual(before.logprobs)
    const coef = new Float32Array(batch.tokens.length)
    await expect(engine.forwardBackward(batch, coef)).rejects.toThrow(
      /int8 weights sample and score, they have no gradient; open the model in float32 or bfloat16/,
    )
    await expect(engine.forward(batch)).rejects.toThrow(/float32 or bfloat16 to train/)
  })
})
