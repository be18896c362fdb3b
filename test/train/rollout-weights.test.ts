import { describe, expect, it } from 'vitest'
import type { GrpoSample } from '../../lib/data/samples.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { geometryOf } from '../../lib/plan/geometry.ts'
import { ExpectedLengths } from '../../lib/rollout/expected-lengths.ts'
import type { Rollout } from '../../lib/rollout/rollout.ts'
import { streamsRollout } from '../../lib/train/rollout-weights.ts'
import { tinyConfig } from '../tiny-config.ts'
import { tinyRecipe } from './tiny.ts'

const grpo = {
  data: [{ path: 'mini:grpo', size: 8 }],
  num_generations: 4,
  per_device_train_batch_size: 4,
  gradient_accumulation_steps: 4,
  max_completion_length: 64,
}

describe('where weights in pieces are while completions are sampled', () => {
  const config = parseModelConfig(
    tinyConfig({ vocab_size: 151_936, hidden_size: 1024, num_hidden_layers: 28 }),
  )
  const whole = 4 * geometryOf(config).parameters
  const place = { size: 4, localSize: 2 }

  it('is whole where the plan has room for them, their packed copy and the cache, else in pieces', async () => {
    const recipe = await tinyRecipe({ shard: 'parameters', grpo })
    const streams = (available: number): boolean => streamsRollout(recipe, config, place, available)
    // Two ranks share the machine: each needs a quarter of five copies, rooms, 1.2 GiB and two wholes.
    expect(streams(2 * 20 * whole)).toBe(false)
    expect(streams(2 * whole)).toBe(true)
    let [low, high] = [2 * whole, 40 * whole]
    while (high - low > whole / 100) {
      const middle = (low + high) / 2
      if (streams(middle)) low = middle
      else high = middle
    }
    const bytes = high / 2 + whole
    const rooms = 2 * (4 * 151_936 * 1024)
    const least = 2 * whole + (5 * whole) / 4 + rooms / 2
    expect(bytes).toBeGreaterThan(least)
    expect(bytes).toBeLessThan(least + 1.3 * 2 ** 30 + whole / 2)
  })

  it('is what the recipe says, of one rank always whole', async () => {
    const of = async (rollout_weights: 'streamed' | 'gathered', size: number): Promise<boolean> => {
      const recipe = await tinyRecipe({ shard: 'parameters', rollout_weights, grpo })
      return streamsRollout(recipe, config, { size, localSize: size }, 0)
    }
    expect(await of('streamed', 2)).toBe(true)
    expect(await of('gathered', 2)).toBe(false)
    expect(await of('streamed', 1)).toBe(false)
  })
})

describe('expected lengths', () => {
  const prompt = (length: number): GrpoSample =>
    ({ promptIds: new Int32Array(length) }) as GrpoSample
  const completed = (of: GrpoSample, ...lengths: number[]): Rollout[] =>
    lengths.map(n => ({ prompt: of, tokens: new Int32Array(n) }) as Rollout)

  it('are those of the prompt, else of prompts as long, else the length of the prompt', () => {
    const lengths = new ExpectedLengths()
    const [a, b, c] = [prompt(10), prompt(20), prompt(40)]
    expect(lengths.of(c)).toBe(40)
    lengths.learn(completed(a, 100, 140))
    expect(lengths.of(a)).toBe(120)
    expect(lengths.of(c)).toBe(40)
    lengths.learn([...completed(b, 200), ...completed(a, 100)])
    expect(lengths.of(a)).toBe(100)
    // The line through (10, 120), (20, 200), (10, 100) is y = 20 + 9 x.
    expect(lengths.of(c)).toBeCloseTo(380, 9)
    expect(lengths.of(b)).toBe(200)
    lengths.learn(completed(prompt(100), 1))
    expect(lengths.of(prompt(1000))).toBe(0)
  })
})
