/** Training a part of the model: whole tensors, rows and columns; the rest keeps its bits. */
import { describe, expect, it } from 'vitest'
import { Engine, type TrainableOptions } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig({ tie_word_embeddings: false, num_hidden_layers: 3 }))
const { parameters } = parameterLayout(config)
const names = parameters.map(p => p.name)

const create = (): Promise<Engine> =>
  Engine.create({ config, threads: 2, init: { seed: 7, std: 0.1, normScale: 0.1 } })

const tokens = Int32Array.from({ length: 60 }, (_, i) => (i * i * 7 + i * 13) % 97)
const batch = { tokens, cuSeqlens: Int32Array.of(0, 25, 60) }
const coef = Float32Array.from(tokens, (_, t) => (t === 0 || t === 25 ? 0 : -1 / 58))

const step = { learningRate: 1e-2, weightDecay: 0.1, maxGradNorm: 1 }

async function all(engine: Engine): Promise<Map<string, Float32Array>> {
  const values = await Promise.all(names.map(name => engine.readParameter(name)))
  return new Map(names.map((name, i) => [name, values[i]!]))
}

async function trained(
  part: TrainableOptions | null,
  steps = 3,
): Promise<{
  before: Map<string, Float32Array>
  after: Map<string, Float32Array>
  loss: number[]
}> {
  await using engine = await create()
  if (part) await engine.setTrainable(part)
  const before = await all(engine)
  const loss = []
  for (let i = 0; i < steps; i++) {
    const { logprobs } = await engine.forwardBackward(batch, coef)
    loss.push(coef.reduce((sum, c, t) => sum + c * logprobs[t]!, 0))
    await engine.optimizerStep(step)
  }
  return { before, after: await all(engine), loss }
}

const layer1 = names.filter(name => name.startsWith('model.layers.1.'))

describe('a part of the model', () => {
  it.each([
    ['a layer', layer1],
    ['the embedding and the head', ['model.embed_tokens.weight', 'lm_head.weight']],
    ['the head', ['lm_head.weight']],
    ['one of matrices that are read jointly', ['model.layers.2.self_attn.k_proj.weight']],
    ['norms', names.filter(name => /norm/.test(name))],
  ])('trains %s, and everything else keeps its bits', async (_, part) => {
    const { before, after, loss } = await trained({ names: part })
    expect(loss.at(-1)!).toBeLessThan(loss[0]!)
    for (const name of names) {
      if (part.includes(name)) expect(after.get(name), name).not.toEqual(before.get(name))
      else expect(after.get(name), name).toEqual(before.get(name))
    }
  })

  it('has the gradient of full training, and the full training of all names its bits', async () => {
    await using whole = await create()
    await using part = await create()
    await part.setTrainable({ names: layer1 })
    await whole.forwardBackward(batch, coef)
    await part.forwardBackward(batch, coef)
    for (const name of layer1) {
      expect(await part.readGradient(name)).toEqual(await whole.readGradient(name))
    }
    expect((await trained({ names })).after).toEqual((await trained(null)).after)
  })

  it('holds gradients, moments and slots of what is trained only', async () => {
    await using engine = await create()
    await engine.setTrainable({ names: layer1 })
    await engine.forwardBackward(batch, coef)
    await engine.updateSlot('ref')
    const then = await engine.score(batch)
    await engine.optimizerStep(step)
    expect(await engine.score(batch, { slot: 'ref' })).toEqual(then)
    expect(await engine.score(batch)).not.toEqual(then)
    const size = parameters.reduce((sum, p) => sum + (layer1.includes(p.name) ? p.size : 0), 0)
    const { gradients, moments, slots } = await engine.memoryUse()
    expect([gradients, moments, slots]).toEqual([4 * size, 8 * size, 4 * size])
    await expect(engine.setTrainable({ names })).rejects.toThrow(/slots .* begin anew/)
  })

  it('trains the rows and columns named, without decay or moments of the others', async () => {
    const q = 'model.layers.0.self_attn.q_proj.weight'
    const down = 'model.layers.2.mlp.down_proj.weight'
    const rows = Int32Array.of(0, 3, 4, 5, 63)
    const columns = Int32Array.of(1, 2, 50)
    const part = {
      names: [q, down],
      parts: [
        { name: q, rows },
        { name: down, columns },
      ],
    }
    const { before, after, loss } = await trained(part)
    expect(loss.at(-1)!).toBeLessThan(loss[0]!)
    for (const { name, shape } of parameters) {
      const [old, now] = [before.get(name)!, after.get(name)!]
      if (name !== q && name !== down) {
        expect(now, name).toEqual(old)
        continue
      }
      const cols = shape[1]!
      const moved = new Set<number>()
      for (const [i, x] of now.entries()) {
        const index = name === q ? Math.floor(i / cols) : i % cols
        if (!Object.is(x, old[i])) moved.add(index)
      }
      expect([...moved].sort((a, b) => a - b)).toEqual([...(name === q ? rows : columns)])
    }
  })

  it('moves a trained row as it would with all rows of its matrix trained, clipping apart', async () => {
    const name = 'model.layers.1.mlp.up_proj.weight'
    const free = { learningRate: 1e-2, weightDecay: 0.1 }
    const run = async (part: TrainableOptions): Promise<Float32Array> => {
      await using engine = await create()
      await engine.setTrainable(part)
      await engine.forwardBackward(batch, coef)
      await engine.optimizerStep(free)
      return await engine.readParameter(name)
    }
    const whole = await run({ names: [name] })
    const some = await run({ names: [name], parts: [{ name, rows: Int32Array.of(7) }] })
    const row = some.slice(7 * 64, 8 * 64)
    expect(Math.max(...row.map((x, i) => Math.abs(x - whole[7 * 64 + i]!)))).toBeLessThan(1e-7)
  })

  it('refuses names, rows and columns that are none', async () => {
    await using engine = await create()
    const name = 'model.layers.1.mlp.up_proj.weight'
    const rows = Int32Array.of(96)
    await expect(engine.setTrainable({ names: ['nothing'] })).rejects.toThrow(/no parameter named/)
    await expect(engine.setTrainable({ names: [] })).rejects.toThrow(/no parameter is named/)
    await expect(engine.setTrainable({ names: [name], parts: [{ name, rows }] })).rejects.toThrow(
      /row 96 is not ascending or outside the 96/,
    )
    const norm = 'model.norm.weight'
    await expect(
      engine.setTrainable({ names: [norm], parts: [{ name: norm, rows: Int32Array.of(0) }] }),
    ).rejects.toThrow(/must be a matrix/)
  })
})
