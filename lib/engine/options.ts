/** What the calls of an engine take and give (engine.ts). */
import type { ModelConfig } from '../model/config.ts'
import type { LoraConfig } from '../model/lora.ts'
import type { DeviceName, Dtype, EngineUse, MOMENTS } from './device.ts'

/** Random weights. */
export interface InitOptions {
  /** Integer; every weight follows from it and the weight's name and index. */
  seed: number
  /** Standard deviation of every matrix (default: 0.02). */
  std?: number
  /** Norm weights are 1 + normScale · normal (default: 0). */
  normScale?: number
}

/** The model and where it computes. */
export interface EngineOptions {
  config: ModelConfig
  /** Default: cpu. */
  device?: DeviceName
  /**
   * On a GPU: a token's log-prob depends on its sequence alone, to the bit, and a sampled token's is the
   * one forward() gives, as on the CPU (which is always so). Slower.
   */
  deterministic?: boolean
  /** Of a GPU with dtype bfloat16 (default: 8bit). */
  moments?: (typeof MOMENTS)[number]
  /** What a GPU's memory is planned for (default: scoring and generation). */
  use?: EngineUse
  /** CPU threads; 0 (default): every processor this process may use. */
  threads?: number
  /** Recompute activations in the backward pass: less memory, the same bits. */
  gradientCheckpointing?: boolean
  /** Rows of logits that exist at a time; 0 (default): as many as 128 MiB hold. */
  lmHeadChunk?: number
  /**
   * What the products multiply (default: float32). bfloat16: the matrices and what they are multiplied
   * with, rounded; sums, norms, softmax and the parameters that the optimizer moves stay fp32.
   * Training and sampling round alike, so that their log-probs are still the same bits. On a GPU
   * bfloat16 is also how weights, gradients and activations are stored; the optimizer's exact fp32
   * weights are kept as the 16 bits that each lacks. int8 (native/cpu/int8.h): the CPU alone; trained are
   * adapters only, and the matrices under them are then kept as integers, a byte a weight.
   */
  dtype?: Dtype
  /** Random weights instead of a checkpoint's. */
  init?: InitOptions
  /** Adapters beside the weights, which are then frozen. They begin as PEFT's: B is 0. */
  lora?: LoraConfig | undefined
  /** Of the adapters' first values, and of what lora_dropout leaves out. */
  loraSeed?: number
}

/** What training moves: parameters by name, and those of them that are trained in part. */
export interface TrainableOptions {
  names: readonly string[]
  /** Ascending indices of the rows or of the columns that are trained. */
  parts?: readonly { name: string; rows?: Int32Array; columns?: Int32Array }[]
}

/** Sequences one behind the other, without padding. */
export interface Batch {
  tokens: Int32Array
  cuSeqlens: Int32Array
  /** 1 where a token's log-prob is wanted; absent: everywhere. */
  mask?: Uint8Array
  /**
   * Per sequence: how many of its first tokens are those of its root, the nearest sequence before it
   * with 0 here. They are computed once: the values are the same bits, the gradient is the same sum
   * in another order. `concatenate` finds them; absent: every sequence is computed in full.
   */
  prefixes?: Int32Array | undefined
  /**
   * What each token's own place is to predict, instead of the token after it: the original of a masked
   * token, or a label. Then `logprobs[t]` is log p(targets[t] | what the place sees), also at a first token.
   */
  targets?: Int32Array | undefined
}

/** How log-probabilities are computed. */
export interface ForwardOptions {
  /** Logits are divided by it, as in sampling (default: 1). */
  temperature?: number
  /** Ids from here on have probability 0 (default: none; the tokenizer's size for sampling). */
  vocabLimit?: number
  signal?: AbortSignal
}

/** Two values for each token of a batch. */
export interface TokenValues {
  logprobs: Float32Array
  entropies: Float32Array
  /** 1 where no id was likelier than the token. */
  correct: Uint8Array
}

/** A call of generate() that all ranks make with the same requests in the same order. */
export interface Together {
  /** Names the call among ranks. */
  label: string
  /** Adjacent requests of which a rank takes all or none. With 0 every rank has requests of its own. */
  group: number
  /** A rank takes the next group while it has fewer sequences than this under way. */
  live: number
}

/** What all requests of a call share. */
export interface GenerateOptions {
  /** Among ranks: they take groups of the requests as they have room, so that onCompletion is called for
   *  some of them only. Needed, and then a collective, with weights in pieces that are not held. */
  together?: Together | undefined
  vocabLimit?: number
  /** Sequences running at once (default: 256); the others wait their turn. */
  maxSequences?: number
  /** Bytes of keys and values (default: what maxSequences need). */
  maxCacheBytes?: number
  /** Prompt tokens read per step (default: 512). */
  prefillRows?: number
  signal?: AbortSignal
  /** Called about five times a second with the number of tokens generated so far. */
  onProgress?: (tokens: number) => void
  /** Called for each completion soon after it is done, with the place of its request, while others
   *  are still generated; for all of them before generate() returns. If it throws, so does generate(). */
  onCompletion?: ((completion: Completion, place: number) => void) | undefined
}

/** What was sampled behind one prompt. */
export interface Completion {
  tokens: Int32Array
  /** Of each token, under the distribution it was sampled from. */
  logprobs: Float32Array
  finishReason: 'stop' | 'length'
}

/** AdamW, with clipping of the global norm. */
export interface OptimizerOptions {
  learningRate: number
  beta1?: number
  beta2?: number
  epsilon?: number
  /** Decoupled, on matrices only. */
  weightDecay?: number
  /** Clip to this global norm; 0 (default): no clipping. */
  maxGradNorm?: number
  /** Names the step among ranks. */
  label?: string
}

/** One rank's place among those that train together, and how they find each other. */
export interface JoinOptions {
  rank: number
  size: number
  /** Where the rendezvous store (lib/launch/store.ts) listens; unused by one rank alone. */
  host: string
  port: number
  /** Name of this attempt of the run: other ranks' are not met. */
  run: string
  /** Seconds of silence after which a rank counts as lost; also what one transfer may take. */
  patience: number
  /** Seconds that ranks wait for a slow one. */
  limit: number
  /** What every rank holds its pieces of, instead of all: each includes what is before it. */
  shard: 'none' | 'optimizer' | 'gradients' | 'parameters'
}

/** Which parameters are saved, in flat order, and what the collective is called among ranks. */
export interface SavedPart {
  names?: readonly string[]
  label?: string
}

/** A copy of the engine's state; `release` gives its memory back at once, the blocks are then empty. */
export interface Snapshot {
  readonly blocks: readonly Uint8Array[]
  release(): void
}

/** One operation to time, on random data: native/engine/benchmarks.h lists the kinds. */
export interface BenchmarkOptions {
  kind: string
  /** gemm_*: y[m,n] = x[m,k]·wᵀ and the gradients of the same layer. */
  m?: number
  n?: number
  k?: number
  /** The other kinds: sequences, and tokens of each. */
  batch?: number
  seq?: number
  /** Timed runs (default: 5) after `warmUp` (default: 1) others. */
  runs?: number
  warmUp?: number
  seed?: number
  signal?: AbortSignal
}
