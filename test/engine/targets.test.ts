/**
 * Places that predict a target of their own instead of the token after them: labels of a classifier's
 * head, originals of masked tokens under attention that sees the whole sequence.
 */
import { expect, test } from 'vitest'
import { type Batch, Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

const create = (changes: object, threads = 2): Promise<Engine> =>
  Engine.create({
    config: parseModelConfig(tinyConfig({ ...changes })),
    threads,
    init: { seed: 7, std: 0.15, normScale: 0.1 },
  })
const CLASSIFIER = { architectures: ['Qwen3ForTokenClassification'] }
const BIDIRECTIONAL = { is_causal: false }

function batchOf(lengths: readonly number[], rows: number): Batch & { targets: Int32Array } {
  const cuSeqlens = [0]
  for (const n of lengths) cuSeqlens.push(cuSeqlens.at(-1)! + n)
  const total = cuSeqlens.at(-1)!
  return {
    tokens: Int32Array.from({ length: total }, (_, i) => (i * i * 7 + i * 13 + 5) % 97),
    cuSeqlens: Int32Array.from(cuSeqlens),
    targets: Int32Array.from({ length: total }, (_, i) => (i * 31 + 3) % rows),
  }
}

test('a target that is the next token has the bits of the next token', async () => {
  await using engine = await create({})
  const { tokens, cuSeqlens } = batchOf([9, 70], 97)
  const next = await engine.score({ tokens, cuSeqlens })
  const targets = Int32Array.from(tokens, (id, t) => tokens[t + 1] ?? id)
  const own = await engine.score({ tokens, cuSeqlens, targets })
  for (let b = 0; b < 2; b++) {
    const [from, to] = [cuSeqlens[b]!, cuSeqlens[b + 1]!]
    expect(own.logprobs.slice(from, to - 1)).toEqual(next.logprobs.slice(from + 1, to))
  }
})

test('a classifier has one row a label and the probabilities of its labels sum to 1', async () => {
  await using engine = await create(CLASSIFIER)
  const names = (await engine.layout()).map(({ name }) => name)
  expect(names.at(-1)).toBe('score.weight')
  expect(names).not.toContain('lm_head.weight')
  expect(names).toEqual(parameterLayout(engine.config).parameters.map(({ name }) => name))
  const batch = batchOf([12], 2)
  const at = async (label: number): Promise<Float32Array> =>
    (await engine.score({ ...batch, targets: new Int32Array(12).fill(label) })).logprobs
  const [zero, one] = [await at(0), await at(1)]
  for (let t = 0; t < 12; t++) expect(Math.exp(zero[t]!) + Math.exp(one[t]!)).toBeCloseTo(1, 6)
  expect(new Set(one).size).toBe(12)
  // The head is a product with the last hidden state: doubled weights double the log-odds.
  const odds = one[5]! - zero[5]!
  const weights = await engine.readParameter('score.weight')
  await engine.writeParameter(
    'score.weight',
    weights.map(w => 2 * w),
  )
  expect((await at(1))[5]! - (await at(0))[5]!).toBeCloseTo(2 * odds, 5)
})

test.each([
  ['a classifier', CLASSIFIER, 2],
  ['a bidirectional model', BIDIRECTIONAL, 97],
])('gradients of %s are finite differences', async (_name, changes, rows) => {
  await using engine = await create(changes)
  const batch = batchOf([7, 5], rows)
  const coef = Float32Array.from({ length: 12 }, (_, t) => ((t * 7) % 5) / 4 - 0.5)
  const loss = async (): Promise<number> => {
    const { logprobs } = await engine.score(batch)
    return logprobs.reduce((sum, l, t) => sum + coef[t]! * l, 0)
  }
  await engine.forwardBackward(batch, coef)
  const head = rows === 2 ? 'score.weight' : 'model.embed_tokens.weight'
  const probed = [
    'model.layers.0.self_attn.q_proj.weight',
    'model.layers.1.self_attn.k_proj.weight',
  ]
  for (const name of [...probed, 'model.layers.0.self_attn.v_proj.weight', head]) {
    const gradient = await engine.readGradient(name)
    const values = await engine.readParameter(name)
    const place = gradient.reduce(
      (best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best),
      0,
    )
    const at = async (shift: number): Promise<number> => {
      const moved = values.slice()
      moved[place]! += shift
      await engine.writeParameter(name, moved)
      return await loss()
    }
    const h = 1e-2
    const slope = ((await at(h)) - (await at(-h))) / (2 * h)
    await engine.writeParameter(name, values)
    expect(Math.abs(slope - gradient[place]!)).toBeLessThan(
      0.02 * Math.abs(gradient[place]!) + 1e-4,
    )
  }
})

test('bidirectional: the last token reaches the first, and packing and threads change no bit', async () => {
  await using one = await create(BIDIRECTIONAL, 1)
  await using three = await create(BIDIRECTIONAL, 3)
  const batch = batchOf([130, 3, 67], 97)
  const packed = await three.score(batch)
  for (let b = 0; b < 3; b++) {
    const [from, to] = [batch.cuSeqlens[b]!, batch.cuSeqlens[b + 1]!]
    const alone = {
      tokens: batch.tokens.slice(from, to),
      cuSeqlens: Int32Array.of(0, to - from),
      targets: batch.targets.slice(from, to),
    }
    expect((await one.score(alone)).logprobs).toEqual(packed.logprobs.slice(from, to))
    const changed = { ...alone, tokens: alone.tokens.slice() }
    changed.tokens[to - from - 1] = 96
    expect((await one.score(changed)).logprobs[0]).not.toBe(packed.logprobs[from])
  }
  await using causal = await create({})
  expect((await causal.score(batch)).logprobs[0]).not.toBe(packed.logprobs[0])
})

test.each([
  [CLASSIFIER, {}, /targets are missing: this model has a head of 2 labels/],
  [
    CLASSIFIER,
    { targets: new Int32Array(4).fill(2) },
    /targets\[0\] = 2 is outside the head's 2 rows/,
  ],
  [{}, { targets: new Int32Array(3) }, /targets must have one element per token \(4\), not 3/],
  [BIDIRECTIONAL, { prefixes: Int32Array.of(0) }, /prefixes: sequences of a bidirectional model/],
])('%j with %j is refused', async (changes, extra, message) => {
  await using engine = await create(changes)
  const { tokens, cuSeqlens } = batchOf([4], 97)
  await expect(engine.score({ tokens, cuSeqlens, ...extra })).rejects.toThrow(message)
})

test.each([
  [CLASSIFIER, /a head of 2 labels has no tokens to generate/],
  [BIDIRECTIONAL, /a bidirectional model does not generate token after token/],
])('%j does not generate', async (changes, message) => {
  await using engine = await create(changes)
  const request = { tokens: Int32Array.of(1, 2), maxNewTokens: 2 }
  await expect(engine.generate([request])).rejects.toThrow(message)
})
