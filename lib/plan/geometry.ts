/**
 * Operations and bytes of a dense Qwen3, from its sizes alone.
 *
 *   products, forward:   2 · (parameters in matrices, with the LM head, without the embedding) a token
 *   attention, forward:  4 · heads · head_dim · (keys seen) a token and layer; causally half the length
 *   backward:            twice the forward
 */
import type { ModelConfig } from '../model/config.ts'
import { parameterLayout } from '../model/parameters.ts'

export type Recompute = 'none' | 'norm_swiglu' | 'ffn' | 'block'

export interface Geometry {
  /** All parameters. */
  parameters: number
  /** Those that a token is multiplied with. */
  multiplied: number
  layers: number
  hidden: number
  vocabulary: number
  queries: number
  keys: number
  intermediate: number
}

export function geometryOf(config: ModelConfig): Geometry {
  const parameters = parameterLayout(config).total
  const embedding = config.vocabSize * config.hiddenSize
  return {
    parameters,
    // A tied head multiplies with the embedding; an untied one has its own matrix.
    multiplied: config.tieWordEmbeddings ? parameters : parameters - embedding,
    layers: config.numLayers,
    hidden: config.hiddenSize,
    vocabulary: config.vocabSize,
    queries: config.numHeads * config.headDim,
    keys: config.numKvHeads * config.headDim,
    intermediate: config.intermediateSize,
  }
}

/** Whether the head is the embedding. */
export const isTied = (g: Geometry): boolean => g.multiplied === g.parameters

/** Parameters outside of the layers: the embedding, the final norm, and a head of its own. */
export function outerElements(g: Geometry): number {
  return g.vocabulary * g.hidden * (isTied(g) ? 1 : 2) + g.hidden
}

/** Multiplied parameters of the head, and of the layers. */
const headElements = (g: Geometry): number => g.hidden * g.vocabulary
export const layerElements = (g: Geometry): number => g.multiplied - headElements(g)

/** Operations of a token's forward pass in sequences of `sample` tokens, a share `scored` of which have logits. */
export function forwardFlops(
  g: Geometry,
  { sample, scored }: { sample: number; scored: number },
): { products: number; attention: number } {
  return {
    products: 2 * (layerElements(g) + scored * headElements(g)),
    attention: 2 * sample * g.queries * g.layers,
  }
}

/** Bytes of keys and values of a token over all layers, in bf16. */
export function kvBytes(g: Geometry): number {
  return g.layers * 2 * g.keys * 2
}

/**
 * Bytes that a layer keeps of a token for the backward pass, in bf16:
 *   residual before and after attention 2·H, their norms 2·H, raw q k v, rotated q k, attention output,
 *   gate and up 2·I, their product I
 * `norm_swiglu` recomputes the norms, the rotation and the product; `ffn` gate and up too; `block` all but the input.
 */
export function activationBytes(g: Geometry, recompute: Recompute): number {
  const residual = 2 * g.hidden
  const norms = 2 * g.hidden
  const raw = g.queries + 2 * g.keys
  const rotated = g.queries + g.keys
  const elements = {
    none: residual + norms + raw + rotated + g.queries + 3 * g.intermediate,
    norm_swiglu: residual + raw + g.queries + 2 * g.intermediate,
    ffn: residual + raw + g.queries,
    block: g.hidden,
  }[recompute]
  return 2 * elements
}

/** Share by which recomputation lengthens the products of forward and backward (3 forwards). */
export function recomputeFactor(g: Geometry, recompute: Recompute): number {
  const gateUp = 2 * g.hidden * g.intermediate
  const layer = gateUp + g.intermediate * g.hidden + g.hidden * (2 * g.queries + 2 * g.keys)
  if (recompute === 'ffn') return 1 + (gateUp / layer) * (1 / 3)
  if (recompute === 'block') return 1 + 1 / 3
  return 1
}
