/**
 * Which neurons belong to a language (2402.18815): every document is scored by activation impact
 * (Engine.activationImpact), a matrix keeps its `topK` highest neurons per document, and those that recur in
 * at least `minShare` of a language's documents are the language's. Specific to it are those that no
 * contrast language has.
 */
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import { geometryOf, type NeuronMask } from './mask.ts'

/** Parts of a layer that have neurons, in the order of the scores. */
const PARTS = ['q', 'k', 'v', 'ffn'] as const
type Part = (typeof PARTS)[number]

interface SelectionOptions {
  /** Neurons of a matrix kept per document: of q, k and v, and of the feed-forward. */
  topAttention: number
  topFfn: number
  /** Share of the documents of a language in which a neuron must recur. */
  minShare: number
  /** Layers from which neurons are taken, counted from 0. */
  layers: readonly number[]
  /** At most so many neurons of a matrix, the highest by mean score; absent: all. */
  limit?: number | undefined
}

function widths(config: ModelConfig): Record<Part, number> {
  const [queries, keys] = [config.numHeads * config.headDim, config.numKvHeads * config.headDim]
  return { q: queries, k: keys, v: keys, ffn: config.intermediateSize }
}

/** Where the scores of a layer's part begin, and how many there are. */
function place(config: ModelConfig, layer: number, part: Part): [begin: number, size: number] {
  const sizes = widths(config)
  const inLayer = PARTS.reduce((sum, p) => sum + sizes[p], 0)
  const before = PARTS.slice(0, PARTS.indexOf(part)).reduce((sum, p) => sum + sizes[p], 0)
  return [layer * inLayer + before, sizes[part]]
}

/** Scores of each document (token ids). */
export async function scoreDocuments(
  engine: Engine,
  documents: readonly Int32Array[],
  { signal, onDocument }: { signal?: AbortSignal; onDocument?: (done: number) => void } = {},
): Promise<Float32Array[]> {
  const scores: Float32Array[] = []
  for (const tokens of documents) {
    const batch = { tokens, cuSeqlens: Int32Array.of(0, tokens.length) }
    scores.push(await engine.activationImpact(batch, signal))
    onDocument?.(scores.length)
  }
  return scores
}

/** Indices of the `count` largest values; the lower index first among equals. */
function largest(values: Float32Array, count: number): number[] {
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b)
  return order.slice(0, count)
}

/** Neurons of one part that recur, with their mean score. */
function recurring(
  scores: readonly Float32Array[],
  [begin, size]: [number, number],
  top: number,
  minShare: number,
): Map<number, number> {
  const seen = new Map<number, number>()
  const mean = new Float64Array(size)
  for (const document of scores) {
    const values = document.subarray(begin, begin + size)
    for (const [i, x] of values.entries()) mean[i]! += x / scores.length
    for (const i of largest(values, top)) seen.set(i, (seen.get(i) ?? 0) + 1)
  }
  const needed = Math.max(1, Math.ceil(minShare * scores.length))
  return new Map([...seen].filter(([, n]) => n >= needed).map(([i]) => [i, mean[i]!]))
}

/**
 * The mask of the neurons specific to a language: rows of q, k, v and up_proj, columns of down_proj, as
 * the method tunes them. `contrast`: the documents of each other language. Throws `E_NEURONS` if none is
 * left.
 */
export function selectNeurons(
  config: ModelConfig,
  language: readonly Float32Array[],
  contrast: readonly (readonly Float32Array[])[],
  options: SelectionOptions,
  source: Record<string, unknown> = {},
): { mask: NeuronMask; counts: Record<Part, number> } {
  const tensors: NeuronMask['tensors'] = {}
  const counts: Record<Part, number> = { q: 0, k: 0, v: 0, ffn: 0 }
  for (const layer of options.layers) {
    for (const part of PARTS) {
      const where = place(config, layer, part)
      const top = part === 'ffn' ? options.topFfn : options.topAttention
      const found = recurring(language, where, top, options.minShare)
      for (const other of contrast) {
        for (const i of recurring(other, where, top, options.minShare).keys()) found.delete(i)
      }
      const kept = [...found].sort(([i, a], [j, b]) => b - a || i - j).slice(0, options.limit)
      if (kept.length === 0) continue
      const list = kept.map(([i]) => i).sort((a, b) => a - b)
      counts[part] += list.length
      const prefix = `model.layers.${layer}.`
      if (part !== 'ffn') tensors[`${prefix}self_attn.${part}_proj.weight`] = { rows: list }
      else {
        tensors[`${prefix}mlp.up_proj.weight`] = { rows: list }
        tensors[`${prefix}mlp.down_proj.weight`] = { columns: list }
      }
    }
  }
  if (Object.keys(tensors).length === 0) {
    throw new KogrpoError(
      'E_NEURONS',
      phrase(
        'no neuron recurs in the language and is absent from the others; raise the numbers kept per document (--top-attention, --top-ffn), lower the share in which a neuron must recur (--min-share), or give longer documents',
      ),
    )
  }
  const mask: NeuronMask = {
    format: 'kogrpo-neurons-1',
    geometry: geometryOf(config),
    source,
    tensors,
  }
  return { mask, counts }
}

/**
 * A mask of as many neurons in the same matrices, drawn by `random` (uniform in [0, 1)): the control
 * against which a selection is to be measured.
 */
export function randomNeurons(
  config: ModelConfig,
  { geometry, tensors }: NeuronMask,
  random: () => number,
): NeuronMask {
  const sizes = widths(config)
  const drawn = new Map<string, number[]>()
  const draw = (key: string, count: number, size: number): number[] => {
    const known = drawn.get(key)
    if (known) return known
    const pool = Array.from({ length: size }, (_, i) => i)
    for (let i = 0; i < count; i++) {
      const j = i + Math.floor(random() * (size - i))
      ;[pool[i], pool[j]] = [pool[j]!, pool[i]!]
    }
    const list = pool.slice(0, count).sort((a, b) => a - b)
    drawn.set(key, list)
    return list
  }
  const result: NeuronMask['tensors'] = {}
  for (const [name, part] of Object.entries(tensors)) {
    const which = /\.([qkv])_proj/.exec(name)?.[1] as 'q' | 'k' | 'v' | undefined
    const count = 'rows' in part ? part.rows.length : part.columns.length
    // A channel's row of up_proj and column of down_proj stay one neuron.
    const key = which ? name : name.replace(/\.(up|down)_proj.*/, '')
    const list = draw(key, count, sizes[which ?? 'ffn'])
    result[name] = 'rows' in part ? { rows: list } : { columns: list }
  }
  return { format: 'kogrpo-neurons-1', geometry, source: { kind: 'random' }, tensors: result }
}
