/**
 * The completions of one prompt computed with one copy of it: the values are the bits of the
 * sequences in full, the gradient is the same sum.
 */
import { describe, expect, it } from 'vitest'
import { randomStream } from '../../lib/data/random.ts'
import { type Batch, Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig())
const names = parameterLayout(config).parameters.map(p => p.name)

const create = (threads = 2, options: object = {}): Promise<Engine> =>
  Engine.create({ config, threads, init: { seed: 7, std: 0.1, normScale: 0.1 }, ...options })

const gradients = (engine: Engine): Promise<Float32Array[]> =>
  Promise.all(names.map(name => engine.readGradient(name)))

interface Case {
  plain: Batch
  shared: Batch
  coef: Float32Array
  entropyCoef: Float32Array
}

/** Groups of [prompt length, ...completion lengths]; `rootOnly`: the root is the prompt alone. */
function groups(shapes: number[][], key: string, { prompts = false, rootOnly = false } = {}): Case {
  const next = randomStream(key)
  const random = (n: number): number[] => Array.from({ length: n }, () => next() % 97)
  const tokens: number[] = []
  const mask: number[] = []
  const prefixes: number[] = []
  const cuSeqlens = [0]
  const add = (ids: number[], prefix: number, trainedFrom: number): void => {
    tokens.push(...ids)
    mask.push(...ids.map((_, i) => (i > 0 && i >= trainedFrom ? 1 : 0)))
    prefixes.push(prefix)
    cuSeqlens.push(tokens.length)
  }
  for (const [length, ...completions] of shapes) {
    const prompt = random(length!)
    if (rootOnly) add(prompt, 0, prompts ? 0 : length!)
    for (const [i, n] of completions.entries())
      add([...prompt, ...random(n)], i === 0 && !rootOnly ? 0 : length!, prompts ? 0 : length!)
  }
  const plain = {
    tokens: Int32Array.from(tokens),
    cuSeqlens: Int32Array.from(cuSeqlens),
    mask: Uint8Array.from(mask),
  }
  return {
    plain,
    shared: { ...plain, prefixes: Int32Array.from(prefixes) },
    coef: Float32Array.from(mask, m => m * ((next() % 2001) / 1000 - 1)),
    entropyCoef: Float32Array.from(mask, m => m * ((next() % 2001) / 4000 - 0.25)),
  }
}

/** ‖a − b‖ / ‖b‖ of the whole gradient and of the tensor where it is largest. */
function distance(a: Float32Array[], b: Float32Array[]): { whole: number; worst: number } {
  const apart = b.map((y, i) => Math.hypot(...y.map((v, k) => v - a[i]![k]!)))
  const norms = b.map(y => Math.hypot(...y))
  return {
    whole: Math.hypot(...apart) / Math.hypot(...norms),
    worst: Math.max(...apart.map((x, i) => x / norms[i]!)),
  }
}

async function compare({ plain, shared, coef, entropyCoef }: Case): Promise<void> {
  await using one = await create()
  await using other = await create()
  const expected = await one.forwardBackward(plain, coef, { entropyCoef, temperature: 0.8 })
  const values = await other.forwardBackward(shared, coef, { entropyCoef, temperature: 0.8 })
  expect(values).toEqual(expected)
  const { whole, worst } = distance(await gradients(other), await gradients(one))
  expect(whole).toBeLessThan(1e-6)
  expect(worst).toBeLessThan(5e-6) // a small tensor is a difference of large sums
}

describe('sequences that share a prompt', () => {
  it.each([1, 2, 63, 64, 65, 100])('with a prompt of %i tokens', async length => {
    await compare(groups([[length, 7, 1, 64, 20]], `prompt ${length}`))
  })

  it('in random groups, with prompts trained too, or the prompt a sequence of its own', async () => {
    const next = randomStream('shapes')
    for (let run = 0; run < 6; run++) {
      const shapes = Array.from({ length: 1 + (next() % 3) }, () =>
        Array.from({ length: 2 + (next() % 5) }, () => 1 + (next() % 90)),
      )
      const options = { prompts: run % 2 === 1, rootOnly: run % 3 === 2 }
      await compare(groups(shapes, `random ${run}`, options))
    }
  })

  it('have one gradient on any thread count, chunk, recomputed or not, in one call or two', async () => {
    const { shared, coef } = groups(
      [
        [70, 30, 9, 66],
        [5, 8, 3],
      ],
      'threads',
    )
    await using one = await create(1)
    await one.forwardBackward(shared, coef)
    const expected = await gradients(one)
    for (const [threads, lmHeadChunk] of [
      [2, 5],
      [5, 1],
    ] as const) {
      await using engine = await create(threads, { gradientCheckpointing: true, lmHeadChunk })
      const { handle } = await engine.forward(shared)
      await engine.backward(handle, coef)
      expect(await gradients(engine)).toEqual(expected)
    }
  })

  it('have the gradient of the loss: finite differences', async () => {
    const { shared, coef, entropyCoef } = groups([[20, 9, 12, 5]], 'differences')
    await using engine = await create()
    const loss = async (): Promise<number> => {
      const { logprobs, entropies } = await engine.score(shared)
      return coef.reduce((sum, c, t) => sum + c * logprobs[t]! + entropyCoef[t]! * entropies[t]!, 0)
    }
    await engine.forwardBackward(shared, coef, { entropyCoef })
    for (const name of ['model.layers.0.self_attn.k_proj.weight', 'model.embed_tokens.weight']) {
      const gradient = await engine.readGradient(name)
      const original = await engine.readParameter(name)
      const norm = Math.hypot(...gradient)
      const at = async (h: number): Promise<number> => {
        await engine.writeParameter(
          name,
          original.map((x, i) => x + (h * gradient[i]!) / norm),
        )
        return await loss()
      }
      const numeric = ((await at(2e-3)) - (await at(-2e-3))) / 4e-3
      await engine.writeParameter(name, original)
      expect(Math.abs(numeric / norm - 1)).toBeLessThan(2e-3)
    }
  })

  it('are refused where they do not share it', async () => {
    await using engine = await create(1)
    const { shared } = groups([[6, 3, 3]], 'refused')
    const score = (prefixes: number[], changes: Partial<Batch> = {}): Promise<unknown> =>
      engine.score({ ...shared, ...changes, prefixes: Int32Array.from(prefixes) })
    await expect(score([0, 9])).rejects.toThrow(
      "prefixes[1] = 9 must leave at least one of the sequence's 9 tokens, and sequence 0 has 9",
    )
    await expect(score([1, 0])).rejects.toThrow('the first sequence has none before it')
    await expect(score([0])).rejects.toThrow('one element per sequence (2), not 1')
    await expect(score([0, -1])).rejects.toThrow('prefixes[1] = -1 must leave')
    const tokens = shared.tokens.slice()
    tokens[9 + 4] = (tokens[9 + 4]! + 1) % 97
    await expect(score([0, 6], { tokens })).rejects.toThrow(
      'prefixes[1] = 6, but token 4 differs from that of sequence 0',
    )
  })
})
