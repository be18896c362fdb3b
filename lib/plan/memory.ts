/**
 * Memory of one rank, item by item, in bytes.
 *
 * Training state of a parameter on a GPU: bf16 weight 2, the low half of its exact fp32 master 2, bf16
 * gradient 2, both moments in 8 bits with one fp32 scale a 256 elements 2 · (1 + 4/256). `shard` divides
 * by the ranks: optimizer the master halves and moments, gradients those too, parameters the weights as
 * well. While completions are sampled no gradient is needed, so its buffer holds keys and values.
 */
import { activationBytes, type Geometry, kvBytes, type Recompute } from './geometry.ts'

export type Shard = 'none' | 'optimizer' | 'gradients' | 'parameters'
export const SHARDS: readonly Shard[] = ['none', 'optimizer', 'gradients', 'parameters']

export interface Workload {
  /** Tokens of a micro-batch of one rank. */
  microBatchTokens: number
  /** Rows of logits that exist at a time. */
  headChunk: number
  recompute: Recompute
  shard: Shard
  ranks: number
  /** A frozen copy of the weights for the KL penalty. */
  reference: boolean
}

export interface MemoryItem {
  name: string
  bytes: number
}

export interface MemoryPlan {
  items: MemoryItem[]
  /** Training: everything that exists at once. */
  total: number
  /** What keys and values may take while completions are sampled. */
  cache: number
}

const MOMENTS = 2 * (1 + 4 / 256)
/** CUDA context, cuBLASLt's workspace, NCCL's buffers, fragmentation. */
const FIXED = 1.2 * 2 ** 30

/** `capacity`: bytes of the device. The plan may exceed it; `total` says by how much. */
export function planMemory(g: Geometry, work: Workload, capacity: number): MemoryPlan {
  const level = SHARDS.indexOf(work.shard)
  const part = (from: number): number => (level >= from ? 1 / work.ranks : 1)
  const weights = 2 * g.parameters * part(3)
  // A sharded model gathers the layer in hand and the one ahead.
  const layer = (g.parameters - 2 * g.vocabulary * g.hidden) / g.layers
  const gathered = level >= 3 && work.ranks > 1 ? 2 * 2 * Math.max(layer, 0) : 0
  const gradients = 2 * g.parameters * part(2)
  // Gradients that are reduced as they appear need room for two layers of them.
  const buckets = level >= 2 && work.ranks > 1 ? 2 * 2 * Math.max(layer, 0) : 0
  const activations = g.layers * work.microBatchTokens * activationBytes(g, work.recompute)
  // Recomputing rebuilds one layer whole.
  const rebuilt = work.recompute === 'none' ? 0 : work.microBatchTokens * activationBytes(g, 'none')
  const items: MemoryItem[] = [
    { name: 'weights (bf16)', bytes: weights + gathered },
    { name: 'master remainder (16 bit)', bytes: 2 * g.parameters * part(1) },
    { name: 'moments (8 bit)', bytes: MOMENTS * g.parameters * part(1) },
    { name: 'gradients (bf16)', bytes: gradients + buckets },
    ...(work.reference ? [{ name: 'reference weights (bf16)', bytes: weights }] : []),
    { name: `activations (recompute: ${work.recompute})`, bytes: activations + rebuilt },
    // fp32 logits of a chunk, their bf16 gradient, and the hidden states' gradient.
    {
      name: 'LM head',
      bytes: work.headChunk * g.vocabulary * 6 + work.microBatchTokens * g.hidden * 4,
    },
    { name: 'context and workspaces', bytes: FIXED },
  ]
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0)
  const held = total - activations - rebuilt - gradients - buckets
  // Sampling needs the weights whole, wherever training keeps them.
  const whole = 2 * g.parameters - weights - gathered
  return { items, total, cache: Math.max(0, capacity - held - Math.max(0, whole)) }
}

/** Tokens that a cache of so many bytes holds. */
export function cacheTokens(g: Geometry, bytes: number): number {
  return Math.floor(bytes / kvBytes(g))
}
