/**
 * Memory of one rank, item by item, in bytes.
 *
 * Training state of a parameter on a GPU: bf16 weight 2, the low half of its exact fp32 master 2, bf16
 * gradient 2, both moments in 8 bits with one fp32 scale a 256 elements 2 · (1 + 4/256); on a CPU fp32
 * weight, gradient and two moments. Several ranks also hold their share of the gradients' sum, in fp32,
 * and buffers for what they send each other. `shard` divides by the ranks: optimizer the moments, gradients
 * those too, parameters the weights with their master halves and the reference as well; what is not held
 * whole passes through rooms for two layers and the embedding or the head (native/engine/partition.h). While
 * completions are sampled no gradient is needed, so its buffer holds keys and values, and weights in pieces
 * are gathered whole beside them.
 *
 * With LoRA the weights are frozen and whole on every rank (2 or 4 bytes; 1 of int8, whose scales are left out
 * here), and the rest is of the adapters alone.
 */
import { type Phrase, phrase } from '../messages/phrase.ts'
import {
  activationBytes,
  type Geometry,
  kvBytes,
  outerElements,
  type Recompute,
} from './geometry.ts'

export type Shard = 'none' | 'optimizer' | 'gradients' | 'parameters'
export const SHARDS: readonly Shard[] = ['none', 'optimizer', 'gradients', 'parameters']

/** How a device stores what is trained: a GPU and a CPU. */
type Stores = 'bf16' | 'fp32'

interface Workload {
  stores: Stores
  /** Tokens of a micro-batch of one rank. */
  microBatchTokens: number
  /** Rows of logits that exist at a time. */
  headChunk: number
  recompute: Recompute
  shard: Shard
  ranks: number
  /** A frozen copy of what is trained for the KL penalty. */
  reference: boolean
  /** Elements of LoRA's adapters, which are then all that is trained (default: none). */
  adapters?: number
  /** The frozen matrices are 8-bit integers. */
  int8?: boolean
  /** A processor samples: its products read a packed copy of the weights (of integers none is made). */
  packed?: boolean
}

interface MemoryItem {
  name: Phrase
  bytes: number
}

export interface MemoryPlan {
  items: MemoryItem[]
  /** Training: everything that exists at once. */
  total: number
  /** What keys and values may take while completions are sampled. */
  cache: number
}

/** Bytes of a parameter. */
const BYTES = {
  bf16: { weight: 2, remainder: 2, moments: 2 * (1 + 4 / 256) },
  fp32: { weight: 4, remainder: 0, moments: 8 },
}
/** CUDA context, cuBLASLt's workspace, NCCL's buffers, fragmentation. */
const FIXED = 1.2 * 2 ** 30
/** What is sent and received at a time (native/engine/data_parallel.cpp). */
const TRANSFERS = 2 * 32 * 2 ** 20

/** `capacity`: bytes of the device. The plan may exceed it; `total` says by how much. */
export function planMemory(g: Geometry, work: Workload, capacity: number): MemoryPlan {
  const { stores, ranks } = work
  const { weight, remainder, moments } = BYTES[stores]
  const level = ranks > 1 ? SHARDS.indexOf(work.shard) : 0
  const part = (from: number): number => (level >= from ? 1 / ranks : 1)
  const { adapters = 0 } = work
  const trained = adapters || g.parameters
  // Room for the adapters of two layers; a layer's lie beside its weights.
  const ofAdapters = weight * adapters * Math.min(1, 2 / g.layers)
  const rooms = weight * (work.int8 ? g.vocabulary * g.hidden : roomOf(g)) + ofAdapters
  const base = work.int8 ? int8Bytes(g, part(3)) : weight * g.parameters * part(3)
  const weights = base + weight * adapters * part(3)
  const share = ranks > 1 ? (4 * trained) / ranks : 0
  const gradients = level < 2 ? weight * trained : adapters ? ofAdapters : weight * roomOf(g)
  // Stated in bf16.
  const wide = weight / 2
  const kept = wide * work.microBatchTokens
  const activations = g.layers * kept * activationBytes(g, work.recompute)
  // Recomputing rebuilds one layer whole.
  const rebuilt = work.recompute === 'none' ? 0 : kept * activationBytes(g, 'none')
  const packed = work.packed && !work.int8 ? weight * g.multiplied : 0
  const items: MemoryItem[] = [
    {
      name: phrase('weights ({type})', { type: work.int8 ? 'int8' : stores }),
      bytes: weights + (level >= 3 ? rooms : 0),
    },
    { name: phrase('master remainder (16 bit)'), bytes: remainder * trained * part(3) },
    {
      name: phrase('moments ({type})', { type: stores === 'bf16' ? phrase('8 bit') : stores }),
      bytes: moments * trained * part(1),
    },
    { name: phrase('gradients ({type})', { type: stores }), bytes: gradients + share },
    ...(work.reference
      ? [
          {
            name: phrase('reference weights ({type})', { type: stores }),
            bytes: adapters ? weight * adapters * part(3) : weights,
          },
        ]
      : []),
    ...(packed > 0 ? [{ name: phrase('packed copy for sampling'), bytes: packed }] : []),
    {
      name: phrase('activations (recompute: {recompute})', { recompute: work.recompute }),
      bytes: activations + rebuilt,
    },
    // fp32 logits of a chunk, their gradient, and the hidden states' gradient.
    {
      name: phrase('LM head'),
      bytes: work.headChunk * g.vocabulary * (4 + weight) + work.microBatchTokens * g.hidden * 4,
    },
    ...(ranks > 1 ? [{ name: phrase('transfers of ranks'), bytes: TRANSFERS }] : []),
    { name: phrase('context and workspaces'), bytes: FIXED },
  ]
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0)
  const held = total - activations - rebuilt - gradients
  const whole = level >= 3 ? weight * (g.parameters + adapters) + remainder * trained : 0
  return { items, total, cache: Math.max(0, capacity - held - whole) }
}

/**
 * The weights under adapters as integers (native/engine/int8_base.h): a byte each in matrices, the embedding in
 * fp32; a tied one is there a second time, as the head. Ranks divide the embedding alone: `part` is theirs of it.
 */
function int8Bytes(g: Geometry, part: number): number {
  const embedding = g.vocabulary * g.hidden
  const tied = g.multiplied === g.parameters
  return g.parameters - embedding + 4 * embedding * part + (tied ? embedding : 0)
}

/** Elements of two layers and of the embedding or the head, whichever is larger. */
function roomOf(g: Geometry): number {
  const layers = g.parameters - outerElements(g)
  const outer = g.vocabulary * g.hidden + g.hidden
  return outer + Math.min(2, g.layers) * (layers / g.layers)
}

/** Tokens that a cache of so many bytes holds; `stores`: keys and values. */
export function cacheTokens(g: Geometry, bytes: number, stores: Stores = 'bf16'): number {
  return Math.floor(bytes / (kvBytes(g) * (BYTES[stores].weight / BYTES.bf16.weight)))
}
