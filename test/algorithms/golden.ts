/** TRL's golden values, random batches, and what tests of the losses share. */
import { readFileSync } from 'node:fs'
import type { GroupAdvantagesInput } from '../../lib/algorithms/advantages.ts'
import type { ImportanceCorrectionMode } from '../../lib/algorithms/importance-correction.ts'
import type {
  LossType,
  PolicyLossInput,
  PolicyLossOptions,
} from '../../lib/algorithms/policy-loss.ts'

export interface GoldenCase {
  options: Pick<
    PolicyLossOptions,
    'loss_type' | 'epsilon' | 'epsilon_high' | 'delta' | 'beta' | 'importance_sampling_level'
  >
  on_policy: boolean
  accumulation: number
  max_completion_length: number
  num_completions: number
  num_tokens: number
  lengths: number[]
  mask: number[]
  logprobs: number[]
  old: number[] | null
  ref: number[] | null
  advantages: number[]
  losses: number[]
  gradient: number[]
  metrics: Record<string, number[]>
}

/** A case with the options beside the surrogate. */
export interface OptionCase extends GoldenCase {
  options: GoldenCase['options'] &
    Pick<PolicyLossOptions, 'sapo_temperature_pos' | 'sapo_temperature_neg'> & {
      top_entropy_quantile?: number
      entropy_coef?: number
      correction?: ImportanceCorrectionMode
      clip_max?: number
      clip_min?: number
    }
  entropies: number[]
  entropy_gradient: number[]
  sampled: number[]
}

export type AdvantageCase = Omit<GroupAdvantagesInput, 'rewards'> & {
  rewards: (number | null)[][]
  advantages: number[]
}

export const golden = JSON.parse(
  readFileSync(new URL('../golden/trl_losses.json', import.meta.url), 'utf8'),
) as {
  trl: string
  cases: GoldenCase[]
  options: OptionCase[]
  advantages: AdvantageCase[]
}

export const lossTypes: LossType[] = ['dr_grpo', 'grpo', 'dapo', 'bnpo', 'cispo', 'sapo']

export function offsets(lengths: readonly number[]): Int32Array {
  const cu = new Int32Array(lengths.length + 1)
  lengths.forEach((length, i) => {
    cu[i + 1] = cu[i]! + length
  })
  return cu
}

export function fromGolden(c: GoldenCase): PolicyLossInput {
  return {
    logprobs: Float32Array.from(c.logprobs),
    oldLogprobs: c.old === null ? null : Float32Array.from(c.old),
    refLogprobs: c.ref === null ? null : Float32Array.from(c.ref),
    advantages: Float32Array.from(c.advantages),
    mask: Float32Array.from(c.mask),
    cuSeqlens: offsets(c.lengths),
    options: {
      ...c.options,
      max_completion_length: c.max_completion_length,
      num_completions: c.num_completions,
      num_tokens: c.num_tokens,
    },
  }
}

/** Sequences [from, to) of a batch, as a micro-batch with the same options. */
export function slice(input: PolicyLossInput, from: number, to: number): PolicyLossInput {
  const start = input.cuSeqlens[from]!
  const end = input.cuSeqlens[to]!
  return {
    ...input,
    logprobs: input.logprobs.slice(start, end),
    oldLogprobs: input.oldLogprobs?.slice(start, end) ?? null,
    refLogprobs: input.refLogprobs?.slice(start, end) ?? null,
    advantages: input.advantages.slice(from, to),
    mask: input.mask.slice(start, end),
    cuSeqlens: input.cuSeqlens.slice(from, to + 1).map(x => x - start),
  }
}

/** A small linear congruential generator in [0, 1), so that cases are the same everywhere. */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

export function randomInput(seed: number, options: Partial<PolicyLossOptions>): PolicyLossInput {
  const random = generator(seed)
  const lengths = Array.from({ length: 8 }, () => 2 + Math.floor(random() * 10))
  const cuSeqlens = offsets(lengths)
  const tokens = cuSeqlens[8]!
  const draw = (low: number, high: number) =>
    Float32Array.from({ length: tokens }, () => low + random() * (high - low))
  const logprobs = draw(-3, -0.01)
  const noise = draw(-0.6, 0.6)
  const refNoise = draw(-0.5, 0.5)
  const mask = Float32Array.from({ length: tokens }, () => (random() < 0.75 ? 1 : 0))
  return {
    logprobs,
    oldLogprobs: logprobs.map((l, t) => l + noise[t]!),
    refLogprobs: logprobs.map((l, t) => l + refNoise[t]!),
    advantages: Float32Array.from({ length: 8 }, () => random() * 2 - 1),
    mask,
    cuSeqlens,
    options: {
      loss_type: 'dr_grpo',
      epsilon: 0.2,
      epsilon_high: 0.28,
      beta: 0.05,
      max_completion_length: 12,
      num_completions: 8,
      num_tokens: mask.reduce((sum, m) => sum + m, 0),
      ...options,
    },
  }
}

export function relative(actual: number, expected: number): number {
  return Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-12)
}
