/** A deeper model that begins as the same function. */
import { describe, expect, it } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { expandedEngine } from '../../lib/train/expand.ts'
import { modelPath } from '../../lib/train/sources.ts'

const directory = modelPath('builtin:mini')
const batch = {
  tokens: Int32Array.from({ length: 24 }, (_, i) => (i * 37) % 900),
  cuSeqlens: Int32Array.of(0, 10, 24),
}

describe('expansion', () => {
  it('adds layers that add nothing, and learn', async () => {
    const source = await openModelDirectory(directory)
    const { config } = await openModelDirectory(directory, {
      weights: false,
      config: { num_hidden_layers: 7 },
    })
    const small = await Engine.load(source, { threads: 1 })
    const deep = await expandedEngine(source, config, { threads: 1 })
    expect(deep.config.numLayers).toBe(7)
    const expected = await small.score(batch)
    expect((await deep.score(batch)).logprobs).toEqual(expected.logprobs)
    const mask = new Uint8Array(24).fill(1)
    mask[0] = 0
    mask[10] = 0
    const coef = Float32Array.from(mask, bit => -bit / 22)
    await deep.forwardBackward({ ...batch, mask }, coef)
    // 4 layers over 7 places: 0 0 1 1 2 2 3, so layer 1 is new.
    const added = await deep.readParameter('model.layers.1.self_attn.o_proj.weight')
    expect(added.every(x => x === 0)).toBe(true)
    const gradient = await deep.readGradient('model.layers.1.self_attn.o_proj.weight')
    expect(gradient.some(x => x !== 0)).toBe(true)
    await Promise.all([small.dispose(), deep.dispose()])
  })

  it('refuses another width, fewer layers, unknown keys, and a geometry for given weights', async () => {
    const source = await openModelDirectory(directory)
    const changed = async (config: Record<string, unknown>) =>
      await openModelDirectory(directory, { weights: false, config })
    const wide = await changed({ num_hidden_layers: 5, intermediate_size: 400 })
    await expect(expandedEngine(source, wide.config, {})).rejects.toThrow(
      /intermediateSize is 400 instead of 384/,
    )
    const flat = await changed({ num_hidden_layers: 4 })
    await expect(expandedEngine(source, flat.config, {})).rejects.toThrow(/more than the 4 layers/)
    await expect(changed({ num_layers: 5 })).rejects.toThrow(/model.config.num_layers: .*no such/)
    const model = (keys: object) =>
      resolveRecipe({ model: keys, eval: { data: [{ path: 'a.jsonl' }] } })
    expect(() => model({ config: { num_hidden_layers: 5 } })).toThrow(
      /set init: random or expanded/,
    )
    expect(() => model({ init: 'expanded' })).toThrow(/needs the new depth/)
  })
})
