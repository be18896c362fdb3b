/** What `kogrpo bench` takes: modes, the options each has, and their defaults. */
import type { DeviceName, Dtype } from '../engine/device.ts'
import type { ModelConfig } from '../model/config.ts'

export const MODES = [
  'gemm',
  'attention',
  'lm_head',
  'train',
  'score',
  'generate',
  'grpo',
  'shared_prefix',
  'decode',
] as const
export type Mode = (typeof MODES)[number]

/** Sizes by mode: the keys are the options that the mode has. Those of gemm have no default. */
export const SIZES = {
  gemm: { m: 0, n: 0, k: 0 },
  attention: { batch: 16, seq: 256 },
  lm_head: { batch: 16, seq: 256 },
  train: { batch: 16, seq: 256 },
  score: { batch: 16, seq: 256 },
  generate: { batch: 64, prompt: 64, new: 128 },
  grpo: { batch: 8, group: 8, prompt: 64, new: 128, micro: 16 },
  shared_prefix: { batch: 2, group: 8, prompt: 128, new: 128 },
  decode: { batch: 1, new: 32 },
} as const satisfies Record<Mode, Partial<Record<SizeName, number>>>

export type SizeName = 'm' | 'n' | 'k' | 'batch' | 'seq' | 'prompt' | 'new' | 'group' | 'micro'
type Sizes = Partial<Record<SizeName, number>>

export interface BenchOptions {
  mode: Mode
  geometry: ModelConfig
  /** Those of the mode, complete. */
  sizes: Sizes
  /** 0: one per core. */
  threads: number
  runs: number
  seed: number
  device: DeviceName
  dtype: Dtype
  signal?: AbortSignal
}
