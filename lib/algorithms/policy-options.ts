/**
 * Options of the policy loss, their checks, and what they mean for a token: the surrogate of the loss
 * type and the weight of its average (the table in policy-loss.ts).
 */
import { KogrpoError } from '../errors.ts'
import type { KlEstimator } from './kl.ts'
import type { SequenceLayout } from './layout.ts'
import {
  cispoSurrogate,
  clipSurrogate,
  type Surrogate,
  type SurrogateOptions,
  sapoSurrogate,
} from './surrogates.ts'

export type LossType = 'dr_grpo' | 'grpo' | 'dapo' | 'bnpo' | 'cispo' | 'sapo'
export type ImportanceSamplingLevel = 'token' | 'sequence'
type KlLevel = 'token' | 'sequence'

export interface PolicyLossOptions {
  loss_type: LossType
  /** Lower clip range: ratios below 1 − epsilon are clipped. */
  epsilon: number
  /** Upper clip range; null means `epsilon`. For cispo the absolute cap of the ratio (required). */
  epsilon_high?: number | null
  /** Cap of the ratio in the unclipped branch (two-sided clipping), or null. */
  delta?: number | null
  /** Weight of the KL term; 0 needs no reference. */
  beta: number
  kl_estimator?: KlEstimator
  /** sequence: one k2 of the completion's log-probability over its length (ESPO). Default: token. */
  kl_level?: KlLevel
  importance_sampling_level?: ImportanceSamplingLevel
  sapo_temperature_pos?: number
  sapo_temperature_neg?: number
  /** Dr. GRPO's constant L_max, in tokens. */
  max_completion_length: number
  /** Completions of the whole optimizer step, masked ones included. */
  num_completions: number
  /** Trained tokens (mask 1) of the whole optimizer step: dapo, bnpo, cispo. */
  num_tokens?: number | null
}

interface ResolvedOptions extends SurrogateOptions {
  surrogate: Surrogate
  clips: boolean
}

const surrogateOf: Record<LossType, Surrogate> = {
  dr_grpo: clipSurrogate,
  grpo: clipSurrogate,
  dapo: clipSurrogate,
  bnpo: clipSurrogate,
  cispo: cispoSurrogate,
  sapo: sapoSurrogate,
}

/** Weight of a token in a sequence of `trained` tokens. */
export function tokenWeight(options: PolicyLossOptions, trained: number): number {
  switch (options.loss_type) {
    case 'dr_grpo':
      return 1 / (options.num_completions * options.max_completion_length)
    case 'grpo':
    case 'sapo':
      return 1 / (options.num_completions * trained)
    case 'dapo':
    case 'bnpo':
    case 'cispo':
      return 1 / options.num_tokens!
  }
}

/** Checks the options against the batch and fills in defaults. Throws `E_ALGORITHM`. */
export function resolveOptions(
  options: PolicyLossOptions,
  layout: SequenceLayout,
): ResolvedOptions {
  const surrogate = surrogateOf[options.loss_type]
  if (surrogate === undefined) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `loss_type '${options.loss_type}' is unknown; choose ${Object.keys(surrogateOf).join(', ')}`,
    )
  }
  if (options.loss_type === 'cispo' && typeof options.epsilon_high !== 'number') {
    throw new KogrpoError(
      'E_ALGORITHM',
      'loss_type cispo needs epsilon_high: it is the absolute cap of the ratio (the paper of ScaleRL uses 5.0); falling back to epsilon would cut every ratio near 1',
    )
  }
  positive('max_completion_length', options.max_completion_length)
  positive('num_completions', options.num_completions)
  if (options.num_completions < layout.sequences) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `num_completions is ${options.num_completions} but this batch alone has ${layout.sequences} sequences; give the count of the whole optimizer step`,
    )
  }
  if (['dapo', 'bnpo', 'cispo'].includes(options.loss_type)) {
    const tokens = options.num_tokens ?? -1
    if (!(tokens >= layout.trainedTotal)) {
      throw new KogrpoError(
        'E_ALGORITHM',
        `num_tokens is ${options.num_tokens ?? null} but this batch alone has ${layout.trainedTotal} trained tokens; loss_type ${options.loss_type} divides by the count of the whole optimizer step`,
      )
    }
  }
  nonNegative('epsilon', options.epsilon)
  if (!Number.isFinite(options.beta)) {
    throw new KogrpoError('E_ALGORITHM', `beta is ${options.beta}; it must be finite`)
  }
  if (options.kl_level === 'sequence' && (options.kl_estimator ?? 'k3') !== 'k2') {
    throw new KogrpoError(
      'E_ALGORITHM',
      `kl_level sequence needs kl_estimator k2, not ${options.kl_estimator ?? 'k3'}: the difference of whole completions is too large for the exponential of k3, and k1 is the same at both levels`,
    )
  }
  const epsilonHigh = options.epsilon_high ?? options.epsilon
  nonNegative('epsilon_high', epsilonHigh)
  const delta = options.delta ?? null
  if (delta !== null) positive('delta', delta)
  const temperaturePos = options.sapo_temperature_pos ?? 1
  const temperatureNeg = options.sapo_temperature_neg ?? 1.05
  positive('sapo_temperature_pos', temperaturePos)
  positive('sapo_temperature_neg', temperatureNeg)
  return {
    surrogate,
    clips: surrogate === clipSurrogate,
    epsilon: options.epsilon,
    epsilon_high: epsilonHigh,
    delta,
    sapo_temperature_pos: temperaturePos,
    sapo_temperature_neg: temperatureNeg,
  }
}

function positive(name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) {
    throw new KogrpoError('E_ALGORITHM', `${name} is ${value}; it must be a positive number`)
  }
}

function nonNegative(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) {
    throw new KogrpoError('E_ALGORITHM', `${name} is ${value}; it must be 0 or more`)
  }
}
