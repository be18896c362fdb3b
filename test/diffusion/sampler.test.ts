/** Iterative unmasking on a tiny bidirectional model. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unmask } from '../../lib/diffusion/sampler.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { tinyConfig } from '../tiny-config.ts'

const MASK = 5
let engine: Engine

beforeAll(async () => {
  const config = parseModelConfig({ ...tinyConfig(), is_causal: false })
  engine = await Engine.create({ config, init: { seed: 4, std: 0.3 }, threads: 1 })
})
afterAll(async () => await engine.dispose())

const prompt = Int32Array.of(7, 8, 9)

describe('unmask', () => {
  test('fills every place, never with the mask, the same for the same key', async () => {
    const options = { length: 6, steps: 4, maskToken: MASK, key: 'a' }
    const one = await unmask(engine, prompt, options)
    expect(one).toHaveLength(6)
    expect(one.includes(MASK)).toBe(false)
    expect(await unmask(engine, prompt, options)).toEqual(one)
    const others = await Promise.all(
      ['b', 'c', 'd'].map(key => unmask(engine, prompt, { ...options, key })),
    )
    expect(others.some(other => other.join() !== one.join())).toBe(true)
  })

  test('greedy in one step is the likeliest token of every place; in L steps the surest comes first', async () => {
    const options = { length: 3, maskToken: MASK, temperature: 0, key: 'a' }
    const vocab = engine.config.vocabSize
    const argmax = async (tokens: Int32Array, place: number) => {
      const row = await engine.logits(tokens, Int32Array.of(place))
      row[MASK] = Number.NEGATIVE_INFINITY
      const id = row.indexOf(Math.max(...row))
      const sum = row.reduce((total, x) => total + Math.exp(x - row[id]!), 0)
      return { id, probability: 1 / sum }
    }
    const tokens = Int32Array.of(...prompt, MASK, MASK, MASK)
    const first = await Promise.all([3, 4, 5].map(place => argmax(tokens, place)))
    expect(vocab).toBeGreaterThan(MASK)
    expect([...(await unmask(engine, prompt, { ...options, steps: 1 }))]).toEqual(
      first.map(({ id }) => id),
    )
    // By hand: the surest place is kept, the rest is read again.
    const left = new Set([3, 4, 5])
    while (left.size > 0) {
      const found = await Promise.all(
        [...left].map(async place => ({ place, ...(await argmax(tokens, place)) })),
      )
      const best = found.reduce((a, b) => (b.probability > a.probability ? b : a))
      tokens[best.place] = best.id
      left.delete(best.place)
    }
    expect([...(await unmask(engine, prompt, { ...options, steps: 3 }))]).toEqual([
      ...tokens.slice(3),
    ])
  })

  test('refuses more steps than places', async () => {
    const options = { length: 2, steps: 3, maskToken: MASK, key: 'a' }
    await expect(unmask(engine, prompt, options)).rejects.toThrow('1 to 2 steps')
  })
})
