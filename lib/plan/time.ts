/**
 * Time of the phases of a step, from operations and bytes and what kernels reach of the data sheet.
 *
 *   training    products / (0.77 · peak) + attention / (0.5 · peak) + memory-bound kernels: six times the
 *               layer's activations and 12 bytes a logit, at 0.9 of the bandwidth
 *   sampling    a step reads all weights and the keys and values of the running sequences, or computes
 *               their products, whichever is longer
 *   collectives volume / (0.8 · link), the part of it that the backward pass does not cover
 */

import type { English } from '../messages/keys.ts'
import { type Phrase, written } from '../messages/phrase.ts'
import {
  activationBytes,
  forwardFlops,
  type Geometry,
  isTied,
  kvBytes,
  outerElements,
  type Recompute,
  recomputeFactor,
} from './geometry.ts'
import { type Cluster, collectiveRate, type Efficiency } from './hardware.ts'
import type { Shard } from './memory.ts'

/** Reads and writes of a layer's activations, forward and backward, by the kernels between products. */
const TRAFFIC = 6
/** Bytes moved for each logit: written, read for its softmax, rewritten as gradient. */
const LOGIT_TRAFFIC = 12
/** Of the collectives that run beside the backward pass, what cannot be hidden. */
const EXPOSED = 0.15

/** What a trained token costs depends on: tokens of its sample, and the share of tokens that have logits. */
interface Trained {
  sample: number
  scored: number
}

/** Seconds that one GPU takes to train a token, forward and backward. */
export function trainSecondsPerToken(
  g: Geometry,
  tokens: Trained,
  recompute: Recompute,
  { gpu }: Cluster,
  efficiency: Efficiency,
): number {
  const { products, attention } = forwardFlops(g, tokens)
  const factor = recomputeFactor(g, recompute)
  const traffic =
    TRAFFIC * g.layers * activationBytes(g, 'none') + LOGIT_TRAFFIC * tokens.scored * g.vocabulary
  return (
    (3 * products * factor) / (gpu.flops * efficiency.matmul) +
    (3.5 * attention * factor) / (gpu.flops * efficiency.attention) +
    traffic / (gpu.bandwidth * efficiency.bandwidth)
  )
}

/** Share of the peak that counts model operations only (6 a parameter and token), as others report it. */
export function modelFlopsUtilisation(
  g: Geometry,
  tokens: Trained,
  tokensPerSecond: number,
  gpuFlops: number,
): number {
  const { products, attention } = forwardFlops(g, tokens)
  return (3 * (products + attention) * tokensPerSecond) / gpuFlops
}

/** Seconds of one decoding step of `batch` sequences of mean length `context` on one GPU. */
export function decodeSeconds(
  g: Geometry,
  batch: number,
  context: number,
  { gpu }: Cluster,
  efficiency: Efficiency,
): number {
  const bytes = 2 * g.multiplied + batch * context * kvBytes(g)
  const operations = batch * 2 * g.multiplied
  return Math.max(
    bytes / (gpu.bandwidth * efficiency.bandwidth),
    operations / (gpu.flops * efficiency.matmul),
  )
}

export interface CommunicationVolume {
  /** Bytes that a rank sends in an optimizer step, and the collectives that carry them. */
  bytes: number
  parts: { name: Phrase; bytes: number }[]
}

/**
 * On a GPU: an exchange or all-gather of V bytes sends V · (N − 1) / N a rank. Gradients and weights have 2 bytes an
 * element, sums 4, a weight with what it lacks of its master 4. `microBatches`: of a rank. With `parameters` a
 * micro-batch's backward finds the last two layers and the head in their rooms, and the next one's forward the first
 * two layers (a tied embedding too), so that these are not gathered again (native/engine/engine_weights.cpp). With
 * `adapters`, elements that are then all that is trained, the weights below them have no remainders.
 */
export function communicationVolume(
  g: Geometry,
  shard: Shard,
  ranks: number,
  microBatches: number,
  rollout: boolean,
  adapters = 0,
): CommunicationVolume {
  const sent = (words: English, bytes: number): CommunicationVolume['parts'] =>
    ranks === 1 || bytes === 0
      ? []
      : [{ name: written(words), bytes: (bytes * (ranks - 1)) / ranks }]
  const { layers } = g
  const trained = adapters || g.parameters
  const weights = g.parameters + adapters
  // Every micro-batch's gradient goes to the owners of its pieces, whatever is sharded: the order of
  // the sum is that of the micro-batches (native/engine/data_parallel.h).
  const exchange = sent('exchange of gradients', 2 * trained * microBatches)
  const updated = sent('all-gather of weights, with remainders', 4 * trained)
  const outer = outerElements(g)
  const passes = layers + (2 * microBatches - 1) * Math.max(0, layers - 2)
  const gathered = ((weights - outer) / layers) * passes + outer * (isTied(g) ? 1 : microBatches)
  const parts = {
    none: [...exchange, ...sent('all-gather of the sums', 4 * trained)],
    optimizer: [...exchange, ...updated],
    gradients: [...exchange, ...updated],
    parameters: [
      ...sent('all-gather of weights, forward and backward', 2 * gathered),
      ...exchange,
      ...sent(
        'all-gather of weights for sampling, with remainders',
        rollout ? 2 * (weights + trained) : 0,
      ),
    ],
  }[shard]
  return { bytes: parts.reduce((sum, part) => sum + part.bytes, 0), parts }
}

/** Seconds of the collectives that are not hidden behind computation. */
export function exposedSeconds(
  volume: CommunicationVolume,
  cluster: Cluster,
  efficiency: Efficiency,
): number {
  return (EXPOSED * volume.bytes) / collectiveRate(cluster, efficiency)
}
