/**
 * A reward per token, learnt by inverse reinforcement learning from expert traces (R-AIRL, arXiv
 * 2510.01857): a classifier reads the trace and says at every token whether an expert wrote it. With z
 * the log-odds at a token and a response's label y (1 expert; 0 the policy's, or an expert's with a
 * planted mistake), smoothed to a = 1 − ε/2 for the label itself,
 *
 *   L = 1/N Σ_i 1/L_i Σ_t −a log p(y_i) − (1 − a) log(1 − p(y_i))      N responses of L_i tokens
 *
 * The engine gives l = log p(y_i), so ∂L/∂l = 1/(N L_i) · (−a + (1 − a) p/(1 − p)), p = e^l.
 *
 * The reward of a token is z. As advantages of the policy, per token of completion i in its group:
 *
 *   A_t = Σ_{k ≥ 0} γ^k (z_{t+k} − b),   b the mean over the group of each completion's last z
 *
 * All functions take packed sequences (`cuSeqlens`, a 0/1 `mask` of the response's tokens).
 */
import { KogrpoError } from '../errors.ts'
import { sequenceLayout } from './layout.ts'

type Mask = Float32Array | Uint8Array

interface ExpertLossInput {
  /** log p(label of the response) per token, under the classifier. */
  logprobs: Float32Array
  mask: Mask
  cuSeqlens: Int32Array
  /** ε: 0 means that labels are certain. */
  label_smoothing: number
  /** Responses of the whole optimizer step. */
  num_responses: number
}

/** Loss and ∂L/∂logprobs of a (micro-)batch. Throws `E_ALGORITHM` naming the argument. */
export function expertLoss(input: ExpertLossInput): { loss: number; coef: Float32Array } {
  const { logprobs, mask, cuSeqlens, label_smoothing, num_responses } = input
  const layout = sequenceLayout(cuSeqlens, mask)
  if (!(label_smoothing >= 0 && label_smoothing < 1)) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `label_smoothing is ${label_smoothing}; it must be at least 0 and below 1`,
    )
  }
  if (!(num_responses >= layout.sequences)) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `num_responses is ${num_responses} but this batch alone has ${layout.sequences}; give the count of the whole step`,
    )
  }
  const a = 1 - label_smoothing / 2
  const coef = new Float32Array(layout.tokens)
  let loss = 0
  for (let i = 0; i < layout.sequences; i++) {
    const [start, end] = layout.bounds(i)
    const weight = 1 / (num_responses * layout.trained(i))
    for (let t = start; t < end; t++) {
      if (mask[t] === 0) continue
      const l = logprobs[t]!
      if (!(l <= 0)) {
        throw new KogrpoError('E_ALGORITHM', `logprobs is ${l} at token ${t} (sequence ${i})`)
      }
      const other = logOther(l)
      loss -= weight * (a * l + (1 - a) * other)
      coef[t] = weight * (-a + (1 - a) * Math.exp(l - other))
    }
  }
  return { loss, coef }
}

/** log(1 − e^l), at least −16: beyond it single precision cannot tell the probability from 1. */
function logOther(l: number): number {
  return Math.max(-16, Math.log(-Math.expm1(l)))
}

/** z = log p/(1 − p) of l = log p, within ±16. */
export function logOdds(l: number): number {
  return Math.min(16, Math.max(-16, l - logOther(l)))
}

interface DenseAdvantagesInput {
  /** z per token, read where the mask is 1. */
  rewards: Float32Array
  mask: Mask
  cuSeqlens: Int32Array
  /** Completions of one prompt are adjacent. */
  num_generations: number
  gamma: number
  /** Divide by the standard deviation of the group's advantages, over its tokens (+ 1e-4). */
  scale: boolean
}

/** One advantage a token, 0 where the mask is 0. Throws `E_ALGORITHM`. */
export function denseAdvantages(input: DenseAdvantagesInput): Float32Array {
  const { rewards, mask, cuSeqlens, num_generations: group, gamma, scale } = input
  const layout = sequenceLayout(cuSeqlens, mask)
  if (!(gamma >= 0 && gamma <= 1)) {
    throw new KogrpoError('E_ALGORITHM', `gamma is ${gamma}; it must be between 0 and 1`)
  }
  if (!Number.isInteger(group) || group < 2 || layout.sequences % group !== 0) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `${layout.sequences} completions do not form groups of num_generations = ${group} (at least 2)`,
    )
  }
  const advantages = new Float32Array(layout.tokens)
  for (let first = 0; first < layout.sequences; first += group) {
    const members = Array.from({ length: group }, (_, g) => layout.bounds(first + g))
    const last = members.map(([start, end]) => lastOf(rewards, mask, start, end))
    const present = last.filter(value => value !== null)
    if (present.length === 0) continue
    const baseline = present.reduce((sum, z) => sum + z, 0) / present.length
    const [from, to] = [members[0]![0], members.at(-1)![1]]
    for (const [start, end] of members) {
      let later = 0
      for (let t = end - 1; t >= start; t--) {
        if (mask[t] === 0) continue
        if (!Number.isFinite(rewards[t])) {
          throw new KogrpoError('E_ALGORITHM', `rewards is ${rewards[t]} at token ${t}`)
        }
        later = rewards[t]! - baseline + gamma * later
        advantages[t] = later
      }
    }
    if (scale) divide(advantages, mask, from, to)
  }
  return advantages
}

function lastOf(values: Float32Array, mask: Mask, start: number, end: number): number | null {
  for (let t = end - 1; t >= start; t--) if (mask[t] !== 0) return values[t]!
  return null
}

/** Divides by the Bessel standard deviation over the trained tokens of [from, to). */
function divide(values: Float32Array, mask: Mask, from: number, to: number): void {
  let [count, sum, squares] = [0, 0, 0]
  for (let t = from; t < to; t++) {
    if (mask[t] === 0) continue
    count++
    sum += values[t]!
  }
  for (let t = from; t < to; t++) {
    if (mask[t] !== 0) squares += (values[t]! - sum / count) ** 2
  }
  const std = count > 1 ? Math.sqrt(squares / (count - 1)) : 0
  for (let t = from; t < to; t++) values[t]! /= std + 1e-4
}

/** How the rewards of a response's tokens become one score. */
export const AGGREGATES = ['mean', 'min', 'last'] as const
export type Aggregate = (typeof AGGREGATES)[number]

/** The score of a response. Throws `E_ALGORITHM` without a token. */
export function aggregate(rewards: ArrayLike<number>, how: Aggregate): number {
  const values = Array.from(rewards)
  if (values.length === 0) throw new KogrpoError('E_ALGORITHM', 'a response has no token')
  if (how === 'last') return values.at(-1)!
  if (how === 'min') return Math.min(...values)
  return values.reduce((sum, z) => sum + z, 0) / values.length
}

/** P(a random positive scores above a random negative), ties half; NaN without either. */
export function areaUnderCurve(positives: readonly number[], negatives: readonly number[]): number {
  let wins = 0
  for (const p of positives) for (const n of negatives) wins += p > n ? 1 : p === n ? 0.5 : 0
  return wins / (positives.length * negatives.length)
}
