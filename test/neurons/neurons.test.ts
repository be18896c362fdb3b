/** Activation impact against its definition, the selection by language, mask files. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { readMask } from '../../lib/neurons/mask.ts'
import { randomNeurons, selectNeurons } from '../../lib/neurons/score.ts'
import { tinyConfig } from '../tiny-config.ts'
import { temporaryDirectory } from '../train/tiny.ts'

const config = parseModelConfig(tinyConfig())
const { hiddenSize: H, headDim: D, numHeads, numKvHeads, intermediateSize: I } = config
const [Q, KV] = [numHeads * D, numKvHeads * D]
const LAYER = Q + 2 * KV + I

const norm = (x: number[], weight: Float32Array): number[] => {
  const square = x.reduce((sum, v) => sum + v * v, 0) / x.length
  return x.map((v, i) => (v / Math.sqrt(square + config.rmsNormEps)) * weight[i]!)
}
const times = (w: Float32Array, x: number[]): number[] =>
  Array.from({ length: w.length / x.length }, (_, r) =>
    x.reduce((sum, v, c) => sum + w[r * x.length + c]! * v, 0),
  )
const column = (w: Float32Array, cols: number, c: number): number =>
  Math.sqrt(w.reduce((sum, v, i) => sum + (i % cols === c ? v * v : 0), 0))

describe('activation impact', () => {
  it('is what the definition says, on one token of the first layer', async () => {
    await using engine = await Engine.create({
      config,
      init: { seed: 7, std: 0.1, normScale: 0.1 },
    })
    const read = (name: string): Promise<Float32Array> =>
      engine.readParameter(`model.layers.0.${name}.weight`)
    const token = 5
    const scores = await engine.activationImpact({
      tokens: Int32Array.of(token),
      cuSeqlens: Int32Array.of(0, 1),
    })
    expect(scores.length).toBe(config.numLayers * LAYER)
    const x0 = [
      ...(await engine.readParameter('model.embed_tokens.weight')).slice(
        token * H,
        (token + 1) * H,
      ),
    ]
    const normed = norm(x0, await read('input_layernorm'))
    // At position 0 the rotation is none.
    const heads = (x: number[], weight: Float32Array): number[] =>
      Array.from({ length: x.length / D }, (_, h) =>
        norm(x.slice(h * D, (h + 1) * D), weight),
      ).flat()
    const q = heads(times(await read('self_attn.q_proj'), normed), await read('self_attn.q_norm'))
    const k = heads(times(await read('self_attn.k_proj'), normed), await read('self_attn.k_norm'))
    const v = times(await read('self_attn.v_proj'), normed)
    const group = numHeads / numKvHeads
    const kv = (i: number): number => Math.floor(i / D / group) * D + (i % D)
    const o = await read('self_attn.o_proj')
    const expected: number[] = q.map((x, i) => Math.abs(x * k[kv(i)]!))
    const readers = (i: number): number[] =>
      Array.from({ length: Q }, (_, j) => j).filter(j => kv(j) === i)
    k.forEach((x, i) => {
      expected.push(Math.abs(x) * Math.hypot(...readers(i).map(j => q[j]!)))
    })
    v.forEach((x, i) => {
      expected.push(Math.abs(x) * Math.hypot(...readers(i).map(j => column(o, Q, j))))
    })
    const attention = times(
      o,
      Array.from({ length: Q }, (_, j) => v[kv(j)]!),
    )
    const x1 = x0.map((x, i) => x + attention[i]!)
    const mlp = norm(x1, await read('post_attention_layernorm'))
    const [gate, up] = [
      times(await read('mlp.gate_proj'), mlp),
      times(await read('mlp.up_proj'), mlp),
    ]
    const down = await read('mlp.down_proj')
    gate.forEach((g, i) => {
      expected.push(Math.abs((g / (1 + Math.exp(-g))) * up[i]!) * column(down, I, i))
    })
    const scale = Math.max(...expected)
    for (const [i, x] of expected.entries())
      expect(Math.abs(scores[i]! - x) / scale).toBeLessThan(1e-5)
  })

  it('is the root mean square over the tokens of a document, whatever the batch', async () => {
    await using engine = await Engine.create({ config, init: { seed: 7, std: 0.1 } })
    const tokens = Int32Array.of(5, 6)
    const one = (t: number): Promise<Float32Array> =>
      engine.activationImpact({ tokens: Int32Array.of(t), cuSeqlens: Int32Array.of(0, 1) })
    const both = await engine.activationImpact({ tokens, cuSeqlens: Int32Array.of(0, 1, 2) })
    const [a, b] = [await one(5), await one(6)]
    // v and the feed-forward; q and k multiply two means.
    for (let i = Q + KV; i < LAYER; i++) {
      expect(both[i]! / Math.sqrt((a[i]! ** 2 + b[i]! ** 2) / 2)).toBeCloseTo(1, 4)
    }
  })
})

describe('selection', () => {
  const options = { topAttention: 2, topFfn: 2, minShare: 1, layers: [0] }
  /** Documents whose highest channels of the feed-forward of layer 0 are given, and rows of q 0 and 1. */
  const documents = (...channels: number[][]): Float32Array[] =>
    channels.map(list => {
      const scores = new Float32Array(2 * LAYER)
      for (const part of [0, Q, Q + KV]) scores.set([2, 1], part)
      for (const [n, i] of list.entries()) scores[Q + 2 * KV + i] = 9 - n
      return scores
    })

  it('keeps what recurs in every document of the language and in none of the others', () => {
    const korean = documents([10, 20, 30], [20, 10, 40])
    const english = documents([20, 50], [20, 60])
    const { mask, counts } = selectNeurons(config, korean, [english], options)
    expect(counts).toEqual({ q: 0, k: 0, v: 0, ffn: 1 })
    expect(mask.tensors).toEqual({
      'model.layers.0.mlp.up_proj.weight': { rows: [10] },
      'model.layers.0.mlp.down_proj.weight': { columns: [10] },
    })
    const { mask: own } = selectNeurons(config, korean, [], options)
    expect(own.tensors['model.layers.0.self_attn.q_proj.weight']).toEqual({ rows: [0, 1] })
    expect(() => selectNeurons(config, korean, [korean], options)).toThrow(/no neuron recurs/)
  })

  it('takes a neuron of fewer documents with a lower share, and the highest within a limit', () => {
    const korean = documents([10, 20], [10, 30], [40, 30])
    const of = (minShare: number, limit?: number): unknown =>
      selectNeurons(config, korean, [], { ...options, minShare, limit }).mask.tensors[
        'model.layers.0.mlp.up_proj.weight'
      ]
    expect(of(1)).toBeUndefined()
    expect(of(0.6)).toEqual({ rows: [10, 30] })
    expect(of(0.6, 1)).toEqual({ rows: [10] })
  })

  it('draws a control of equal size in the same matrices', () => {
    const { mask } = selectNeurons(config, documents([10, 20]), [], options)
    let state = 1
    const random = (): number => {
      state = (state * 48271) % 2147483647
      return state / 2147483647
    }
    const control = randomNeurons(config, mask, random)
    expect(Object.keys(control.tensors)).toEqual(Object.keys(mask.tensors))
    const up = control.tensors['model.layers.0.mlp.up_proj.weight'] as { rows: number[] }
    const down = control.tensors['model.layers.0.mlp.down_proj.weight'] as { columns: number[] }
    expect(up.rows).toEqual(down.columns)
    expect(new Set(up.rows).size).toBe(2)
  })
})

describe('a mask file', () => {
  it('comes back as it was written, and is refused for another model or a bad index', async () => {
    const dir = await temporaryDirectory()
    const file = join(dir, 'mask.json')
    const scores = new Float32Array(2 * LAYER).map((_, i) => i % 7)
    const { mask } = selectNeurons(config, [scores], [], {
      ...{ topAttention: 3, topFfn: 4, minShare: 1, layers: [1] },
    })
    await writeFile(file, JSON.stringify(mask))
    const { names, parts } = await readMask(file, config)
    expect(names).toContain('model.layers.1.mlp.down_proj.weight')
    expect(parts!.find(p => p.name.includes('q_proj'))!.rows).toEqual(Int32Array.of(6, 13, 20))
    const other = parseModelConfig(tinyConfig({ intermediate_size: 112 }))
    await expect(readMask(file, other)).rejects.toThrow(/is for a model of sizes 2 64 96 64 32/)
    const tensors = { 'model.layers.1.mlp.down_proj.weight': { columns: [96] } }
    await writeFile(file, JSON.stringify({ ...mask, tensors }))
    await expect(readMask(file, config)).rejects.toThrow(/index 96 is beyond its 96/)
    await writeFile(file, JSON.stringify({ ...mask, tensors: { x: { rows: [3, 2] } } }))
    await expect(readMask(file, config)).rejects.toThrow(/tensors\.x/)
  })
})
