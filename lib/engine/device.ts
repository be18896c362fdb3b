/** Where an engine computes, and what it is going to be used for there. */

/** `cuda` is the first GPU that CUDA shows (CUDA_VISIBLE_DEVICES chooses and orders them). */
export const DEVICES = [
  'cpu',
  'cuda',
  ...(['cuda:0', 'cuda:1', 'cuda:2', 'cuda:3', 'cuda:4', 'cuda:5', 'cuda:6', 'cuda:7'] as const),
] as const

export type DeviceName = (typeof DEVICES)[number]

/**
 * What matrix products multiply. int8 is for sampling and scoring on the CPU: weights rounded to 8 bits
 * with one scale a row, activations to 16; nothing is trained in it.
 */
export const DTYPES = ['float32', 'bfloat16', 'int8'] as const
export type Dtype = (typeof DTYPES)[number]

/** How a device that stores bfloat16 keeps AdamW's moments. */
export const MOMENTS = ['8bit', 'bfloat16', 'float32'] as const

/**
 * Sizes by which a device with memory of its own is planned before anything is allocated: a model that
 * would not fit is refused with the arithmetic. Without `training` there are no gradients and moments.
 */
export interface EngineUse {
  training: boolean
  /** Copies of the parameters besides the policy. */
  slots?: number
  /** Packed tokens of one forward and backward. */
  microBatchTokens?: number
  /** Keys and values of generation, in tokens; rows of one of its steps. */
  cacheTokens?: number
  stepRows?: number
  /** Ranks that train together, each on a device of its own, and what they divide; absent: none joins. */
  ranks?: number
  shard?: 'none' | 'optimizer' | 'gradients' | 'parameters'
  /** With shard parameters: generation too gathers weights layer by layer. */
  streamed?: boolean
}

/** What the addon says of CUDA (native/cuda/status.h). */
export interface CudaStatus {
  /** The build has CUDA code; there is a device that it runs on, and a library for the products. */
  built: boolean
  usable: boolean
  products: string
  /** What is missing and the remedy; '' when usable. */
  problem: string
  devices: { name: string; capability: string; multiprocessors: number; memory: number }[]
  /** Where there are devices: the NCCL that ranks would talk over, its version and file, or why none. */
  nccl?: { usable: boolean; text: string }
}
